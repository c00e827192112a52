"""Files and rows on their way at once: a row is seen when its file lies where the row says, and never before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest

from charrua_core.archive.index import store as index_store
from charrua_core.archive.index.store import Index
from charrua_core.archive.ingest import storing as ingest_object
from charrua_core.errors import DatabaseUnavailable, StorageFailed
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.waiting import until


class Disk:
    """The volume's disk: slow as long as it is `held`; `outcome` changes what becomes of a placed file."""

    def __init__(self, volume, monkeypatch) -> None:
        self.busy = asyncio.Event()
        self.go_on = asyncio.Event()
        self.outcome: Callable = lambda place: place
        self._place = volume.place_many
        monkeypatch.setattr(volume, "place_many", self._placed)

    async def _placed(self, placings):
        self.busy.set()
        await self.go_on.wait()
        return [self.outcome(place) for place in await self._place(placings)]


@pytest.fixture
def disk(intake, monkeypatch):
    monkeypatch.setattr(index_store, "WORTH_BEGINNING_BYTES", 0)
    return Disk(intake.app.volumes.current, monkeypatch)


async def begun(intake) -> bool:
    """Whether the rows of a group are written and wait for their files."""
    waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%store_objects%'"
    async with intake.app.db.driver(reading=True) as connection:
        return bool(await connection.fetchval(waiting))


async def stored_while_held(intake, disk, image):
    storing = asyncio.create_task(intake(image))
    await disk.busy.wait()
    await until(lambda: begun(intake))
    return storing


async def test_a_row_is_written_while_its_file_is_flushed_and_seen_only_after(intake, disk):
    storing = await stored_while_held(intake, disk, an_object())
    assert await intake.rows("instance") == [] and not storing.done()
    disk.go_on.set()
    assert (await storing).status == "stored"
    assert len(await intake.rows("instance")) == 1


async def test_a_file_that_fails_takes_its_row_with_it_and_no_other(intake, disk):
    disk.go_on.set()
    good, bad = an_object(), an_object()
    disk.outcome = lambda place: StorageFailed("the disk") if bad.SOPInstanceUID in place else place
    stored, failed = await asyncio.gather(intake(good), intake(bad), return_exceptions=True)
    assert stored.status == "stored" and isinstance(failed, StorageFailed)
    assert [row["sop_instance_uid"] for row in await intake.rows("instance")] == [good.SOPInstanceUID]
    assert len(await intake.rows("study")) == 1


async def test_a_row_says_where_the_file_lies_though_its_name_was_taken(intake, disk):
    image = an_object()
    storing = await stored_while_held(intake, disk, image)
    taken = intake.root / f"{datetime.now(UTC):%Y/%m/%d}/{image.StudyInstanceUID}/{image.SeriesInstanceUID}"
    taken.mkdir(parents=True)
    (taken / f"{image.SOPInstanceUID}.dcm").write_bytes(b"left by a crash")
    disk.go_on.set()
    assert (await storing).status == "stored"
    [row] = await intake.rows("instance")
    assert row["path"].endswith("-2.dcm") and (intake.root / row["path"]).stat().st_size == row["size_bytes"]


async def test_a_disk_that_takes_long_locks_no_study_and_loses_nothing(intake, disk, monkeypatch):
    monkeypatch.setattr(index_store, "_HELD_AT_MOST", "100ms")
    storing = await stored_while_held(intake, disk, an_object())

    async def ended() -> bool:
        return not await begun(intake)

    await until(ended)
    disk.go_on.set()
    assert (await storing).status == "stored"
    assert len(await intake.rows("instance")) == len(intake.files()) == 1


async def test_a_database_that_dies_meanwhile_gets_the_row_again(intake, disk):
    storing = await stored_while_held(intake, disk, an_object())
    await intake.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()"
    )
    disk.go_on.set()
    assert (await storing).status == "stored"
    assert len(await intake.rows("instance")) == 1


async def test_a_study_that_comes_at_once_over_many_associations_is_whole(intake):
    images = a_study(images=40)
    outcomes = await asyncio.gather(*(intake(image, f"a{number % 8}") for number, image in enumerate(images)))
    assert {outcome.status for outcome in outcomes} == {"stored"}
    [study] = await intake.rows("study")
    assert study["instance_count"] == len(await intake.rows("instance")) == len(intake.files()) == 40


def stale(monkeypatch, times: int) -> None:
    """The index finds so often that the judge has not seen the study as it is."""
    left = [None] * times
    store = Index.store

    async def stored(self, group, places, audits=()):
        if left:
            left.pop()
            await places.wait()
            return ["stale"] * len(group)
        return await store(self, group, places, audits)

    monkeypatch.setattr(Index, "store", stored)


async def test_an_object_waits_for_a_study_that_keeps_changing(intake, monkeypatch):
    stale(monkeypatch, times=8)
    assert (await intake(an_object())).status == "stored"
    assert len(intake.files()) == len(await intake.rows("instance")) == 1


async def test_its_sender_is_told_to_try_later_where_the_study_does_not_come_to_rest(intake, monkeypatch):
    monkeypatch.setattr(ingest_object, "PATIENCE_S", 0.2)
    stale(monkeypatch, times=10_000)
    with pytest.raises(DatabaseUnavailable) as refused:
        await intake(an_object())
    assert refused.value.dimse_status == 0xA700
    assert intake.files() == intake.spooled() == []


async def test_a_commit_that_the_database_answers_with_a_rollback_is_no_commit(intake, disk):
    storing = await stored_while_held(intake, disk, an_object())
    with pytest.raises(asyncpg.DivisionByZeroError):  # whatever aborts the open transaction
        await intake.app.ingest._index._connection.execute("SELECT 1 / 0")
    disk.go_on.set()
    assert (await storing).status == "stored"
    assert len(await intake.rows("instance")) == 1
