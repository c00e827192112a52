"""Searches use their indexes: asserted of the plans over 20,000 studies that look like a hospital's."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql

from charrua_core import db as db_module
from charrua_core.archive.search import Between, Match, OneOf, Query, Words, orders
from charrua_core.archive.search import statements as s
from charrua_core.archive.search.counted import STORED
from charrua_core.archive.search.plan import Plan, plan_of
from charrua_core.db import Database
from charrua_core.settings import Settings
from charrua_core.settings.core import SETTINGS
from charrua_core.types import SYSTEM, Level

STUDIES = 20_000
FILLER = Path(__file__).parent.parent / "benchmarks" / "fill_index.py"
NAME, PATIENT_ID, DATE, UID = "00100010", "00100020", "00080020", "0020000D"


@pytest.fixture(scope="module")
def filled_url(postgresql_server) -> Iterator[str]:
    """The URL of a database with studies in it, filled once."""
    url = postgresql_server.fresh()
    with ThreadPoolExecutor(1) as thread:  # in a loop of its own
        thread.submit(asyncio.run, _fill(url)).result()
    yield url
    postgresql_server.drop(url)


async def _fill(url: str) -> None:
    spec = importlib.util.spec_from_file_location("fill_index", FILLER)
    assert spec is not None
    assert spec.loader is not None
    filler = importlib.util.module_from_spec(spec)
    sys.modules["fill_index"] = filler
    spec.loader.exec_module(filler)
    async with opened(url) as db, db.driver() as connection:
        await filler.fill(connection, STUDIES)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    db = await Database.open(Settings.load([*SETTINGS, *db_module.SETTINGS], {"CHARRUA_DATABASE_URL": url}, {}))
    try:
        yield db
    finally:
        await db.close()


@pytest_asyncio.fixture
async def filled(filled_url: str) -> AsyncIterator[Database]:
    """That database, opened."""
    async with opened(filled_url) as db:
        yield db


def planned(level: Level = Level.STUDY, **keys: Match) -> Plan:
    by_tag = {tag.removeprefix("t"): match for tag, match in keys.items()}
    root = "PATIENT" if level is Level.PATIENT else "STUDY"
    return plan_of(Query(level, root, keys=by_tag, relational=True), SYSTEM, True)


async def indexes(db, statement: Select[Any]) -> set[str]:
    """The indexes that the plan uses, and the tables that it reads from end to end."""
    options: Any = {"literal_binds": True}
    sql = str(statement.compile(dialect=postgresql.dialect(paramstyle="named"), compile_kwargs=options))
    async with db.driver(reading=True) as connection:
        lines: Sequence[str] = [row[0] for row in await connection.fetch(f"EXPLAIN {sql}")]
    words = [line.split() for line in lines]
    found = {line[line.index("using") + 1] for line in words if "using" in line}
    found |= {line[line.index("on") + 1] for line in words if "Bitmap" in line and "Index" in line}
    return found | {f"all of {line[line.index('on') + 1]}" for line in words if "Seq" in line}


async def test_each_search_has_its_index(filled):
    name, infix = planned(t00100010=OneOf("PN", ("smith*",))), planned(t00100010=OneOf("PN", ("*mith^ma*",)))
    month = planned(t00080020=Between("DA", "20160201", "20160229"))
    patient = planned(Level.PATIENT, t00100010=OneOf("PN", ("zu*",)))
    cases = {
        "no filter": (s.study_page([], None, 100), "study_by_date"),
        "page by keyset": (s.study_page([], ("20160301", "1000", 5), 100), "study_by_date"),
        "month": (s.study_page(month.chosen, None, 100), "study_by_date"),
        "uid": (s.study_page(planned(t0020000D=OneOf("UI", ("1.2",))).chosen, None, 100), "study_study_uid_key"),
        "patient": (s.study_page(planned(t00100020=OneOf("LO", ("1",))).chosen, None, 100), "study_by_patient"),
        "accession": (
            s.study_page(planned(t00080050=OneOf("SH", ("A000000007",))).chosen, None, 100),
            "study_by_accession_number",
        ),
        "name begins": (s.chosen_studies(name.chosen, None, 100), "study_by_name"),
        "name holds": (s.chosen_studies(infix.chosen, None, 100), "study_by_grams"),
        "newest of a name": (s.newest_studies(name.named.clause, [], [], None, 5000, 100), "study_by_date"),
        "patients": (s.patient_page([], None, 100), "study_by_patient"),
        "patients of a name": (s.next_patients(patient.named.clause, None, 5000, 100), "study_by_patient"),
    }
    used = {case: await indexes(filled, statement) for case, (statement, _) in cases.items()}
    assert {case: index for case, (_, index) in cases.items() if index not in used[case]} == {}
    assert {case: read for case, read in used.items() if "all of study" in read} == {}


PLACES = {"received": datetime(2026, 1, 1, tzinfo=UTC)}
"""Where a page begins in an order whose first column is no text."""


async def test_each_order_of_the_study_list_has_its_index_both_ways_and_from_any_place(filled):
    for name, order in orders.ORDERS.items():
        if not order.index:
            continue
        place = (PLACES.get(name, "M"), *("" for _ in order.columns[1:-1]), 7)
        for ascending in (True, False):
            for after in (None, place):
                page = orders.walk_page(order, ascending, [], after, 50, STORED)
                used = await indexes(filled, page)
                assert (name, ascending, after, order.index in used) == (name, ascending, after, True)
                assert "all of study" not in used


async def test_what_people_type_has_its_index(filled):
    cases = {
        "name": (NAME, Words("PN", ("smith", "ma")), "study_by_grams"),
        "a letter of a name": (NAME, Words("PN", ("z",)), "study_by_name"),
        "id": (PATIENT_ID, Words("LO", ("123",)), "study_by_grams"),
        "two digits of an id": (PATIENT_ID, Words("LO", ("99",)), "study_by_patient"),
        "accession": ("00080050", Words("SH", ("0007",)), "study_by_grams"),
        "a letter of an accession": ("00080050", Words("SH", ("Z",)), "study_by_accession_number"),
        "description": ("00081030", Words("LO", ("mamo", "de")), "study_by_grams"),
        "a letter of a description": ("00081030", Words("LO", ("z",)), "study_by_description"),
        "referring": ("00080090", Words("PN", ("cohen",)), "study_by_grams"),
        "a letter of a referring": ("00080090", Words("PN", ("zz",)), "study_by_referring"),
    }
    for case, (tag, match, index) in cases.items():
        plan = planned(**{f"t{tag}": match})
        used = await indexes(filled, s.chosen_studies(plan.chosen, None, 51))
        assert (case, index in used, "all of study" in used) == (case, True, False), used


async def test_a_rare_status_has_its_index(filled):
    async with filled.driver() as connection:
        await connection.execute("UPDATE core.study SET status = 'DICTATED' WHERE id % 5000 = 0")
        await connection.execute("ANALYZE core.study")
    plan = plan_of(Query(Level.STUDY, statuses=frozenset({"DICTATED"})), SYSTEM, True)
    assert "study_by_status" in await indexes(filled, s.study_page(plan.chosen, None, 51))
