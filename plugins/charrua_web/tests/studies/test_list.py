"""The study list over HTTP: what is found, in which order, page by page, and how it is exported."""

from __future__ import annotations

import csv
import io
import random
from datetime import date, timedelta
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import select

from charrua_core import tables
from charrua_core.archive.search import ORDERS
from charrua_core.archive.search.orders import ORDERS as BY_NAME
from charrua_core.testing.shelf import Shelf

NAMES = ["Núñez^José María", "NUNEZ^Maria", "Silva^Ana", "da Silva^João", "O'Brien^Zoë", "山田^太郎", "Müller^Ann"]
IDS = ["4.512.087-3", "abc1", "ABC2", "998", "99", ""]
TEXTS = ["TÓRAX y abdomen", "torax", "Brain, routine", ""]


@pytest.fixture
async def archive(serve_web):
    return await serve_web()


@pytest.fixture
async def shelf(archive):
    async with archive.app.db.driver() as connection:
        yield Shelf(connection)


async def client_of(archive, role: str = "Referring", row_filter=None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {await archive.token(role, row_filter)}"}
    return httpx.AsyncClient(base_url=archive.url, headers=headers, timeout=30, verify=False)


async def rows(client: httpx.AsyncClient, **query: object) -> list[dict]:
    answer = await client.get(f"/studies/rows?{urlencode(query, doseq=True)}")
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def uids(found: list[dict]) -> list[str]:
    return [row["uid"] for row in found]


# -- what is found -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"PatientName": "jose nunez"}, {"1"}),
        ({"PatientName": "ñez"}, {"1", "2"}),
        ({"PatientName": "mar"}, {"1", "2"}),
        ({"PatientName": "nu"}, {"1", "2"}),
        ({"PatientName": "u"}, set()),
        ({"PatientName": "Silva, A"}, {"3"}),
        ({"PatientName": "太"}, {"4"}),
        ({"PatientName": "n*z^jo"}, {"1"}),
        ({"PatientID": "087"}, {"1"}),
        ({"PatientID": "abc"}, {"2", "3"}),
        ({"PatientID": '""'}, {"5"}),
        ({"AccessionNumber": "a11", "ModalitiesInStudy": "CT"}, {"1"}),
        ({"StudyDescription": "torax"}, {"1", "2"}),
        ({"StudyDescription": "abdomen tor"}, {"1"}),
        ({"ReferringPhysicianName": "house"}, {"3"}),
        ({"ModalitiesInStudy": "MR,US"}, {"2", "3"}),
        ({"Status": "FINAL"}, {"4"}),
        ({"Status": ["FINAL", "UNREAD"]}, {"1", "2", "3", "4", "5"}),
        ({"SeriesDescription": "flair"}, {"2"}),
        ({"BodyPartExamined": "HEAD", "SeriesDescription": "flair"}, set()),
        ({"StationName": "mr1"}, {"2"}),
        ({"ProtocolName": "routine"}, {"2"}),
        ({"PatientBirthDate": "1970-01-01-1979-12-31"}, {"1"}),
        ({"PatientBirthDate": "19700101-19791231"}, {"1"}),
        ({"PatientComments": "allergic"}, {"5"}),
        ({"from": "2024-01-01", "to": "2024-12-31"}, {"1"}),
        ({"to": "2023-12-31"}, {"2"}),
        ({"StudyInstanceUID": "1,3"}, {"1", "3"}),
        ({"PatientName": "*", "StudyDescription": "**"}, {"1", "2", "3", "4", "5"}),
    ],
)
async def test_any_field_finds_studies_by_parts_of_what_it_says(archive, shelf, query, found) -> None:
    images = [{"Modality": "MR", "SeriesDescription": "AX T2 FLAIR", "StationName": "MR1", "ProtocolName": "Routine"}]
    ct = [{"Modality": "CT", "BodyPartExamined": "HEAD"}]
    common = {"StudyTime": "101010"}
    await shelf.study(
        ct, StudyInstanceUID="1", PatientName=NAMES[0], PatientID=IDS[0], AccessionNumber="A1184421",
        StudyDescription=TEXTS[0], StudyDate="20240301", PatientBirthDate="19750505", **common,
    )  # fmt: skip
    await shelf.study(
        images, ct, StudyInstanceUID="2", PatientName=NAMES[1], PatientID=IDS[1], AccessionNumber="B1",
        StudyDescription=TEXTS[1], StudyDate="20230301", **common,
    )  # fmt: skip
    await shelf.study(
        [{"Modality": "US"}], StudyInstanceUID="3", PatientName=NAMES[2], PatientID=IDS[2],
        ReferringPhysicianName="House^G", StudyDate="", **common,
    )  # fmt: skip
    await shelf.study(StudyInstanceUID="4", PatientName=NAMES[5], PatientID="X", StudyDate="")
    await shelf.run("UPDATE core.study SET status = 'FINAL' WHERE study_uid = '4'")
    await shelf.study(StudyInstanceUID="5", PatientName="Nobody", PatientID="", PatientComments="is ALLERGIC")
    async with await client_of(archive) as client:
        shown = await rows(client, **query)
        assert set(uids(shown)) == found
        told = (await client.get(f"/studies/count?{urlencode(query, doseq=True)}")).json()
    assert told["studies"] == 5
    assert told["matches"] in (len(found), None)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("Nonsense=1", "'Nonsense' is no attribute"),
        ("KVP=120", "is told of images"),
        ("order=colour", "studies are not sorted by 'colour'"),
        ("Status=READ", "Status is one of"),
        ("date=tomorrow", "date is one of"),
        ("from=1.1.2024", "from is a day such as"),
        ("limit=1000", "limit is a number from 1 to 200"),
        ("StudyDate=x", "'x'"),
        (f"PatientName={'x' * 201}", "200 characters"),
        ("after=1.2.3", "nothing '1.2.3' to come after"),
    ],
)
async def test_what_cannot_be_asked_is_told_in_a_sentence(archive, query: str, sentence: str) -> None:
    async with await client_of(archive) as client:
        answer = await client.get(f"/studies/rows?{query}")
    assert (answer.status_code, sentence in answer.json()["detail"]) == (400, True), answer.text


