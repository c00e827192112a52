"""Entries as people and scripts write them: texts by keyword, checked, laid into the data set that the worklist tells."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.uid import generate_uid

from charrua_core.archive.edit.values import checked, from_keywords
from charrua_core.archive.index.levels import level_of, tag_of, text_of
from charrua_core.errors import EditInvalid
from charrua_core.types import DicomJson, Level
from charrua_core.web import Fields
from charrua_hl7.worklist.entries import STEP, step_of

OF_ORDER = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "CurrentPatientLocation"),
    *("AccessionNumber", "RequestedProcedureDescription", "ReferringPhysicianName", "ReasonForTheRequestedProcedure"),
    *("RequestedProcedurePriority", "PatientWeight", "MedicalAlerts", "Allergies", "RequestingPhysician"),
)
OF_STEP = (
    *("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality", "ScheduledStationAETitle"),
    *("ScheduledStationName", "ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription"),
    "CommentsOnTheScheduledProcedureStep",
)
EDITABLE = (*OF_ORDER, *OF_STEP)
"""The keywords that can be written by hand; all else of an entry is the order's, or made here."""
MANUAL: Mapping[str, str] = {
    "id": "AccessionNumber",
    "descr": "RequestedProcedureDescription",
    "date": "ScheduledProcedureStepStartDate",
    "starttime": "ScheduledProcedureStepStartTime",
    "patid": "PatientID",
    "patname": "PatientName",
    "patbd": "PatientBirthDate",
    "patsex": "PatientSex",
    "origin": "CurrentPatientLocation",
    "modality": "Modality",
    "aet": "ScheduledStationAETitle",
    "referring": "ReferringPhysicianName",
    "clinicaldata": "ReasonForTheRequestedProcedure",
}
"""The manual's fields (appendix 5.7) by the attributes that they are."""
NEEDED = ("PatientID", "PatientName")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?")
_VR_OF_UID = "UI"


def read(fields: Fields, names: Mapping[str, str]) -> DicomJson:
    """Give what the fields say, by tag, an element without Value where one is empty. HttpError 400 names the field."""
    return dict(
        _one(fields, name, keyword) for name, keyword in names.items() if name in fields or not fields.text(name)
    )


def _one(fields: Fields, name: str, keyword: str) -> tuple[str, dict[str, Any]]:
    tag = tag_of(keyword)
    level = level_of(tag)
    try:
        element = from_keywords({keyword: _as_dicom(keyword, fields.text(name))})
        checked(Level.STUDY if level is Level.PATIENT else level, element)
    except EditInvalid as error:
        raise fields.wrong(name, str(error).removeprefix(f"{keyword}: ")) from error
    return tag, element[tag] or {"vr": dictionary_VR(int(tag, 16))}


def _as_dicom(keyword: str, text: str) -> str:
    """Dates and times as browsers write them, and names with a comma, are taken too."""
    vr = dictionary_VR(int(tag_of(keyword), 16))
    if vr == "DA":
        return _DATE.sub(r"\1\2\3", text)
    if vr == "TM":
        return _TIME.sub(lambda found: "".join(part or "" for part in found.groups()), text)
    if vr == "PN" and "^" not in text and "=" not in text:
        return "^".join(part.strip() for part in text.split(",", 1))
    return text.upper() if vr == "CS" else text


def laid(attributes: DicomJson, given: DicomJson) -> DicomJson:
    """Give the data set with these values, those of the step in its item; an element without Value takes one away."""
    steps = {tag_of(keyword) for keyword in OF_STEP}
    step = _with(step_of(attributes), {tag: one for tag, one in given.items() if tag in steps})
    order = _with(attributes, {tag: one for tag, one in given.items() if tag not in steps})
    return order | {STEP: {"vr": "SQ", "Value": [step]}}


def _with(attributes: DicomJson, given: DicomJson) -> DicomJson:
    merged = attributes | given
    return {tag: one for tag, one in merged.items() if one.get("Value") or tag not in given}


def made(given: DicomJson, modality: str, now: datetime) -> DicomJson:
    """Give the data set of a new entry, with what it must have and nobody has said.

    That is UIDs and IDs, the modality, the day, and the description of the step (PS3.4 table K.6-1).
    """
    of_step: DicomJson = {
        tag_of("Modality"): {"vr": "CS", "Value": [modality]},
        tag_of("ScheduledProcedureStepStartDate"): {"vr": "DA", "Value": [f"{now:%Y%m%d}"]},
    }
    date, time = tag_of("ScheduledProcedureStepStartDate"), tag_of("ScheduledProcedureStepStartTime")
    if not text_of(given.get(date)) and not text_of(given.get(time)):
        of_step[time] = {"vr": "TM", "Value": [f"{now:%H%M}00"]}
    described = given.get(tag_of("RequestedProcedureDescription"), {}).get("Value")
    if described:
        of_step[tag_of("ScheduledProcedureStepDescription")] = {"vr": "LO", "Value": described}
    said = {tag: one for tag, one in given.items() if one.get("Value")}
    return laid(_new(), of_step | said)


def _new() -> DicomJson:
    number = f"{secrets.randbelow(10**12):012}"
    step = {tag_of("ScheduledProcedureStepID"): {"vr": "SH", "Value": [f"S{number}"]}}
    return {
        tag_of("StudyInstanceUID"): {"vr": _VR_OF_UID, "Value": [str(generate_uid(prefix=None))]},
        tag_of("RequestedProcedureID"): {"vr": "SH", "Value": [f"P{number}"]},
        STEP: {"vr": "SQ", "Value": [step]},
    }
