"""Series that get a study of their own, attributes given to several, and the status of a study."""

from __future__ import annotations

import pytest

from charrua_core.archive.edit import edit
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.series import edit_series, split
from charrua_core.archive.edit.status import STATUSES, set_status
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.search import Query, search
from charrua_core.errors import EditInvalid, NotPermitted, StudyNotFound
from charrua_core.testing.objects import a_study
from charrua_core.types import SYSTEM, Identity, Level, RowFilter


@pytest.fixture
async def study(intake):
    """Three series of one image."""
    objects = a_study(series=3)
    for image in objects:
        await intake(image)
    return objects


async def study_row(intake, uid):
    return {row["study_uid"]: row for row in await intake.rows("study")}.get(str(uid))


async def test_series_split_off_are_a_study_of_their_own_and_go_back_when_that_is_undone(intake, study):
    uid = study[0].StudyInstanceUID
    wanted = [str(image.SeriesInstanceUID) for image in study[:2]]
    before = await intake.rows("study")
    record = await split(
        intake.app,
        SYSTEM,
        str(uid),
        wanted,
        patient=edit.Patient("0815", patient_name="Roe^Jane"),
        attributes=from_keywords({"AccessionNumber": "B2"}),
    )
    new = await study_row(intake, record.after["study_uid"])
    told = (
        new["patient_id"],
        new["patient_name"],
        new["patient_sex"],
        new["accession_number"],
        new["study_description"],
    )
    assert told == ("0815", "Roe^Jane", "", "B2", "Thorax")
    assert new["series_count"] == 2 and (await study_row(intake, uid))["series_count"] == 1
    await edit_undo.undo(intake.app, SYSTEM, record.id)
    assert await intake.rows("study") == before


async def test_a_new_study_takes_no_uid_that_something_has(intake, study):
    uid, series = str(study[0].StudyInstanceUID), [str(study[0].SeriesInstanceUID)]
    with pytest.raises(StudyNotFound):
        await split(intake.app, SYSTEM, uid, series, new_study_uid=uid)
    with pytest.raises(EditInvalid):
        await split(intake.app, SYSTEM, uid, series, new_study_uid="1.2.x")
    half_blind = Identity(
        "ct", "user", permissions=frozenset({"edit"}), row_filters=(RowFilter({"Modality": ("CT",)}),)
    )
    with pytest.raises(StudyNotFound):
        await split(intake.app, half_blind, uid, series, new_study_uid="1.2.3")
    record = await split(intake.app, SYSTEM, uid, series, new_study_uid="1.2.3")
    assert record.after["study_uid"] == "1.2.3"


async def test_series_are_edited_together_and_undone_together(intake, study):
    uid, series = str(study[0].StudyInstanceUID), [str(image.SeriesInstanceUID) for image in study]
    record = await edit_series(intake.app, SYSTEM, uid, series[:2], from_keywords({"Modality": "MR"}))
    assert (await study_row(intake, uid))["modalities"] == ["CT", "MR"]
    await edit_undo.undo(intake.app, SYSTEM, record.id)
    assert (await study_row(intake, uid))["modalities"] == ["CT"]


async def test_a_patient_is_edited_in_all_studies_and_nobody_without_an_id(intake, study):
    [other] = a_study(PatientID="4711")
    [unnamed] = a_study(PatientID="")
    await intake(other)
    await intake(unnamed)
    await edit.edit_patient(intake.app, SYSTEM, ("4711", ""), from_keywords({"PatientName": "Roe^Jane"}))
    names = {row["patient_id"]: row["patient_name"] for row in await intake.rows("study")}
    assert names == {"4711": "Roe^Jane", "": "Doe^Jane"}
    with pytest.raises(EditInvalid):
        await edit.edit_patient(intake.app, SYSTEM, ("", ""), from_keywords({"PatientName": "Roe^Jane"}))
    with pytest.raises(EditInvalid, match="patient alone"):
        await edit.edit_patient(intake.app, SYSTEM, ("4711", ""), from_keywords({"StudyID": "1"}))


async def found(app, *statuses):
    query = Query(Level.STUDY, statuses=frozenset(statuses))
    return [one.status async for one in search(app, query, SYSTEM)]


async def test_a_status_is_searched_told_and_undone(intake, study):
    uid = str(study[0].StudyInstanceUID)
    assert await found(intake.app, "FINAL") == [] and await found(intake.app, "UNREAD") == ["UNREAD"]
    first = await set_status(intake.app, SYSTEM, uid, "PRELIMINARY")
    second = await set_status(intake.app, SYSTEM, uid, "FINAL")
    assert await found(intake.app, "FINAL", "DICTATED") == ["FINAL"] and await found(intake.app, "UNREAD") == []
    with pytest.raises(EditInvalid, match="undo that one first"):
        await edit_undo.undo(intake.app, SYSTEM, first.id)
    await edit_undo.undo(intake.app, SYSTEM, second.id)
    assert await found(intake.app) == ["PRELIMINARY"]


async def test_who_reports_or_edits_sets_the_status_and_nobody_else(intake, study):
    uid = str(study[0].StudyInstanceUID)
    for permission, status in (("report", "DICTATED"), ("edit", "FINAL")):
        who = Identity("rosa", "user", permissions=frozenset({permission}))
        record = await set_status(intake.app, who, uid, status)
        await edit_undo.undo(intake.app, who, record.id)
    with pytest.raises(NotPermitted):
        await set_status(intake.app, Identity("guest", "user"), uid, "FINAL")
    for word in ("READ", "UNREAD"):  # none, and the one that it has
        with pytest.raises(EditInvalid):
            await set_status(intake.app, SYSTEM, uid, word)
    assert len(STATUSES) == 5