async def test_days_are_those_of_the_archive(archive, shelf) -> None:
    today = date.today()
    for days in (0, 1, 6, 7):
        await shelf.study(StudyInstanceUID=f"9.{days}", StudyDate=f"{today - timedelta(days=days):%Y%m%d}")
    async with await client_of(archive) as client:
        assert uids(await rows(client, date="today")) == ["9.0"]
        assert uids(await rows(client, date="yesterday")) == ["9.1"]
        assert uids(await rows(client, date="week")) == ["9.0", "9.1", "9.6"]


# -- order and pages -----------------------------------------------------------------------------------------------------
def a_study(chance: random.Random) -> dict[str, str]:
    return {
        "PatientName": chance.choice(NAMES),
        "PatientID": chance.choice(IDS),
        "StudyDate": chance.choice(["20230101", "20240229", ""]),
        "StudyTime": chance.choice(["0915", "101500", ""]),
        "StudyDescription": chance.choice(TEXTS),
        "AccessionNumber": chance.choice(["A1", "A2", ""]),
        "ReferringPhysicianName": chance.choice(["House^G", "Grey^M", ""]),
        "PatientBirthDate": chance.choice(["19700101", "19800101", ""]),
    }


async def in_order(archive, name: str) -> list[str]:
    """All studies as Python sorts their rows."""
    columns = [column.key for column in BY_NAME[name].columns]
    async with archive.app.db.reading() as connection:
        found = (await connection.execute(select(tables.study))).mappings().all()
    return [row["study_uid"] for row in sorted(found, key=lambda row: [row[column] for column in columns])]


async def test_pages_of_every_order_are_all_studies_once(archive, shelf) -> None:
    chance = random.Random(7)
    for number in range(37):
        groups = [
            [{"Modality": chance.choice(["CT", "MR"])}] * chance.randint(1, 3) for _ in range(chance.randint(1, 2))
        ]
        await shelf.study(*groups, StudyInstanceUID=f"1.{number}", **a_study(chance))
    await shelf.run("UPDATE core.study SET status = 'FINAL' WHERE id % 3 = 0")
    async with await client_of(archive) as client:
        for name in ORDERS:
            expected = await in_order(archive, name)
            for order, wanted in ((name, expected), (f"-{name}", expected[::-1])):
                assert await paged(client, order=order) == wanted, order
                some = await paged(client, order=order, PatientName="silva")
                assert some == [uid for uid in wanted if uid in set(some)] != [], order


async def paged(client: httpx.AsyncClient, **query: str) -> list[str]:
    found: list[str] = []
    while True:
        after = {"after": found[-1]} if found else {}
        answer = (await client.get(f"/studies/rows?{urlencode({**query, **after, 'limit': 8})}")).json()
        found += uids(answer["rows"])
        if not answer["more"]:
            return found


async def test_many_matches_are_not_sorted_by_what_no_index_sorts(archive, shelf, monkeypatch) -> None:
    from charrua_core.archive.search import orders

    monkeypatch.setattr(orders, "MOST_SORTED", 2)
    monkeypatch.setattr(orders, "WALK", 3)
    for number in range(6):
        await shelf.study(StudyInstanceUID=f"1.{number}", PatientName=f"Silva^{number}", StudyDescription=str(number))
    async with await client_of(archive) as client:
        refused = await client.get("/studies/rows?order=images")
        assert (refused.status_code, "name a date or a patient" in refused.json()["detail"]) == (413, True)
        assert uids(await rows(client, order="images", PatientName="3")) == []
        assert uids(await rows(client, order="-description", PatientName="silva", limit=2)) == ["1.5", "1.4"]
        assert await paged(client, order="-description", PatientName="silva") == [f"1.{n}" for n in range(5, -1, -1)]


