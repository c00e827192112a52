"""Searches give what a plain reading of PS3.4 C.2.2.2 gives: any keys, against a matcher of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrua_core.app import App
from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search import Between, Match, NoValue, OneOf, Query, Words, pages, search
from charrua_core.testing.shelf import Shelf
from charrua_core.types import SYSTEM, Level

NAMES = [
    *("Smith^John", "SMITH^Jane^^Dr", "Smithson^Ann", "García Pérez^José", "Garcia^Jose", "Núñez^Ñandú", "O'Brien^Pat"),
    *(
        "100%^a_b",
        "back\\slash^x",
        "a*b^c?d",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "=山田^花子",
        "김^희중",
        "Љубав^Ива",
        "",
    ),
]
IDS = ["1", "12", "123", "1%3", "1_3", "A-1", "a-1", "x'y", "", "αβγ", "山1"]
DATES = ["20231231", "20240101", "20240131", "20240229", "20250101", ""]
TIMES = ["", "08", "0830", "083000", "083000.5", "235959.999999", "120000"]
DESCRIPTIONS = ["TÓRAX PA", "torax pa", "Thorax_1", "50% done", "a\\b", "", "脳 MRI"]
MODALITIES = ["CT", "MR", "US"]

Stored = dict[str, Any]


def corpus() -> list[Stored]:
    """Every value at least once, in changing company."""
    return [
        {
            "00100010": NAMES[number % len(NAMES)],
            "00100020": IDS[number * 3 % len(IDS)],
            "00080020": DATES[number * 5 % len(DATES)],
            "00080030": TIMES[number % len(TIMES)],
            "00081030": DESCRIPTIONS[number * 2 % len(DESCRIPTIONS)],
            "00080061": sorted({MODALITIES[number % 3], MODALITIES[number // 3 % 3]}),
            "0020000D": f"1.2.{number}",
        }
        for number in range(45)
    ]


def like(pattern: str, text: str) -> bool:
    """Wildcards, by the textbook."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return like(pattern[1:], text) or (text != "" and like(pattern, text[1:]))
    return text != "" and pattern[0] in ("?", text[0]) and like(pattern[1:], text[1:])


def name_matches(key: str, name: str) -> bool:
    wanted, groups = name_key(key).split("="), name_key(name).split("=")
    if len(wanted) == 1:
        return any(like(wanted[0], group) for group in (groups[:1] if wanted[0].isascii() else groups))
    return all(not one or like(one, group) for one, group in zip(wanted, [*groups, "", "", ""], strict=False))


def within(kind: str, low: str, high: str, value: str) -> bool:
    length, last = (8, "99999999") if kind == "DA" else (12, "235960999999")
    digits = value.replace(".", "")
    filled = digits + ("0101" if kind == "DA" else "000000000000")[len(digits) - 12 if kind == "TM" else 4 :]
    first = (low.replace(".", "") + "0" * length)[:length]
    end = high.replace(".", "") + last[len(high.replace(".", "")) :]
    return first <= filled[:length] <= (end if high else last)


def words_match(tag: str, words: tuple[str, ...], value: str) -> bool:
    """Each word anywhere, one or two letters alone at the beginning; an identifier's as they are, or in capitals."""
    if tag == "00100020":
        return any(stand(ways, value) for ways in (words, tuple(word.upper() for word in words)))
    return stand(tuple(map(text_key, words)), name_key(value) if tag == "00100010" else text_key(value))


def stand(words: tuple[str, ...], value: str) -> bool:
    runs = words[0].replace("?", "*").split("*")
    short = not any(len(run) >= 3 or any(one >= "\u2e80" for one in run) for run in runs)
    if len(words) == 1 and short:
        return like(f"{words[0]}*", value)
    return all(like(f"*{word}*", value) for word in words)


def is_match(stored: Stored, tag: str, match: Match) -> bool:
    value = stored[tag]
    if isinstance(match, NoValue):
        return not value
    if not value:
        return False
    if isinstance(match, Between):
        return within(match.vr, match.low, match.high, value)
    if isinstance(match, Words):
        return words_match(tag, match.words, value)
    assert isinstance(match, OneOf)
    if match.vr == "PN":
        return any(name_matches(key, value) for key in match.values)
    if match.vr in ("DA", "TM"):
        return any(within(match.vr, key, key, value) for key in match.values)
    if tag == "00080061":
        return any(like(key, one) for key in match.values for one in value)
    fold = text_key if tag == "00081030" else str.strip
    return any(like(fold(key), fold(value)) for key in match.values)


