"""The calls of the manual, with its fields: updatestudy, assignseries, deletestudy (appendix 5.3, 5.5, 5.6)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from charrua_core.archive.edit import edit
from charrua_core.archive.edit.edit import Patient
from charrua_core.archive.edit.series import split
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.index.levels import TAGS, text_of
from charrua_core.archive.index.names import name_key
from charrua_core.errors import StudyNotFound
from charrua_core.types import Level
from charrua_core.web import Fields, HttpError, Request, Response, WebRoute, fields_of
from charrua_web.actions.answered import DONE, JSON, Step, done, in_turn
from charrua_web.actions.attributes import Wanted, require_patient_id, wanted_of
from charrua_web.actions.deleting import deletion
from charrua_web.actions.editing import Edit, carried_out, one_modality, status_in
from charrua_web.actions.looked_up import Study, sees_whole, study_of

FIELDS = {
    "Name": "PatientName",
    "ID": "PatientID",
    "BD": "PatientBirthDate",
    "Sex": "PatientSex",
    "Comments": "AdditionalPatientHistory",
    "Date": "StudyDate",
    "Description": "StudyDescription",
    "Institution": "InstitutionName",
    "AccessionNumber": "AccessionNumber",
}
"""The manual's fields by the attributes that they are; Modality is each series' own."""
_SERIES_TOLD = ("modality", "seriesNumber", "descr")


async def update_study(request: Request) -> Response:
    """Edit a study; a field that is not there leaves what it is about as it is."""
    fields = await fields_of(request)
    uid, modality = fields.uid("StudyInstanceUID"), fields.text("Modality", 200)
    wanted, status = wanted_of(fields, FIELDS), status_in(fields, "Status")
    fields.end()
    if not uid:
        raise fields.wrong("StudyInstanceUID", "it is missing")
    study = await study_of(request, uid)
    if not await sees_whole(request, uid):
        raise HttpError(403, "the study has series that you may not see")
    require_patient_id(wanted.study, study.attributes, "ID")
    if one_modality(study, modality, "Modality"):
        wanted.series |= wanted_of(fields, {"Modality": "Modality"}).series
    return await carried_out(request, Edit(study, wanted, status, series=study.series))


def _study_in(fields: Fields) -> tuple[str, Wanted, str]:
    """Read the study that series go to: UID, values, status."""
    fields.anything("Modality")
    return fields.uid("StudyInstanceUID"), wanted_of(fields, FIELDS), status_in(fields, "Status")


async def delete_study(request: Request) -> Response:
    """Delete a study whose patient is named as well (manual, appendix 5.6)."""
    fields = await fields_of(request)
    uid = fields.uid("StudyInstanceUID")
    named = {"PatientName": fields.text("PatientName"), "PatientID": fields.text("PatientID")}
    fields.end()
    if not uid:
        raise fields.wrong("StudyInstanceUID", "it is missing")
    study = await study_of(request, uid, with_series=False)
    check_named(study, named)
    return done(await in_turn(request, [deletion(request, uid, [], [], "")]))


async def assign_series(request: Request) -> Response:
    """Move series of a study to another one, or to a new one that the call describes."""
    fields = await fields_of(request)
    given = fields.table("study")
    uid, wanted, _ = _study_in(given)
    given.end()
    prior, prior_name = fields.uid("priorstudyuid"), fields.text("priorname")
    series = [_series_in(one) for one in fields.tables("series")]
    fields.end()
    if not prior:
        raise fields.wrong("priorstudyuid", "it is missing")
    if not series:
        raise fields.wrong("series", "name the series that are assigned, one at least")
    check_named(await study_of(request, prior, with_series=False), {"priorname": prior_name})
    target = await _target(request, uid)
    if target is not None:
        _check_target(target, wanted)
        step: Step = partial(
            edit.assign_series, request.app, request.identity, series, uid, study_uid=prior, origin=request.origin
        )
    else:
        step = _to_new_study(request, prior, series, uid, wanted, given)
    records = await in_turn(request, [step])
    return done(records, study=records[0].after["study_uid"])


def _series_in(fields: Fields) -> str:
    uid = fields.uid("seriesInstanceUID")
    for name in _SERIES_TOLD:
        fields.anything(name)
    fields.end()
    if not uid:
        raise fields.wrong("seriesInstanceUID", "it is missing")
    return uid


async def _target(request: Request, uid: str) -> Study | None:
    """The study that series go to; None for one that is made."""
    try:
        return await study_of(request, uid, with_series=False) if uid else None
    except StudyNotFound:
        return None


def _check_target(study: Study, wanted: Wanted) -> None:
    """HttpError 400 where the study is another patient's than the call says."""
    says = {tag: text_of(element) for tag, element in wanted.study.items()}
    named = {"study.Name": says.get("00100010", ""), "study.ID": says.get("00100020", "")}
    check_named(study, {field: value for field, value in named.items() if value})


