"""Edits as records: what the index says afterwards, what they cost, what is refused, and how they are taken back."""

from __future__ import annotations

import pytest

from charrua_core.archive.edit import edit
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import EditInvalid, NotPermitted, StudyNotFound
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, Identity, Level, RowFilter


async def stored(intake, **attributes):
    """A study in the archive; gives its UID."""
    objects = a_study(**attributes)
    for image in objects:
        await intake(image)
    return str(objects[0].StudyInstanceUID)


async def study_row(intake, uid):
    [row] = [row for row in await intake.rows("study") if row["study_uid"] == uid]
    return row


async def series_of(intake, uid):
    study = await study_row(intake, uid)
    return [row for row in await intake.rows("series") if row["study_id"] == study["id"]]


async def change(intake, level, uid, **values):
    return await edit.edit(intake.app, SYSTEM, level, uid, from_keywords(values))


async def test_an_edited_study_shows_the_new_values_in_its_columns(intake):
    uid = await stored(intake)
    await change(intake, Level.STUDY, uid, PatientName="Müller^Hans", StudyDate="20250203", StudyDescription=None)
    row = await study_row(intake, uid)
    assert (row["patient_name"], row["study_date"], row["study_description"]) == ("Müller^Hans", "20250203", "")
    assert b"0008103" not in row["attributes"]


async def test_what_arrives_later_for_an_edited_study_keeps_the_edit(intake):
    [first, second] = a_study(images=2)
    await intake(first)
    await change(intake, Level.STUDY, first.StudyInstanceUID, PatientID="0815")
    await intake(second)
    row = await study_row(intake, first.StudyInstanceUID)
    assert (row["patient_id"], row["instance_count"]) == ("0815", 2)


async def test_editing_a_series_changes_the_modalities_of_its_study(intake):
    uid = await stored(intake)
    [series] = await series_of(intake, uid)
    await change(intake, Level.SERIES, series["series_uid"], Modality="MR", SeriesDescription="sagittal")
    [series] = await series_of(intake, uid)
    assert (series["modality"], series["series_description_key"]) == ("MR", "sagittal")
    assert (await study_row(intake, uid))["modalities"] == ["MR"]


async def test_editing_an_image_changes_its_row_alone(intake):
    await stored(intake, images=2)
    [one, other] = await intake.rows("instance")
    await change(intake, Level.IMAGE, one["sop_instance_uid"], InstanceNumber="77")
    assert [row["instance_number"] for row in await intake.rows("instance")] == ["77", other["instance_number"]]


async def test_an_edit_of_a_study_writes_no_row_of_an_image(intake):
    uid = await stored(intake, images=20)
    before = await written_by(intake, "instance")
    await change(intake, Level.STUDY, uid, PatientName="New^Name")
    assert await written_by(intake, "instance") == before
    assert len(await intake.rows("edit")) == 1


async def written_by(intake, table):
    """The transactions that last wrote the rows."""
    async with intake.app.db.driver() as connection:
        return await connection.fetch(f"SELECT id, xmin::text FROM core.{table} ORDER BY id")


async def test_a_study_assigned_to_another_patient_keeps_nothing_of_the_former(intake):
    uid = await stored(intake, OtherPatientIDs="S-1", PatientComments="allergic", EthnicGroup="x")
    patient = edit.Patient("0815", "SOUTH", "Roe^Richard", "19600229", "M")
    await edit.assign_study(intake.app, SYSTEM, uid, patient)
    row = await study_row(intake, uid)
    assert (row["patient_id"], row["issuer"], row["patient_name"]) == ("0815", "SOUTH", "Roe^Richard")
    assert b"S-1" not in row["attributes"] and b"allergic" not in row["attributes"]


async def test_a_series_assigned_to_another_study_is_counted_there(intake):
    source, target = await stored(intake, series=2, images=2), await stored(intake, Modality="MR")
    [moved, _] = await series_of(intake, source)
    await edit.assign_series(intake.app, SYSTEM, moved["series_uid"], target)
    there, here = await study_row(intake, target), await study_row(intake, source)
    assert (here["series_count"], here["instance_count"]) == (1, 2)
    assert (there["series_count"], there["instance_count"], there["modalities"]) == (2, 3, ["CT", "MR"])