# -- what a row says -----------------------------------------------------------------------------------------------------
async def test_a_row_tells_people_what_they_look_for(archive, shelf) -> None:
    await shelf.study(
        [{"Modality": "CT"}] * 2, [{"Modality": "SR"}],
        StudyInstanceUID="1.2", PatientName="Silva Pereira^María^José", PatientID="4.5", PatientSex="F",
        PatientBirthDate="19720101", StudyDate="20261123", StudyTime="104233.5", StudyDescription="<b>Abdomen</b>",
        AccessionNumber="A1", ReferringPhysicianName="Rodríguez^P^^Dr.",
    )  # fmt: skip
    async with await client_of(archive) as client:
        (row,) = await rows(client)
    assert (
        row["cells"]
        | {
            "patient": "Silva Pereira, María José",
            "status": "unread",
            "date": "2026-11-23 10:42",
            "modalities": "CT, SR",
            "description": "<b>Abdomen</b>",
            "images": "3",
            "series": "2",
            "patient_id": "4.5",
            "referring": "Rodríguez, Dr. P",
        }
        == row["cells"]
    )
    assert (row["about"], row["modalities"]) == ("F · 54 y", ["CT", "SR"])


async def test_a_filter_shows_and_counts_what_it_admits_alone(archive, shelf) -> None:
    await shelf.study([{"Modality": "CR"}], [{"Modality": "MR"}] * 5, StudyInstanceUID="1.1", PatientName="Both")
    await shelf.study([{"Modality": "MR"}], StudyInstanceUID="1.2", PatientName="Hidden")
    async with await client_of(archive, row_filter={"Modality": ["CR"]}) as client:
        (row,) = await rows(client, order="-images")
        told = (await client.get("/studies/count?PatientName=hidden")).json()
        details = (await client.get("/studies/1.1/details")).json()
        assert (row["uid"], row["modalities"], row["cells"]["images"], row["cells"]["series"]) == (
            "1.1",
            ["CR"],
            "1",
            "1",
        )
        assert (told["studies"], told["matches"]) == (1, 0)
        assert [series["modality"] for series in details["series"]] == ["CR"]
        assert await rows(client, SeriesInstanceUID="1.1.2") == []
        for path in ("details", "ledger", "series/1.2.1/images"):
            assert (await client.get(f"/studies/1.2/{path}")).status_code == 404


# -- exports -------------------------------------------------------------------------------------------------------------
async def test_a_table_for_spreadsheets_has_all_matches_and_no_formula(archive, shelf) -> None:
    for number, name in enumerate(("=1+1", "+SUM(A1)", "-2", "@x", "\t=1", "Núñez")):
        await shelf.study(StudyInstanceUID=f"1.{number}", StudyDescription=name, StudyDate="20240101")
    async with await client_of(archive) as client:
        answer = await client.get("/studies/list.csv?order=date&columns=description,date,nonsense")
    assert answer.headers["content-type"].startswith("text/csv")
    head, *lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert head == ["Description", "Date", "Study Instance UID"]
    assert [line[0] for line in lines] == ["'=1+1", "'+SUM(A1)", "'-2", "'@x", "'\t=1", "Núñez"]
    assert await noted(archive, form="csv") == {"110106": 1, "110112": 1}


async def test_a_document_lists_what_matches(archive, shelf) -> None:
    for number in range(3):
        await shelf.study(StudyInstanceUID=f"1.{number}", PatientName=f"Silva^{number}")
    async with await client_of(archive) as client:
        answer = await client.get("/studies/list.pdf?PatientName=silva")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF")
    assert await noted(archive, form="pdf") == {"110106": 1, "110112": 1}


async def test_the_same_question_asked_again_at_once_is_noted_once(archive, shelf) -> None:
    async with await client_of(archive) as client:
        for query in ("PatientName=a", "PatientName=a", "PatientName=b"):
            await client.get(f"/studies/rows?{query}")
    assert await noted(archive, form="list") == {"110112": 2}


async def noted(archive, **detail: str) -> dict[str, int]:
    """How many records of each event the audit trail has with this detail."""
    await archive.app.audit.flush()
    async with archive.app.db.reading() as connection:
        found = (await connection.execute(select(tables.audit))).mappings().all()
    events = [row["event"] for row in found if detail.items() <= row["detail"].items()]
    return {event: events.count(event) for event in sorted(set(events))}
