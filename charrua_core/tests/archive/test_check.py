"""Index and volumes compared: everything that is wrong is found, and nothing else."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress

import pytest

from charrua_core.archive import remove
from charrua_core.archive.check import strays
from charrua_core.archive.check.check import check
from charrua_core.archive.regenerate import regenerate
from charrua_core.archive.regenerate.regenerate import RegenerationRuns
from charrua_core.testing.objects import a_study, an_object, part10
from charrua_core.types import SYSTEM, Level


async def found(intake, **options):
    """What the check finds, as (kind, file name)."""
    done = await check(intake.app, grace_s=0, **options)
    return sorted((one.kind, one.path.rpartition("/")[2]) for one in done.findings)


@pytest.fixture
async def stored(intake):
    """The files of a study of three images."""
    for image in a_study(images=3):
        await intake(image)
    return intake.files()


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        [byte] = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


async def test_a_sound_archive_has_no_findings(intake, stored):
    done = await check(intake.app, grace_s=0)
    assert (done.objects, done.files, done.findings) == (3, 3, [])
    assert done.size_bytes == sum(path.stat().st_size for path in stored)


async def test_a_file_that_is_gone_is_missing(intake, stored):
    stored[0].unlink()
    assert await found(intake, quick=True) == [("missing", stored[0].name)]


@pytest.mark.parametrize("offset", [10, -1], ids=["in the file meta information", "in the data set"])
async def test_one_flipped_bit_is_damage_that_a_quick_check_cannot_see(intake, stored, offset):
    flip(stored[0], offset % stored[0].stat().st_size)
    assert await found(intake) == [("damaged", stored[0].name)]
    assert await found(intake, quick=True) == []


async def test_a_truncated_file_is_damaged_at_a_glance(intake, stored):
    with stored[0].open("r+b") as file:
        file.truncate(100)
    assert await found(intake, quick=True) == [("damaged", stored[0].name)]


async def test_files_that_were_exchanged_are_both_damaged(intake, stored):
    one, other = stored[0].read_bytes(), stored[1].read_bytes()
    stored[0].write_bytes(other)
    stored[1].write_bytes(one)
    assert await found(intake) == sorted(("damaged", path.name) for path in stored[:2])


async def test_a_file_that_no_object_speaks_of_is_a_stray_under_any_name(intake, stored):
    copy = stored[0].with_name("copy.dcm")
    shutil.copy(stored[0], copy)
    (intake.root / "notes").mkdir()
    (intake.root / "notes" / "read.me").write_text("no object")
    assert await found(intake) == [("stray", "copy.dcm"), ("stray", "read.me")]


async def test_objects_on_their_way_in_are_no_strays(intake):
    async def arriving():
        for image in a_study(images=30):
            await intake(image)

    arrival = asyncio.create_task(arriving())
    while not arrival.done():
        assert (await check(intake.app, quick=True, grace_s=0.5)).findings == []
    await arrival


async def test_deleted_objects_are_looked_at_until_their_files_go(intake, stored):
    record = await remove.delete(intake.app, SYSTEM, Level.STUDY, (await intake.rows("study"))[0]["study_uid"])
    stored[0].unlink()
    assert await found(intake) == [("missing", stored[0].name)]
    await remove.purge(intake.app, record.id)
    assert await found(intake) == []


async def test_what_a_dead_process_left_in_the_spool_and_a_torn_journal_are_told(intake):
    (intake.root / "spool" / "1-abcd").mkdir()
    (intake.root / "journal").mkdir()
    (intake.root / "journal" / "2026-01.jsonl").write_text("torn")
    assert await found(intake) == [("journal", "2026-01.jsonl"), ("spool", "1-abcd")]


async def test_strays_are_removed_on_demand_and_nothing_else(intake, stored):
    stray = stored[0].with_name("copy.dcm")
    shutil.copy(stored[0], stray)
    stored[1].unlink()
    done = await check(intake.app, grace_s=0)
    assert await strays.remove_strays(intake.app, done.findings) == []  # its row may be on its way
    removed = await strays.remove_strays(intake.app, done.findings, age_s=0)
    assert [one.path.rpartition("/")[2] for one in removed] == ["copy.dcm"]
    assert intake.files() == [stored[0], stored[2]]


async def test_no_file_is_removed_that_only_a_regeneration_would_find(intake, stored):
    await intake.run("DELETE FROM core.instance")
    await intake.run("UPDATE core.volume SET opened_at = now()")  # a new database
    done = await check(intake.app, grace_s=0)
    assert len(done.findings) == 3
    assert await strays.remove_strays(intake.app, done.findings, age_s=0) == []
    with suppress(KeyboardInterrupt):
        await regenerate.regenerate(intake.app, interrupted)
    with pytest.raises(RegenerationRuns):
        await strays.remove_strays(intake.app, done.findings, age_s=0)
    await regenerate.regenerate(intake.app)
    assert await found(intake) == []


def interrupted(done):
    raise KeyboardInterrupt


async def test_strays_are_adopted_as_objects_unless_the_index_has_them(intake, stored):
    shutil.copy(stored[0], stored[0].with_name("copy.dcm"))
    lost = intake.root / "lost" / "IM1"
    lost.parent.mkdir()
    lost.write_bytes(part10(an_object(PatientID="lost")))
    done = await check(intake.app, grace_s=0)
    assert [one.path for one in await strays.adopt_strays(intake.app, done.findings)] == ["lost/IM1"]
    assert "lost" in [row["patient_id"] for row in await intake.rows("study")]
    assert len(await intake.rows("change", "seq")) == 4
    assert await found(intake) == [("stray", "copy.dcm")]
