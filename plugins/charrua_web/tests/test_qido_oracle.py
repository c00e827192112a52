"""QIDO-RS against a plain reading of PS3.4 C.2.2.2 in memory: many queries, made by chance, find the same."""

from __future__ import annotations

import random
import re
import unicodedata
from urllib.parse import urlencode

import pytest

from charrua_core.testing.shelf import Shelf

NAMES = ["Núñez^José", "NUNEZ^Maria", "Doe^Jane", "Doe^John^A", "O'Brien^Zoë", "", "Müller^Ann"]
IDS = ["A1", "a1", "A12", "B-1", "", "_x%"]
DATES = ["20230101", "20230630", "20240101", "20240229", ""]
TEXTS = ["TÓRAX", "torax ap", "Brain", ""]
MODALITIES = ["CT", "MR", "SR", "CR"]


@pytest.fixture
async def shelf(db):
    async with db.driver() as connection:
        yield Shelf(connection)


def folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(one for one in plain if not unicodedata.combining(one)).lower()


def like(pattern: str, text: str) -> bool:
    expression = "".join(".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def matches(keyword: str, asked: str, study: dict) -> bool:
    """Whether a study matches a parameter."""
    held = study[keyword]
    if keyword == "ModalitiesInStudy":
        return any(like(one, value) for one in re.split(r"[,\\]", asked) for value in held)
    if asked.strip("*") == "":
        return True
    if asked == '""':
        return held == ""
    if keyword == "StudyDate" and "-" in asked:
        low, high = asked.split("-")
        return held != "" and (low or "0") <= held <= (high or "9")
    fold = folded if keyword in ("PatientName", "StudyDescription") else str
    return held != "" and any(like(fold(one), fold(held)) for one in asked.split("\\"))


def a_study(chance: random.Random) -> dict:
    return {
        "PatientName": chance.choice(NAMES),
        "PatientID": chance.choice(IDS),
        "StudyDate": chance.choice(DATES),
        "StudyDescription": chance.choice(TEXTS),
        "ModalitiesInStudy": chance.sample(MODALITIES, chance.randint(1, 2)),
    }


def a_text(chance: random.Random, values: list[str]) -> str:
    """A value, a part of one with wildcards, several, or two double quotes."""
    value = chance.choice([one for one in values if one])
    start, end = sorted(chance.sample(range(len(value) + 1), 2))
    several = "\\".join(chance.sample([one for one in values if one], 2))
    return chance.choice(
        [value, value[:end] + "*", f"*{value[start:end]}*", f"?{value[1:]}", several, '""', value.upper()]
    )


def a_date(chance: random.Random) -> str:
    low, high = sorted(chance.sample(DATES[:-1], 2))
    return chance.choice([low, f"{low}-{high}", f"{low}-", f"-{high}", '""'])


def a_query(chance: random.Random) -> dict[str, str]:
    asked = {
        "PatientName": a_text(chance, NAMES),
        "PatientID": a_text(chance, IDS),
        "StudyDate": a_date(chance),
        "StudyDescription": a_text(chance, TEXTS),
        "ModalitiesInStudy": chance.choice(["CT", "CT,MR", "SR\\CR", "C?", "*R"]),
    }
    return {keyword: asked[keyword] for keyword in chance.sample(sorted(asked), chance.randint(1, 3))}


async def test_what_is_found_and_counted_is_what_matches(archive, browse, shelf) -> None:
    chance = random.Random(4)
    studies = {f"1.{number}": a_study(chance) for number in range(1, 61)}
    for uid, study in studies.items():
        attributes = {keyword: value for keyword, value in study.items() if keyword != "ModalitiesInStudy"}
        await shelf.study(
            *([{"Modality": one}] for one in study["ModalitiesInStudy"]), StudyInstanceUID=uid, **attributes
        )
    client = await browse()
    some = 0
    for _ in range(250):
        query = a_query(chance)
        expected = {uid for uid, study in studies.items() if all(matches(*pair, study) for pair in query.items())}
        answer = await client.get(f"/dicom-web/studies?{urlencode({**query, 'limit': 3})}")
        found = await client.get(f"/dicom-web/studies?{urlencode(query)}")
        assert answer.status_code == found.status_code == 200, (query, answer.text)
        uids = [one["0020000D"]["Value"][0] for one in found.json()]
        assert (query, set(uids), len(uids)) == (query, expected, len(expected))
        assert (query, found.headers["x-total-count"]) == (query, str(len(expected)))
        if answer.headers["x-total-count-relation"] == "eq":
            assert (query, answer.headers["x-total-count"]) == (query, str(len(expected)))
        assert [one["0020000D"]["Value"][0] for one in answer.json()] == uids[:3]
        some += len(expected) > 3
    assert some > 50
