"""The index built anew from the volumes alone is the index as it was, whatever was done to the archive."""

from __future__ import annotations

import copy
import os
import shutil
from itertools import chain

import pytest

from charrua_core.archive import remove
from charrua_core.archive.edit import edit, effective
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.series import edit_series, split
from charrua_core.archive.edit.status import set_status
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.index.dump import dump
from charrua_core.archive.regenerate import regenerate
from charrua_core.archive.regenerate.regenerate import RegenerationRuns
from charrua_core.errors import StorageFailed
from charrua_core.testing.daily import is_todays
from charrua_core.testing.objects import a_study, an_object, part10
from charrua_core.types import SYSTEM, Level

COERCING = """
@hookimpl
def coerce_object(candidate):
    return [Coercion({"00080080": {"vr": "LO", "Value": ["Norte"]}, "00200010": {"vr": "SH", "Value": ["C"]}}, "site")]
"""


async def lines(intake):
    return [line async for line in dump(intake.app.db)]


async def regenerated(intake):
    """The index is lost, and built anew."""
    await intake.run("TRUNCATE core.study, core.series, core.instance, core.edit, core.job")
    return await regenerate.regenerate(intake.app)


class Story:
    """An archive with three studies of two series, to which things happen."""

    def __init__(self, intake):
        self.intake, self.app = intake, intake.app
        self.studies = [a_study(series=2, images=2, PatientID=f"P{number}") for number in range(3)]
        self.uids = [str(study[0].StudyInstanceUID) for study in self.studies]

    async def begin(self):
        for image in chain.from_iterable(self.studies):
            await self.intake(image)

    def series(self, study, number):
        return str(self.studies[study][2 * number].SeriesInstanceUID)

    async def change(self, level, uid, **values):
        return await edit.edit(self.app, SYSTEM, level, uid, from_keywords(values))

    async def undo(self, record):
        await edit_undo.undo(self.app, SYSTEM, record.id)

    async def delete(self, level, uid):
        return await remove.delete(self.app, SYSTEM, level, uid)


async def nothing(story):
    pass


async def objects_again_with_other_bytes(story):
    for image in story.studies[0]:
        other = copy.deepcopy(image)
        other.PatientName = "Corrected^Name"
        await story.intake(image)
        await story.intake(other)


async def the_same_object_in_another_study(story):
    image = copy.deepcopy(story.studies[0][0])
    image.StudyInstanceUID, image.SeriesInstanceUID = story.uids[1], story.series(1, 0)
    await story.intake(image)


async def edits(story):
    await story.change(Level.STUDY, story.uids[0], PatientName="Müller^Hans", StudyDescription=None)
    await story.change(Level.STUDY, story.uids[0], PatientName="Miller^John")
    await story.change(Level.SERIES, story.series(0, 0), Modality="MR")
    await story.change(Level.IMAGE, story.studies[0][0].SOPInstanceUID, InstanceNumber="9")
    await edit.assign_study(story.app, SYSTEM, story.uids[1], edit.Patient("0815", "SOUTH", "Roe^Richard"))


async def edits_undone(story):
    for level, uid, values in (
        (Level.STUDY, story.uids[0], {"StudyID": "7"}),
        (Level.SERIES, story.series(0, 0), {"Modality": "MR"}),
        (Level.IMAGE, story.studies[0][0].SOPInstanceUID, {"InstanceNumber": "9"}),
    ):
        await story.undo(await story.change(level, uid, **values))


async def series_assigned(story):
    await story.change(Level.SERIES, story.series(0, 0), SeriesDescription="moved")
    await edit.assign_series(story.app, SYSTEM, story.series(0, 0), story.uids[1])
    await edit.assign_series(story.app, SYSTEM, story.series(0, 1), story.uids[1])
    await edit.assign_series(story.app, SYSTEM, story.series(0, 1), story.uids[2])


async def studies_and_patients_merged(story):
    await edit.merge_studies(story.app, SYSTEM, story.uids[0], story.uids[1])
    await edit.merge_studies(story.app, SYSTEM, story.uids[1], story.uids[2])
    await story.intake(an_object(StudyInstanceUID=story.uids[0]))
    await edit.merge_patients(story.app, SYSTEM, ("P2", ""), edit.Patient("P0", patient_name="Doe^Jane"))


async def merges_undone(story):
    record = await edit.merge_studies(story.app, SYSTEM, story.uids[0], story.uids[1])
    await story.intake(an_object(StudyInstanceUID=story.uids[0]))
    await story.undo(record)