def patterns_of(values: list[str]) -> st.SearchStrategy[str]:
    """A value as it is, a piece of it between wildcards, or characters that mean something somewhere."""
    whole = st.sampled_from([value for value in values if value])
    piece = st.tuples(
        whole, st.integers(0, 12), st.integers(1, 6), st.sampled_from(["*{}*", "{}*", "*{}", "?{}*", "{}?"])
    )
    cut = piece.map(lambda p: p[3].format(p[0][p[1] % len(p[0]) :][: p[2]]))
    odd = st.text("aA1*?%_\\'^=á山-", min_size=1, max_size=6)
    return st.one_of(whole, cut, odd).filter(lambda text: text.strip("* ") != "")


def words_of(vr: str, values: list[str]) -> st.SearchStrategy[Match]:
    word = patterns_of(values).map(lambda text: text.split()[-1]).filter(lambda word: word.strip("*") != "")
    return st.lists(word, min_size=1, max_size=2).map(lambda words: Words(vr, tuple(words)))


def moments(values: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([value for value in values if value] + [values[0][:6] or "10"])


KEYS: Mapping[str, st.SearchStrategy[Match]] = {
    "00100010": st.one_of(
        st.lists(patterns_of(NAMES), min_size=1, max_size=2).map(lambda v: OneOf("PN", tuple(v))), words_of("PN", NAMES)
    ),
    "00100020": st.one_of(
        words_of("LO", IDS),
        st.lists(patterns_of(IDS), min_size=1, max_size=3).map(lambda v: OneOf("LO", tuple(v))),
        st.just(NoValue("LO")),
    ),
    "00080020": st.one_of(
        moments(DATES).map(lambda v: OneOf("DA", (v,))),
        st.tuples(moments(DATES), moments(DATES)).map(lambda v: Between("DA", *v)),
        moments(DATES).map(lambda v: Between("DA", "", v)),
    ),
    "00080030": st.one_of(
        moments(TIMES).map(lambda v: OneOf("TM", (v,))),
        st.tuples(moments(TIMES), moments(TIMES)).map(lambda v: Between("TM", *v)),
    ),
    "00081030": st.one_of(patterns_of(DESCRIPTIONS).map(lambda v: OneOf("LO", (v,))), words_of("LO", DESCRIPTIONS)),
    "00080061": st.lists(st.sampled_from(["CT", "M?", "*S", "XX"]), min_size=1, max_size=2).map(
        lambda v: OneOf("CS", tuple(v))
    ),
}
queries = st.lists(st.sampled_from(list(KEYS)), min_size=1, max_size=3, unique=True).flatmap(
    lambda tags: st.fixed_dictionaries({tag: KEYS[tag] for tag in tags})
)


async def put(shelf: Shelf, stored: Stored) -> None:
    await shelf.study(
        *[[{"Modality": modality}] for modality in stored["00080061"]],
        StudyInstanceUID=stored["0020000D"],
        PatientName=stored["00100010"],
        PatientID=stored["00100020"],
        StudyDate=stored["00080020"],
        StudyTime=stored["00080030"],
        StudyDescription=stored["00081030"],
    )


async def test_searches_and_the_plain_reading_agree(archive_in_process: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "INDEX_WALK", 10)
    monkeypatch.setattr(pages, "ROW_WALK", 5)
    monkeypatch.setattr(pages, "FIRST_PAGE", 4)
    stored, loop = corpus(), asyncio.get_running_loop()
    async with archive_in_process.db.driver() as connection:
        for one in stored:
            await put(Shelf(connection), one)

    async def found(keys: Mapping[str, Match]) -> list[str]:
        matches = search(archive_in_process, Query(Level.STUDY, keys=keys), SYSTEM)
        return sorted([one.attributes["0020000D"]["Value"][0] async for one in matches])

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(queries)
    def agree(keys: Mapping[str, Match]) -> None:
        expected = [one for one in stored if all(is_match(one, tag, match) for tag, match in keys.items())]
        told = asyncio.run_coroutine_threadsafe(found(keys), loop).result(30)
        assert told == sorted(one["0020000D"] for one in expected)

    await asyncio.to_thread(agree)