def _to_new_study(request: Request, prior: str, series: list[str], uid: str, wanted: Wanted, given: Fields) -> Step:
    says = {tag: text_of(element) for tag, element in wanted.study.items()}
    if not says.get("00100020"):
        raise given.wrong(
            "ID", "it is missing: no study of this StudyInstanceUID is here, and a new one needs a patient"
        )
    patient = Patient(
        says["00100020"], "", says.get("00100010", ""), says.get("00100030", ""), says.get("00100040", "")
    )
    over = {tag: element for tag, element in wanted.study.items() if tag not in TAGS[Level.PATIENT]}
    told: dict[str, Any] = {"attributes": over, "new_study_uid": uid, "origin": request.origin}
    return partial(split, request.app, request.identity, prior, series, patient=patient, **told)


_NAMES = {"PatientName": "PatientName", "priorname": "PatientName", "study.Name": "PatientName"}


def check_named(study: Study, named: Mapping[str, str]) -> None:
    """HttpError 400 where a name or an ID in the call is not the study's: what is right is not told."""
    for field, given in named.items():
        if field in _NAMES:
            same = name_key(_canonical(given)) == name_key(study.text("PatientName"))
        else:
            same = given == study.text("PatientID").strip()
        if not same:
            raise HttpError(400, f"{field}: the study is of another patient")


def _canonical(name: str) -> str:
    """A name as the index writes it."""
    return text_of(from_keywords({"PatientName": name})["00100010"])


_STUDY = (
    "`Name`, `ID`, `BD`, `Sex`, `Comments` (clinical data: Additional Patient History), `Date`, `Description`, `Institution`, "
    "`Modality`, `AccessionNumber`, `StudyInstanceUID`, `Status` (0 unread, 1 preliminary, 2 dictated, 3 transcribed, 4 final)"
)
ROUTES = (
    WebRoute(
        "POST",
        "/updatestudy",
        update_study,
        "edit",
        "Edit patient and study data (manual, appendix 5.3)",
        tag="Manual",
        consumes=JSON,
        statuses=DONE,
        description=f"The body has {_STUDY}. StudyInstanceUID names the study; what is left out stays, an empty text empties.",
    ),
    WebRoute(
        "POST",
        "/assignseries",
        assign_series,
        "edit",
        "Assign series of a study to another one (manual, appendix 5.5)",
        tag="Manual",
        consumes=JSON,
        statuses=DONE,
        description="`study` is the destination, with the fields of /updatestudy: one that the archive has, or a new one. "
        "`priorstudyuid` is the study that the series are in, `priorname` its patient's name, which must be right. Each of "
        "`series` has `seriesInstanceUID`, and may have `modality`, `seriesNumber`, `descr`.",
    ),
    WebRoute(
        "POST",
        "/deletestudy",
        delete_study,
        "delete",
        "Delete a study (manual, appendix 5.6)",
        tag="Manual",
        consumes=JSON,
        statuses=DONE,
        description="The body has `PatientName`, `PatientID`, which must be right, and `StudyInstanceUID`.",
    ),
)
