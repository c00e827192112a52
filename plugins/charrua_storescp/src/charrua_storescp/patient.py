"""Whose object it is: no study, empty Patient Name or ID, one patient in a study (manual 7.3.1 and appendix 2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from charrua_core.archive.index.names import name_key
from charrua_core.types import Candidate, Coercion, DicomJson, Refuse
from charrua_storescp.choices import REFUSE, STAMP

if TYPE_CHECKING:
    from charrua_core.settings import Settings
    from charrua_core.types import StudyIdentity

PATIENT_NAME, PATIENT_ID, ISSUER = "00100010", "00100020", "00100021"
DOES_NOT_MATCH = 0xA900
REASON = "empty on arrival"


def judge(settings: Settings, candidate: Candidate) -> Refuse | None:
    """Refuse by accept_missing_study, accept_empty_patient_name, accept_empty_patient_id and same_patient, with 0xA900."""
    name, patient_id = _name(candidate), _id(candidate)
    if candidate.header.derived and not settings["accept_missing_study"]:
        return Refuse("the object names no study or series", DOES_NOT_MATCH, 400)
    if not name and settings["accept_empty_patient_name"] == REFUSE:
        return Refuse("the Patient Name is empty", DOES_NOT_MATCH, 400)
    if not patient_id and settings["accept_empty_patient_id"] == REFUSE:
        return Refuse("the Patient ID is empty", DOES_NOT_MATCH, 400)
    if settings["same_patient"] == "check" and candidate.study is not None and _differs(settings, candidate):
        return Refuse("Patient Name or ID differ from the study's", DOES_NOT_MATCH, 409)
    return None


def _differs(settings: Settings, candidate: Candidate) -> bool:
    """What is empty and gets a value here gets the study's, and cannot differ."""
    study: StudyIdentity | None = candidate.study
    assert study is not None  # noqa: S101  its caller has looked
    name, patient_id, issuer = _name(candidate), _id(candidate), candidate.header.value(ISSUER)
    stamps_name = settings["accept_empty_patient_name"] == STAMP and not name
    stamps_id = settings["accept_empty_patient_id"] == STAMP and not patient_id
    return (
        (not stamps_name and name_key(name) != name_key(study.patient_name.strip(" ^=")))
        or (not stamps_id and patient_id != study.patient_id)
        or bool(issuer and study.issuer and issuer != study.issuer)
    )


def coerce(settings: Settings, candidate: Candidate) -> Sequence[Coercion]:
    """Give an empty Patient Name or ID the study's, or the time of arrival for the first object of a study."""
    study = candidate.study
    given: DicomJson = {}
    if settings["accept_empty_patient_name"] == STAMP and not _name(candidate):
        given[PATIENT_NAME] = {"vr": "PN", "Value": [_groups(study.patient_name if study else "")]}
    if settings["accept_empty_patient_id"] == STAMP and not _id(candidate):
        given[PATIENT_ID] = {"vr": "LO", "Value": [(study.patient_id if study else "") or _stamp()]}
    return [Coercion(given, REASON)] if given else []


def _groups(name: str) -> dict[str, Any]:
    """A person name as DICOM JSON has it (PS3.18 F.2.2)."""
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), (name or _stamp()).split("="), strict=False)
    return {group: text for group, text in groups if text}


def _stamp() -> str:
    return datetime.now().strftime("%Y%m%d%H%M%S")


def _name(candidate: Candidate) -> str:
    """The Patient Name, empty also where it consists of separators only."""
    name: str = candidate.header.value(PATIENT_NAME)
    return name.strip(" ^=")


def _id(candidate: Candidate) -> str:
    patient_id: str = candidate.header.value(PATIENT_ID)
    return patient_id.strip()