async def test_a_study_without_its_last_series_is_out_of_sight_until_another_comes(intake):
    source, target = await stored(intake), await stored(intake)
    [moved] = await series_of(intake, source)
    record = await edit.assign_series(intake.app, SYSTEM, moved["series_uid"], target)
    assert str((await study_row(intake, source))["deleted_by"]) == record.id
    await intake(an_object(StudyInstanceUID=source))
    assert (await study_row(intake, source))["deleted_by"] is None


async def test_what_arrives_for_a_merged_study_goes_to_the_other_one(intake):
    source, target = await stored(intake), await stored(intake, PatientID="0815")
    await edit.merge_studies(intake.app, SYSTEM, source, target)
    [moved, _] = await series_of(intake, target)
    await intake(an_object(StudyInstanceUID=source))  # a new series
    await intake(an_object(StudyInstanceUID=source, SeriesInstanceUID=moved["series_uid"]))
    assert (await study_row(intake, target))["instance_count"] == 4
    assert (await study_row(intake, source))["instance_count"] == 0


async def test_merging_patients_changes_all_their_studies_with_one_record(intake):
    uids = [
        await stored(intake, PatientID="A"),
        await stored(intake, PatientID="A"),
        await stored(intake, PatientID="B"),
    ]
    into = edit.Patient("B", patient_name="Doe^Jane")
    await edit.merge_patients(intake.app, SYSTEM, ("A", ""), into)
    assert [(await study_row(intake, uid))["patient_id"] for uid in uids] == ["B"] * 3
    assert len(await intake.rows("edit")) == 1


async def test_undoing_brings_the_rows_back_as_they_were(intake):
    source, target = await stored(intake, series=2), await stored(intake)
    before = [await intake.rows("study"), await intake.rows("series")]
    [series, _] = await series_of(intake, source)
    made = [
        await change(intake, Level.STUDY, source, PatientName="Other^Name"),
        await change(intake, Level.SERIES, series["series_uid"], Modality="MR"),
        await edit.assign_series(intake.app, SYSTEM, series["series_uid"], target),
        await edit.merge_studies(intake.app, SYSTEM, source, target),
    ]
    for record in reversed(made):
        await edit_undo.undo(intake.app, SYSTEM, record.id)
    assert [await intake.rows("study"), await intake.rows("series")] == before


async def test_an_image_edit_is_undone_in_its_row(intake):
    await stored(intake)
    [before] = await intake.rows("instance")
    record = await change(intake, Level.IMAGE, before["sop_instance_uid"], InstanceNumber="77", ImageComments="x")
    await edit_undo.undo(intake.app, SYSTEM, record.id)
    assert await intake.rows("instance") == [before]


async def test_an_edit_under_a_later_one_of_the_same_attribute_cannot_be_undone(intake):
    uid = await stored(intake)
    first = await change(intake, Level.STUDY, uid, PatientName="First^Name", StudyID="1")
    other = await change(intake, Level.STUDY, uid, StudyDescription="Abdomen")
    second = await change(intake, Level.STUDY, uid, PatientName="Second^Name")
    with pytest.raises(EditInvalid, match=second.id):
        await edit_undo.undo(intake.app, SYSTEM, first.id)
    await edit_undo.undo(intake.app, SYSTEM, other.id)
    assert (await study_row(intake, uid))["study_description"] == "Thorax"


async def test_a_merge_under_a_later_move_of_its_series_cannot_be_undone(intake):
    uids = [await stored(intake) for _ in range(3)]
    merge = await edit.merge_studies(intake.app, SYSTEM, uids[0], uids[1])
    await edit.merge_studies(intake.app, SYSTEM, uids[1], uids[2])
    with pytest.raises(EditInvalid, match="later"):
        await edit_undo.undo(intake.app, SYSTEM, merge.id)
    assert (await study_row(intake, uids[2]))["series_count"] == 3


async def test_an_edit_is_undone_once(intake):
    uid = await stored(intake)
    record = await change(intake, Level.STUDY, uid, StudyID="2")
    undo = await edit_undo.undo(intake.app, SYSTEM, record.id)
    for again in (record.id, undo.id, "00000000-0000-0000-0000-000000000001"):
        with pytest.raises(EditInvalid):
            await edit_undo.undo(intake.app, SYSTEM, again)


