"""Objects that arrive while an edit of their series is about to commit."""

from __future__ import annotations

import asyncio

import pytest

from charrua_core.archive import remove
from charrua_core.archive.edit import edit, journal
from charrua_core.archive.edit.effective import refresh
from charrua_core.archive.index.studies import KnownStudy
from charrua_core.errors import CharruaError
from charrua_core.testing.objects import a_study
from charrua_core.types import SYSTEM, Level, StudyIdentity

LONG_ENOUGH_S = 0.5  # for an object to wait for the lock that the edit holds


@pytest.fixture
def before_commit(monkeypatch):
    """A function that makes an edit, and something else while the edit is about to commit."""
    append = journal.append

    async def during(an_edit, meanwhile):
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def held(volume, records):
            begun.set()
            await go_on.wait()
            await append(volume, records)

        monkeypatch.setattr(journal, "append", held)
        editing = asyncio.create_task(an_edit)
        await begun.wait()
        other = asyncio.create_task(meanwhile)
        await asyncio.sleep(LONG_ENOUGH_S)
        go_on.set()
        await asyncio.gather(editing, other)

    return during


async def summed_up(intake):
    """The rows of studies and series as they are, and as their objects say."""
    now = [await intake.rows(table) for table in ("study", "series")]
    async with intake.app.db.transaction() as tx:
        await refresh(tx, [row["study_uid"] for row in now[0]])
    return now, [await intake.rows(table) for table in ("study", "series")]


async def test_an_object_is_seen_that_comes_while_its_series_is_deleted(intake, before_commit):
    first, second, _, other = a_study(series=2, images=2)
    for image in (first, other):
        await intake(image)
    await before_commit(remove.delete(intake.app, SYSTEM, Level.SERIES, first.SeriesInstanceUID), intake(second))
    [series] = [row for row in await intake.rows("series") if row["series_uid"] == first.SeriesInstanceUID]
    assert (series["deleted_by"], series["instance_count"]) == (None, 1)
    now, should_be = await summed_up(intake)
    assert now == should_be


async def test_an_object_is_counted_that_comes_while_its_series_is_assigned(intake, before_commit):
    first, second, _, other = a_study(series=2, images=2)
    [target] = a_study(images=1)
    for image in (first, other, target):
        await intake(image)
    moving = edit.assign_series(intake.app, SYSTEM, first.SeriesInstanceUID, target.StudyInstanceUID)
    await before_commit(moving, intake(second))
    now, should_be = await summed_up(intake)
    assert now == should_be


async def test_an_object_is_stored_that_comes_while_its_series_is_purged(intake, before_commit):
    first, second, _, other = a_study(series=2, images=2)
    for image in (first, other):
        await intake(image)
    await remove.purge(intake.app, (await remove.delete(intake.app, SYSTEM, Level.SERIES, first.SeriesInstanceUID)).id)
    assert (await intake(second)).status == "stored"
    now, should_be = await summed_up(intake)
    assert now == should_be


async def test_no_empty_study_is_left_of_an_object_that_did_not_come_in(intake):
    image = a_study(images=1)[0]
    uid = str(image.StudyInstanceUID)
    another = KnownStudy("0815\\\\Roe", StudyIdentity(uid, "0815", "", "Roe"))
    intake.app.ingest._desk.coming[uid] = another  # its first object, which never comes
    with pytest.raises(CharruaError, match="faster"):
        await intake(image)
    assert [await intake.rows(table) for table in ("study", "series")] == [[], []]
    assert not intake.files()
    del intake.app.ingest._desk.coming[uid]
    assert (await intake(image)).status == "stored"
