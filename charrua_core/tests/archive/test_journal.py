"""The journal beside the objects: on disk before the commit, true after a failure, readable after a power cut."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from charrua_core import faults
from charrua_core.archive.edit import edit, journal
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.journal import Aborted, Damaged, JournalAhead
from charrua_core.archive.edit.record import Record
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import StorageFailed
from charrua_core.storage.volume import MARKER
from charrua_core.testing.objects import an_object
from charrua_core.types import SYSTEM, Level


@pytest.fixture(autouse=True)
def no_faults():
    yield
    faults.arm("")


async def an_edit(intake):
    image = an_object()
    await intake(image)
    return await edit.edit(intake.app, SYSTEM, Level.STUDY, image.StudyInstanceUID, from_keywords({"StudyID": "2"}))


def lines(intake):
    return [line for path in journal.files(intake.root) for line in journal.read(path)]


def a_record(kind="edit"):
    return Record.new(kind, "test", {"study_uids": ["1.2"]})


async def test_each_edit_is_a_line_that_a_person_can_read(intake):
    record = await an_edit(intake)
    [path] = journal.files(intake.root)
    told = json.loads(path.read_text())
    assert (told["id"], told["made_by"], told["kind"]) == (record.id, "charrua", "edit")
    assert told["after"]["attributes"]["00200010"]["Value"] == ["2"]


async def test_the_journal_has_the_edits_in_the_order_of_their_commits(intake):
    image = an_object()
    await intake(image)
    values = [from_keywords({"StudyID": str(number)}) for number in range(20)]
    uid = image.StudyInstanceUID
    await asyncio.gather(*(edit.edit(intake.app, SYSTEM, Level.STUDY, uid, value) for value in values))
    assert [line.id for line in lines(intake)] == [str(row["id"]) for row in await intake.rows("edit", "seq")]
    [study] = await intake.rows("study")
    assert lines(intake)[-1].after["attributes"]["00200010"]["Value"] == [study["study_id"]]


async def test_an_edit_whose_transaction_fails_is_marked_as_aborted(intake):
    faults.arm("before_commit:2:eio")  # the first is that of the object
    with pytest.raises(OSError, match="before_commit"):
        await an_edit(intake)
    [record, aborted] = lines(intake)
    assert aborted == Aborted(record.id)
    assert await intake.rows("edit") == []


async def test_an_edit_fails_where_the_journal_cannot_be_written(intake):
    (intake.root / "journal").write_text("in the way")
    with pytest.raises(StorageFailed):
        await an_edit(intake)
    assert await intake.rows("edit") == []
    [study] = await intake.rows("study")
    assert study["study_id"] == "1"


async def test_an_edit_fails_while_the_disk_of_the_volume_is_not_mounted(intake):
    mark = intake.root / MARKER
    mark.unlink()  # as the folder looks that the disk was mounted over
    with pytest.raises(StorageFailed, match="mounted"):
        await an_edit(intake)
    assert await intake.rows("edit") == [] and not (intake.root / "journal").exists()
    mark.touch()
    await an_edit(intake)


async def test_what_a_crash_left_without_its_row_is_marked_at_the_next_start(intake):
    kept = await an_edit(intake)
    lost = a_record()
    await journal.append(intake.app.volumes.current, [lost])
    assert await journal.reconcile(intake.app.db, intake.app.volumes.all()) == 1
    assert await journal.reconcile(intake.app.db, intake.app.volumes.all()) == 0
    assert [line.id for line in lines(intake)] == [kept.id, lost.id, lost.id]


async def test_edits_that_a_restored_database_lost_are_not_marked_as_never_made(intake):
    await an_edit(intake)
    await journal.append(intake.app.volumes.current, [a_record() for _ in range(4)])
    before = lines(intake)
    with pytest.raises(JournalAhead, match="last 4 edits"):
        await journal.reconcile(intake.app.db, intake.app.volumes.all())
    assert lines(intake) == before


async def test_records_from_before_a_new_database_are_not_taken_for_lost(intake):
    await journal.append(intake.app.volumes.current, [a_record()])
    await intake.run("UPDATE core.volume SET opened_at = now() + interval '1 second'")
    assert await journal.reconcile(intake.app.db, intake.app.volumes.all()) == 0


async def test_a_torn_line_is_told_and_costs_no_other(intake):
    first = await an_edit(intake)
    [path] = journal.files(intake.root)
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    second = await edit_undo.undo(intake.app, SYSTEM, first.id)
    found = lines(intake)
    assert [line.id for line in found if isinstance(line, Record)] == [first.id, second.id]
    assert [line for line in found if isinstance(line, Damaged)] == [Damaged(path, 2)]


WRITER = """
import asyncio, sys, types, pathlib
from charrua_core.archive.edit import journal
volume = types.SimpleNamespace(root=pathlib.Path(sys.argv[1]))
for one in range(50):
    record = journal.Record.new("edit", "writer", {"study_uids": ["1.2"] * 200})
    asyncio.run(journal.append(volume, [record]))
"""


async def test_processes_that_append_at_once_do_not_mix_their_lines(tmp_path):
    (tmp_path / MARKER).touch()
    command = (sys.executable, "-c", WRITER, str(tmp_path))
    writers = [await asyncio.create_subprocess_exec(*command) for _ in range(3)]
    assert [await writer.wait() for writer in writers] == [0, 0, 0]
    found = [line for path in journal.files(tmp_path) for line in journal.read(path)]
    assert len(found) == 150 and all(isinstance(line, Record) for line in found)
