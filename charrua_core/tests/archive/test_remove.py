"""Deleting, undoing it, and the files that go in the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from charrua_core.archive import remove
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.errors import EditInvalid, NotPermitted, StorageFailed, StudyNotFound
from charrua_core.testing.objects import a_study
from charrua_core.types import SYSTEM, Identity, Level


@pytest.fixture
async def study(intake):
    """Two series of two images."""
    objects = a_study(series=2, images=2)
    for image in objects:
        await intake(image)
    return objects


async def counts(intake):
    [row] = await intake.rows("study")
    return row["series_count"], row["instance_count"]


async def test_a_deleted_study_is_out_of_sight_and_its_files_stay(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    for table in ("study", "series", "instance"):
        assert {str(row["deleted_by"]) for row in await intake.rows(table)} == {record.id}
    assert len(intake.files()) == 4


async def test_a_deleted_series_or_image_is_no_longer_counted(intake, study):
    await remove.delete(intake.app, SYSTEM, Level.IMAGE, study[0].SOPInstanceUID)
    assert await counts(intake) == (2, 3)
    await remove.delete(intake.app, SYSTEM, Level.SERIES, study[2].SeriesInstanceUID)
    assert await counts(intake) == (1, 1)
    with pytest.raises(StudyNotFound):
        await remove.delete(intake.app, SYSTEM, Level.SERIES, study[2].SeriesInstanceUID)


async def test_undoing_a_deletion_brings_the_rows_back_as_they_were(intake, study):
    before = [await intake.rows(table) for table in ("study", "series", "instance")]
    for level, uid in ((Level.STUDY, study[0].StudyInstanceUID), (Level.IMAGE, study[0].SOPInstanceUID)):
        record = await remove.delete(intake.app, SYSTEM, level, uid)
        await edit_undo.undo(intake.app, SYSTEM, record.id)
        assert [await intake.rows(table) for table in ("study", "series", "instance")] == before


async def test_the_files_are_due_to_go_when_the_deletion_can_no_longer_be_undone(intake, study):
    await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    [job] = await intake.app.jobs.list(kind="purge")
    away = job.run_at - datetime.now(UTC)
    assert timedelta(days=29.9) < away < timedelta(days=30.1)


async def test_purging_removes_files_and_rows_and_is_final(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    assert await remove.purge(intake.app, record.id) == 4
    assert intake.files() == []
    assert [await intake.rows(table) for table in ("study", "series", "instance")] == [[], [], []]
    with pytest.raises(EditInvalid, match="removed"):
        await edit_undo.undo(intake.app, SYSTEM, record.id)
    assert await remove.purge(intake.app, record.id) == 0


async def test_what_was_undone_is_not_purged(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    await edit_undo.undo(intake.app, SYSTEM, record.id)
    assert await remove.purge(intake.app, record.id) == 0
    assert len(intake.files()) == 4


async def test_a_purge_that_was_broken_off_goes_on(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    intake.files()[0].unlink()
    assert await remove.purge(intake.app, record.id) == 4
    assert await intake.rows("instance") == []


async def test_a_purge_that_goes_on_leaves_alone_what_has_come_in_the_meantime(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    for path in intake.files():
        path.unlink()
    await intake(study[0])  # gets the place of the one that was removed
    assert await remove.purge(intake.app, record.id) == 4
    [row] = await intake.rows("instance")
    assert [path.relative_to(intake.root).as_posix() for path in intake.files()] == [row["path"]]


async def test_a_file_that_cannot_be_removed_keeps_no_other_from_going(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    stuck = intake.files()[0]
    stuck.unlink()
    stuck.mkdir()  # unlinking a folder fails, for root too
    with pytest.raises(StorageFailed, match="1 of 4"):
        await remove.purge(intake.app, record.id)
    assert len(await intake.rows("instance")) == 1
    stuck.rmdir()
    assert await remove.purge(intake.app, record.id) == 1


async def test_nothing_is_purged_while_the_disk_of_the_volume_is_not_mounted(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    away = intake.root.with_name("away")
    intake.root.rename(away)
    try:
        with pytest.raises(StorageFailed, match="mounted"):
            await intake.app.volumes.current.remove((await intake.rows("instance"))[0]["path"])
        with pytest.raises(StorageFailed, match="mounted"):
            await remove.purge(intake.app, record.id)
    finally:
        away.rename(intake.root)
    assert await remove.purge(intake.app, record.id) == 4


async def test_a_deleted_object_that_is_sent_again_is_there_again(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    assert (await intake(study[0])).status == "stored"
    assert await counts(intake) == (1, 1)
    await remove.purge(intake.app, record.id)
    assert await counts(intake) == (1, 1)
    [instance] = await intake.rows("instance")
    assert (instance["version"], instance["current"], len(intake.files())) == (1, True, 1)


async def test_undoing_a_deletion_after_the_object_came_again_shows_the_newer_one(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.IMAGE, study[0].SOPInstanceUID)
    await intake(study[0])
    await edit_undo.undo(intake.app, SYSTEM, record.id)
    versions = [row for row in await intake.rows("instance") if row["sop_instance_uid"] == study[0].SOPInstanceUID]
    assert [(row["version"], row["current"]) for row in versions] == [(1, False), (2, True)]
    assert await counts(intake) == (2, 4)


async def test_deleting_while_objects_arrive_leaves_the_counts_true(intake, study):
    more = a_study(images=10, StudyInstanceUID=study[0].StudyInstanceUID)
    await asyncio.gather(
        remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID), *(intake(one) for one in more)
    )
    shown = [row for row in await intake.rows("instance") if row["deleted_by"] is None]
    assert (await counts(intake))[1] == len(shown)


async def test_only_who_may_delete_deletes_and_brings_back(intake, study):
    editor = Identity("maria", "user", permissions=frozenset({"edit"}))
    with pytest.raises(NotPermitted):
        await remove.delete(intake.app, editor, Level.STUDY, study[0].StudyInstanceUID)
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID)
    with pytest.raises(NotPermitted):
        await edit_undo.undo(intake.app, editor, record.id)


async def test_a_purge_that_goes_on_spares_an_object_that_came_again_under_the_same_name(intake, study):
    record = await remove.delete(intake.app, SYSTEM, Level.IMAGE, study[0].SOPInstanceUID)
    [path] = [path for path in intake.files() if study[0].SOPInstanceUID in path.name]
    path.unlink()  # as far as a purge came before it was broken off
    await intake(study[0])
    assert path.exists()
    assert await remove.purge(intake.app, record.id) == 1
    assert path.exists()
    assert await counts(intake) == (2, 4)


async def test_one_process_at_a_time_purges(intake_of):
    one, other = await intake_of(), await intake_of()
    [image] = a_study()
    await one(image)
    record = await remove.delete(one.app, SYSTEM, Level.STUDY, image.StudyInstanceUID)
    async with one.app.db.singleton(f"purge {record.id}"):
        with pytest.raises(StorageFailed, match="another process"):
            await remove.purge(other.app, record.id)
