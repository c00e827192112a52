"""Assigning a study, or series of it, to another study or another patient; splitting a study; merging patients."""

from __future__ import annotations

from functools import partial
from typing import Any

from charrua_core.archive.edit import edit
from charrua_core.archive.edit.edit import Patient
from charrua_core.archive.edit.record import Overlay, Record
from charrua_core.archive.edit.series import split
from charrua_core.archive.edit.values import checked, from_keywords
from charrua_core.archive.index.levels import TAGS
from charrua_core.errors import EditInvalid
from charrua_core.types import Level
from charrua_core.web import Fields, HttpError, Request, Response, WebRoute, fields_of
from charrua_web.actions.answered import DONE, JSON, Step, done, in_turn
from charrua_web.actions.attributes import Wanted, wanted_of
from charrua_web.actions.looked_up import study_of

_OF_PATIENT = {
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer",
    "PatientName": "patient_name",
    "PatientBirthDate": "birth_date",
    "PatientSex": "sex",
}


async def assign(request: Request) -> Response:
    """Assign a study, or series of it."""
    fields = await fields_of(request)
    uid, series = request.parameters["study"], fields.uids("series")
    to_study, reason = fields.uid("to_study"), fields.text("reason", 500)
    patient = patient_in(fields.table("to_patient")) if "to_patient" in fields else None
    over = _of_new_study(fields)
    fields.end()
    if bool(to_study) + bool(patient) > 1 or not (to_study or patient or series):
        raise HttpError(400, "to_study or to_patient: name one of them, or series that become a study of their own")
    if over and (to_study or not series):
        raise HttpError(400, "attributes: they are given to a new study, which series become")
    await study_of(request, uid, with_series=False)
    step = _step(request, uid, series, to_study, patient, over, reason)
    [record] = await in_turn(request, [step])
    return done([record], study=_whereto(record, uid))


def _step(
    request: Request, uid: str, series: list[str], to_study: str, patient: Patient | None, over: Overlay, reason: str
) -> Step:
    app, who = request.app, request.identity
    told: dict[str, Any] = {"reason": reason, "origin": request.origin}
    if series and to_study:
        return partial(edit.assign_series, app, who, series, to_study, study_uid=uid, **told)
    if series:
        return partial(split, app, who, uid, series, patient=patient, attributes=over, **told)
    if to_study:
        return partial(edit.merge_studies, app, who, uid, to_study, **told)
    assert patient is not None  # noqa: S101  one of them is there
    return partial(edit.assign_study, app, who, uid, patient, **told)


def _whereto(record: Record, uid: str) -> str:
    return str(record.after.get("study_uid", uid))


def _of_new_study(fields: Fields) -> Overlay:
    wanted: Wanted = wanted_of(fields.table("attributes"))
    if wanted.series or wanted.study.keys() & TAGS[Level.PATIENT]:
        raise HttpError(400, "attributes: those of a study are expected; the patient's are given in to_patient")
    return wanted.study


def patient_in(fields: Fields) -> Patient:
    """Read a patient; HttpError 400 names the field that will not do."""
    wanted = {keyword: fields.text(keyword) for keyword in _OF_PATIENT}
    fields.end()
    if not wanted["PatientID"]:
        raise fields.wrong("PatientID", "it is missing: a patient is known by it")
    wanted["PatientBirthDate"] = wanted["PatientBirthDate"].replace("-", "")
    for keyword, value in wanted.items():
        try:
            checked(Level.STUDY, from_keywords({keyword: value}))
        except EditInvalid as error:
            raise fields.wrong(keyword, str(error).removeprefix(f"{keyword}: ")) from error
    return Patient(**{_OF_PATIENT[keyword]: value for keyword, value in wanted.items()})


async def merge_patients(request: Request) -> Response:
    """Make all studies of one patient those of another."""
    fields = await fields_of(request)
    former, into = fields.table("from"), patient_in(fields.table("into"))
    known = former.text("PatientID", 64), former.text("IssuerOfPatientID", 64)
    former.end()
    reason = fields.text("reason", 500)
    fields.end()
    if not known[0]:
        raise former.wrong("PatientID", "it is missing: a patient is known by it")
    step = partial(
        edit.merge_patients, request.app, request.identity, known, into, reason=reason, origin=request.origin
    )
    records = await in_turn(request, [step])
    return done(records, studies=len(records[0].study_uids))


ROUTES = (
    WebRoute(
        "POST",
        "/actions/studies/{study}/assign",
        assign,
        "edit",
        "Assign a study, or series of it, to another study or patient",
        tag="Actions",
        consumes=JSON,
        statuses=DONE,
        description="`to_study` is a Study Instance UID, `to_patient` has PatientID and may have IssuerOfPatientID, "
        "PatientName, PatientBirthDate, PatientSex. With `series` only these go: to a patient, or to nobody named, as a new "
        "study, which says what `attributes` has by keyword, and otherwise what the old one says. The answer names the "
        "study where they are.",
    ),
    WebRoute(
        "POST",
        "/actions/patients/merge",
        merge_patients,
        "edit",
        "Make all studies of one patient those of another",
        tag="Actions",
        consumes=JSON,
        statuses=DONE,
        description="`from` has PatientID and may have IssuerOfPatientID; `into` is a patient as `to_patient` of assigning.",
    ),
)