async def test_the_history_tells_who_changed_what_from_what_to_what(intake):
    uid = await stored(intake)
    editor = Identity("maria", "user", permissions=frozenset({"edit"}))
    await edit.edit(intake.app, editor, Level.STUDY, uid, from_keywords({"StudyID": "2"}), reason="typing error")
    [record] = await edit_undo.history(intake.app, SYSTEM, uid)
    assert (record.made_by, record.kind, record.reason) == ("maria", "edit", "typing error")
    assert record.before["attributes"]["00200010"]["Value"] == ["1"]
    assert record.after["attributes"]["00200010"]["Value"] == ["2"]


async def test_an_edit_is_in_the_audit_trail_and_in_the_change_feed(intake):
    uid = await stored(intake)
    record = await change(intake, Level.STUDY, uid, StudyID="2")
    [*_, audited] = await intake.rows("audit")
    [*_, told] = await intake.rows("change", "seq")
    assert (audited["event"], audited["study_uids"], record.id in str(audited["detail"])) == ("110103", [uid], True)
    assert (told["kind"], record.id in str(told["payload"])) == ("edited", True)


async def test_nobody_edits_without_the_permission_or_out_of_sight(intake):
    uid = await stored(intake)
    viewer = Identity("viewer", "user", permissions=frozenset({"query"}))
    ultrasound = Identity(
        "us", "user", permissions=frozenset({"edit"}), row_filters=(RowFilter({"Modality": ("US",)}),)
    )
    values = from_keywords({"StudyID": "2"})
    for who, error in ((viewer, NotPermitted), (ultrasound, StudyNotFound)):
        with pytest.raises(error):
            await edit.edit(intake.app, who, Level.STUDY, uid, values)
    assert await intake.rows("edit") == []


@pytest.mark.parametrize(
    ("level", "keyword", "value"),
    [
        (Level.STUDY, "StudyInstanceUID", "1.2.3"),
        (Level.SERIES, "SeriesInstanceUID", "1.2.3"),
        (Level.IMAGE, "SOPInstanceUID", "1.2.3"),
        (Level.IMAGE, "Rows", "512"),
        (Level.IMAGE, "SpecificCharacterSet", "ISO_IR 192"),
        (Level.STUDY, "Modality", "MR"),
        (Level.IMAGE, "PatientName", "Doe^Jane"),
        (Level.STUDY, "PatientBirthDate", "20260231"),
        (Level.STUDY, "StudyTime", "256000"),
        (Level.STUDY, "PatientSex", "X"),
        (Level.STUDY, "PatientName", "a" * 65),
        (Level.STUDY, "PatientName", "a^b^c^d^e^f"),
        (Level.STUDY, "PatientID", "line\nbreak"),
        (Level.STUDY, "AccessionNumber", "more than sixteen"),
        (Level.STUDY, "AccessionNumber", "two\\values"),
        (Level.SERIES, "SeriesNumber", "three"),
    ],
)
async def test_what_no_edit_may_write_is_refused(intake, level, keyword, value):
    await stored(intake)
    uids = {Level.STUDY: "study", Level.SERIES: "series", Level.IMAGE: "instance"}
    [row] = await intake.rows(uids[level])
    with pytest.raises(EditInvalid):
        await change(
            intake, level, row.get("study_uid") or row.get("series_uid") or row["sop_instance_uid"], **{keyword: value}
        )
    assert await intake.rows("edit") == []


async def test_a_series_uid_of_two_studies_needs_the_study(intake):
    series = "1.2.840.99.1"
    one, other = [await stored(intake, SeriesInstanceUID=series) for _ in range(2)]
    values = from_keywords({"SeriesNumber": "5"})
    with pytest.raises(EditInvalid, match="name the study"):
        await edit.edit(intake.app, SYSTEM, Level.SERIES, series, values)
    await edit.edit(intake.app, SYSTEM, Level.SERIES, series, values, study_uid=other)
    assert [(await series_of(intake, uid))[0]["series_number"] for uid in (one, other)] == ["1", "5"]