async def deletions(story):
    await story.delete(Level.STUDY, story.uids[0])
    await story.delete(Level.SERIES, story.series(1, 0))
    await story.delete(Level.IMAGE, story.studies[2][0].SOPInstanceUID)
    await story.intake(story.studies[0][0])


async def deletions_undone(story):
    record = await story.delete(Level.STUDY, story.uids[0])
    await story.intake(story.studies[0][0])
    await story.undo(record)


async def deletions_purged(story):
    await edit.merge_studies(story.app, SYSTEM, story.uids[0], story.uids[1])
    for level, uid in ((Level.STUDY, story.uids[1]), (Level.SERIES, story.series(2, 0))):
        await remove.purge(story.app, (await story.delete(level, uid)).id)


async def the_target_of_a_merge_purged(story):
    await edit.merge_studies(story.app, SYSTEM, story.uids[0], story.uids[1])
    for number in range(2):
        record = await story.delete(Level.SERIES, story.series(1, number))
        await remove.purge(story.app, record.id)


async def what_was_edited_purged_and_sent_again(story):
    await edits(story)
    await edit.assign_series(story.app, SYSTEM, story.series(0, 1), story.uids[2])
    for uid in story.uids:
        await remove.purge(story.app, (await story.delete(Level.STUDY, uid)).id)
    for image in story.studies[0]:
        await story.intake(image)


async def statuses_set_and_undone(story):
    await set_status(story.app, SYSTEM, story.uids[0], "FINAL")
    await set_status(story.app, SYSTEM, story.uids[1], "DICTATED")
    await story.undo(await set_status(story.app, SYSTEM, story.uids[1], "FINAL"))
    await remove.purge(story.app, (await story.delete(Level.STUDY, story.uids[0])).id)
    await story.intake(story.studies[0][0])


async def series_split_off_and_edited_together(story):
    both = [story.series(0, 0), story.series(0, 1)]
    await edit_series(story.app, SYSTEM, story.uids[0], both, from_keywords({"Modality": "MR"}))
    new = await split(story.app, SYSTEM, story.uids[0], both[:1], patient=edit.Patient("0815", patient_name="Roe^Jane"))
    await story.change(Level.STUDY, new.after["study_uid"], StudyDescription="Split")
    await story.undo(await split(story.app, SYSTEM, story.uids[1], [story.series(1, 0)]))
    await edit.edit_patient(story.app, SYSTEM, ("P0", ""), from_keywords({"PatientName": "Poe^Edgar"}))


async def parts_deleted(story):
    image = str(story.studies[1][2].SOPInstanceUID)
    await remove.delete_parts(story.app, SYSTEM, story.uids[1], [story.series(1, 0)], [image])
    await story.undo(
        await remove.delete_parts(story.app, SYSTEM, story.uids[0], [story.series(0, 0), story.series(0, 1)])
    )


HAPPENINGS = [
    nothing,
    objects_again_with_other_bytes,
    the_same_object_in_another_study,
    edits,
    edits_undone,
    series_assigned,
    studies_and_patients_merged,
    merges_undone,
    deletions,
    deletions_undone,
    deletions_purged,
    the_target_of_a_merge_purged,
    what_was_edited_purged_and_sent_again,
    statuses_set_and_undone,
    series_split_off_and_edited_together,
    parts_deleted,
]


@pytest.mark.parametrize(
    "happening",
    [one for one in HAPPENINGS if is_todays(one.__name__, parts=3)],  # every day has its third
    ids=lambda happening: happening.__name__,
)
async def test_the_index_is_the_same_after(happening, intake):
    story = Story(intake)
    await story.begin()
    await happening(story)
    before = await lines(intake)
    await regenerated(intake)
    assert await lines(intake) == before


async def test_objects_set_aside_by_policy_and_coercions_come_back(intake_of, write_plugin):
    plugin = write_plugin("coercing", COERCING)
    intake = await intake_of(settings={"duplicate_policy": "first"}, plugins=(plugin,))
    story = Story(intake)
    await story.begin()
    await objects_again_with_other_bytes(story)
    await edits(story)
    before = await lines(intake)
    done = await regenerated(intake)
    assert await lines(intake) == before
    assert (done.objects, done.damaged, done.unreadable, done.duplicates) == (16, [], [], [])


async def test_deletions_are_due_to_be_purged_again(intake):
    story = Story(intake)
    await story.begin()
    record = await story.delete(Level.STUDY, story.uids[0])
    [before] = await intake.app.jobs.list(kind="purge")
    await regenerated(intake)
    [after] = await intake.app.jobs.list(kind="purge")
    assert (after.payload, after.run_at) == ({"edit": record.id}, before.run_at)


