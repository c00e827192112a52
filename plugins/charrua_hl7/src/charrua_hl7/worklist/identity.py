"""What an order says of whose study it is: what of that a study says otherwise, as an edit of it."""

from __future__ import annotations

from charrua_core.archive.edit.edit import Patient, patient_attributes
from charrua_core.archive.edit.record import Overlay
from charrua_core.archive.edit.values import checked
from charrua_core.archive.index.levels import ISSUER_OF_PATIENT_ID, PATIENT_ID, tag_of, text_of
from charrua_core.archive.index.names import name_key
from charrua_core.errors import EditInvalid
from charrua_core.types import DicomJson, Level

_NAME, _BIRTH_DATE, _SEX = tag_of("PatientName"), tag_of("PatientBirthDate"), tag_of("PatientSex")
_PATIENT = (_NAME, PATIENT_ID, ISSUER_OF_PATIENT_ID, _BIRTH_DATE, _SEX)
_ORDER = (tag_of("AccessionNumber"), tag_of("ReferringPhysicianName"))
_DESCRIBED, _STUDY_DESCRIPTION = tag_of("RequestedProcedureDescription"), tag_of("StudyDescription")


def differences(order: DicomJson, study: DicomJson) -> Overlay:
    """Give what a study is to say instead of what it says, so that it is the order's: what the order leaves open stays.

    The description is given where the study has none.
    """
    over: Overlay = {tag: order[tag] for tag in (*_PATIENT, *_ORDER) if _says_otherwise(order, study, tag)}
    if PATIENT_ID in over and not text_of(order.get(ISSUER_OF_PATIENT_ID)) and text_of(study.get(ISSUER_OF_PATIENT_ID)):
        over[ISSUER_OF_PATIENT_ID] = None  # it was the other ID's
    described = order.get(_DESCRIBED)
    for tag in (_STUDY_DESCRIPTION, _DESCRIBED):
        if described and text_of(described) and not text_of(study.get(tag)).strip():
            over[tag] = {"vr": "LO", "Value": described["Value"]}
    return {tag: one for tag, one in over.items() if _may_be(tag, one)}


def assigned(order: DicomJson, study: DicomJson) -> tuple[bool, Overlay]:
    """Give whether the study becomes another patient's, and what it is to say: of another patient nothing is left."""
    over = differences(order, study)
    if PATIENT_ID not in over:
        return False, over
    return True, patient_attributes(patient_of(order)) | {tag: one for tag, one in over.items() if tag not in _PATIENT}


def of_new_study(order: DicomJson) -> Overlay:
    """Give what a study of the order says beside the patient, where it is made of series."""
    return {tag: one for tag, one in differences(order, {}).items() if tag not in _PATIENT}


def patient_of(order: DicomJson) -> Patient:
    """Give the order's patient."""
    return Patient(
        text_of(order.get(PATIENT_ID)),
        text_of(order.get(ISSUER_OF_PATIENT_ID)),
        text_of(order.get(_NAME)),
        text_of(order.get(_BIRTH_DATE)),
        text_of(order.get(_SEX)),
    )


def is_same_patient(order: DicomJson, study: DicomJson) -> bool:
    """Whether order and study name the same patient ID, and no two issuers of it."""
    issuers = {text_of(one.get(ISSUER_OF_PATIENT_ID)).strip() for one in (order, study)} - {""}
    ids = {text_of(one.get(PATIENT_ID)).strip() for one in (order, study)}
    return len(ids) == 1 and len(issuers) < 2


def is_another_person(order: DicomJson, study: DicomJson) -> bool:
    """Whether an order and a study of two patient IDs name two persons: a mistyped ID leaves all else alike.

    They do where family name, birth date or sex contradict one another; what one of them leaves open contradicts nothing.
    """
    ids = {text_of(one.get(PATIENT_ID)).strip() for one in (order, study)} - {""}
    said = ({tag: text_of(one.get(tag)).strip() for tag in (_BIRTH_DATE, _SEX)} for one in (order, study))
    families = ({_NAME: name_key(text_of(one.get(_NAME)).split("^")[0])} for one in (order, study))
    ours, theirs = (one | family for one, family in zip(said, families, strict=True))
    return len(ids) > 1 and any(ours[tag] and theirs[tag] and ours[tag] != theirs[tag] for tag in ours)


def _says_otherwise(order: DicomJson, study: DicomJson, tag: str) -> bool:
    wanted, now = text_of(order.get(tag)).strip(), text_of(study.get(tag)).strip()
    if order.get(tag, {}).get("vr") == "PN":
        # `DOE^JANE^^` is the same name, `Doe^Jane` is written otherwise.
        wanted, now = (_trimmed(name) for name in (wanted, now))
        return bool(name_key(wanted)) and wanted != now
    return bool(wanted) and wanted != now


def _trimmed(name: str) -> str:
    return "=".join(group.rstrip("^ ") for group in name.split("=")).rstrip("=")


def _may_be(tag: str, element: dict[str, object] | None) -> bool:
    """Whether an edit may write this: an order may hold what no study can."""
    try:
        checked(Level.STUDY, {tag: element})
    except EditInvalid:
        return False
    return True
