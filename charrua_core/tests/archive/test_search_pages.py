"""Pages of searches: their order, where each begins, and how many there are in all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from charrua_core.app import App
from charrua_core.archive.search import AnyItem, Between, Match, NoValue, OneOf, Query, count, search
from charrua_core.errors import QueryInvalid
from charrua_core.testing.shelf import Shelf
from charrua_core.types import SYSTEM, Identity, Level, RowFilter

NAME, STUDY_UID, SERIES_UID, SOP_UID = "00100010", "0020000D", "0020000E", "00080018"
UIDS = {Level.STUDY: STUDY_UID, Level.SERIES: SERIES_UID, Level.IMAGE: SOP_UID}
CT_ONLY = Identity("ct", "user", row_filters=(RowFilter({"Modality": ("CT",)}),))


@pytest_asyncio.fixture
async def shelf(archive_in_process: App) -> AsyncIterator[Shelf]:
    async with archive_in_process.db.driver() as connection:
        yield Shelf(connection)


@pytest.fixture
def page(archive_in_process: App) -> Callable[..., Any]:
    async def page(level: Level, who: Identity = SYSTEM, **query: Any) -> list[str]:
        """The UIDs of a page."""
        asked = Query(level, relational=True, **query)
        found = search(archive_in_process, asked, who)
        return [one.attributes[UIDS[level]]["Value"][0] async for one in found]

    return page


async def test_below_a_study_the_order_is_by_number(shelf: Shelf, page: Callable[..., Any]) -> None:
    numbers = [10, 9, "x", "", -1]
    series = [[{"SeriesNumber": number, "InstanceNumber": n} for n in (2, 10, 1)] for number in numbers]
    uid = await shelf.study(*series)
    of_study = {STUDY_UID: OneOf("UI", (uid,))}
    by_number = [f"{uid}.{place}" for place in (5, 2, 1, 3, 4)]
    assert await page(Level.SERIES, keys=of_study, by_number=True) == by_number
    images = [f"{one}.{place}" for one in by_number for place in (3, 1, 2)]
    assert await page(Level.IMAGE, keys=of_study, by_number=True) == images
    assert await page(Level.IMAGE, keys=of_study, by_number=True, offset=4, limit=3) == images[4:7]
    assert await page(Level.SERIES, keys=of_study, offset=1, limit=2) == [f"{uid}.2", f"{uid}.3"]


@pytest.mark.parametrize(
    ("level", "by_number"),
    [(Level.STUDY, False), (Level.SERIES, False), (Level.SERIES, True), (Level.IMAGE, False), (Level.IMAGE, True)],
)
async def test_a_walk_by_what_was_told_last_meets_all_once(
    shelf: Shelf, page: Callable[..., Any], level: Level, by_number: bool
) -> None:
    for number in range(5):
        await shelf.study([{"InstanceNumber": 2}, {"InstanceNumber": 1}], [{}], StudyDate=f"2024010{number % 2 + 1}")
    expected, met = await page(level, by_number=by_number), list[str]()
    while found := await page(level, by_number=by_number, limit=2, after=met[-1] if met else ""):
        met += found
        if level is Level.STUDY:
            await shelf.study([{}], StudyDate="20250101")
    assert met == expected
    assert await page(level, by_number=by_number, after=expected[0], offset=1, limit=2) == expected[2:4]


async def test_a_walk_goes_on_after_a_study_that_is_gone(shelf: Shelf, page: Callable[..., Any]) -> None:
    old, mid = await shelf.study(StudyDate="20240101"), await shelf.study(StudyDate="20240102")
    await shelf.run("update core.study set deleted_by = $1 where study_uid = $2", "0" * 32, mid)
    assert await page(Level.STUDY, after=mid) == [old]


async def test_nothing_comes_after_what_is_not_there_or_not_in_sight(shelf: Shelf, page: Callable[..., Any]) -> None:
    uid = await shelf.study([{"Modality": "MR"}])
    for level, after in ((Level.STUDY, uid), (Level.SERIES, f"{uid}.1"), (Level.IMAGE, f"{uid}.1.1")):
        with pytest.raises(QueryInvalid):
            await page(level, who=CT_ONLY, after=after)
        with pytest.raises(QueryInvalid):
            await page(level, after="1.2.3")


COUNTED: list[tuple[dict[str, Match], int | None]] = [
    ({}, 6),
    ({NAME: OneOf("PN", ("garcia*",))}, 3),
    ({NAME: OneOf("PN", ("*ar*a",))}, 1),
    ({NAME: OneOf("PN", ("garcia^ana",))}, 1),
    ({NAME: OneOf("PN", ("山*",))}, 2),
    ({NAME: OneOf("PN", ("*=山田",))}, 1),
    ({NAME: OneOf("PN", ("a*田",))}, 0),
    ({"00080020": Between("DA", "20240102", "")}, 2),
    ({"00080061": OneOf("CS", ("CT",)), NAME: OneOf("PN", ("?*",))}, 4),
    ({"00081030": NoValue("LO")}, 5),
    ({"00081032": AnyItem({"00080100": OneOf("SH", ("1",))})}, None),
]


async def test_what_matches_is_counted_as_it_is_found(
    archive_in_process: App, shelf: Shelf, page: Callable[..., Any]
) -> None:
    for name, date in (("García^Ana", "20240101"), ("Garcia^José", "20240102"), ("Garcias^X", "20240103")):
        await shelf.study([{"Modality": "CT"}], [{}], PatientName=name, StudyDate=date)
    await shelf.study([{"Modality": "MR"}], PatientName="Yamada^Tarou=山田^太郎", StudyDate="20230101")
    await shelf.study([{"Modality": "CT"}], PatientName="A^B=山田=や", StudyDate="20230101", StudyDescription="Thorax")
    await shelf.study([{"Modality": "US"}], PatientName="", StudyDate="20230101")
    for keys, expected in COUNTED:
        for level in UIDS:
            number = await count(archive_in_process, Query(level, keys=keys, relational=True), SYSTEM, 100)
            found = len(await page(level, keys=keys))
            assert number == (found if expected is not None else None), keys
            if level is Level.STUDY:
                assert number == expected, keys


async def test_counting_stops_where_it_is_told_to_and_sees_what_may_be_seen(
    archive_in_process: App, shelf: Shelf
) -> None:
    for modality in ("CT", "CT", "MR"):
        await shelf.study([{"Modality": modality}, {"Modality": modality}], PatientID=modality)
    for level, expected in ((Level.PATIENT, 1), (Level.STUDY, 2), (Level.SERIES, 2), (Level.IMAGE, 4)):
        query = Query(level, root="PATIENT", relational=True)
        assert await count(archive_in_process, query, CT_ONLY, 100) == expected
        assert await count(archive_in_process, query, SYSTEM, 1) == 1