async def test_files_of_others_are_taken_in_and_what_is_no_dicom_is_told_and_kept(intake):
    await intake(an_object())
    foreign, rubbish = intake.root / "old" / "IM0001", intake.root / "old" / "readme.txt"
    foreign.parent.mkdir()
    foreign.write_bytes(part10(an_object(PatientID="foreign")))
    os.utime(foreign, (1_000_000_000, 1_000_000_000))
    rubbish.write_text("not an object")
    done = await regenerated(intake)
    assert [one.path for one in done.unreadable] == ["old/readme.txt"] and rubbish.exists()
    [row] = [row for row in await intake.rows("study") if row["patient_id"] == "foreign"]
    assert row["first_received_at"].timestamp() == 1_000_000_000
    first = await lines(intake)
    await regenerated(intake)
    assert await lines(intake) == first


async def test_a_copy_that_a_crash_left_beside_an_object_is_no_version_of_it(intake):
    await intake(an_object())
    before = await lines(intake)
    [path] = intake.files()
    shutil.copy(path, path.with_name(f"{path.stem}-2.dcm"))
    done = await regenerated(intake)
    assert done.duplicates == [path.with_name(f"{path.stem}-2.dcm").relative_to(intake.root).as_posix()]
    assert await lines(intake) == before


async def test_a_torn_line_of_the_journal_is_told(intake):
    story = Story(intake)
    await story.begin()
    await edits(story)
    before = await lines(intake)
    [journal] = (intake.root / "journal").glob("*.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"id": "torn')
    done = await regenerated(intake)
    assert [(one.path, one.number) for one in done.damaged] == [(journal, 6)]
    assert await lines(intake) == before


async def test_objects_on_an_earlier_volume_come_back_too(intake_of, tmp_path):
    first = await intake_of()
    await first(an_object())
    second = await intake_of(settings={"volume": tmp_path / "second"})
    await second(an_object())
    before = await lines(second)
    assert (await regenerated(second)).objects == 2
    assert await lines(second) == before


async def test_nothing_is_regenerated_while_a_disk_is_not_mounted(intake_of, tmp_path):
    first = await intake_of()
    await first(an_object())
    second = await intake_of(settings={"volume": tmp_path / "second"})
    away = first.root.with_name("away")
    first.root.rename(away)
    first.root.mkdir()
    with pytest.raises(StorageFailed, match="mounted"):
        await regenerate.regenerate(second.app)
    assert len(await second.rows("instance")) == 1
    first.root.rmdir()
    away.rename(first.root)


async def test_a_regeneration_that_was_broken_off_goes_on_where_it_stopped(intake, monkeypatch):
    monkeypatch.setattr(regenerate, "FILES_AT_ONCE", 2)
    story = Story(intake)
    await story.begin()
    await edits(story)
    before = await lines(intake)

    def break_off(done):
        if done.files == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await regenerate.regenerate(intake.app, break_off)
    assert await regenerate.under_way(intake.app.db)
    done = await regenerate.regenerate(intake.app)
    assert (done.files, await regenerate.under_way(intake.app.db)) == (6, False)
    assert await lines(intake) == before


async def test_one_process_at_a_time_regenerates(intake_of):
    one, other = await intake_of(), await intake_of()
    async with one.app.db.singleton("regenerate") as held:
        assert held
        with pytest.raises(RegenerationRuns):
            await regenerate.regenerate(other.app)


async def test_a_row_that_differs_shows_in_the_dump(intake):
    await intake(an_object())
    before = await lines(intake)
    await intake.run("UPDATE core.study SET patient_name = 'x'")
    assert await lines(intake) != before
    async with intake.app.db.transaction() as tx:
        await effective.refresh(tx, [row["study_uid"] for row in await intake.rows("study")])
    assert await lines(intake) == before


async def test_a_new_database_is_told_of_the_other_volumes(intake_of, tmp_path, postgresql_server):
    first = await intake_of()
    await first(an_object())
    second = await intake_of(settings={"volume": tmp_path / "second"})
    await second(an_object())
    await edit.edit(second.app, SYSTEM, Level.STUDY, *await a_change(second))
    before = await lines(second)
    new = await intake_of(settings={"volume": tmp_path / "second", "database_url": postgresql_server.fresh()})
    await new.app.volumes.know(first.root)
    assert (await regenerate.regenerate(new.app)).objects == 2
    assert await lines(new) == before


async def a_change(intake):
    return (await intake.rows("study"))[0]["study_uid"], from_keywords({"StudyID": "9"})
