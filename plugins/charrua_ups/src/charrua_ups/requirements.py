"""What PS3.4 table CC.2.5-3 asks of the attributes: when a workitem is created, when it is set, before its final state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from charrua_core.archive.index.levels import tag_of, tags_of
from charrua_core.archive.search import dates
from charrua_core.dicom.n_services import AttributeMissing, ValueInvalid, ValueMissing
from charrua_core.types import DicomJson, is_valid_uid
from charrua_ups.model import (
    CANCELLED_AT,
    INPUT,
    MODIFIED,
    PERFORMED,
    PRIORITY,
    PROGRESS,
    READINESS,
    REASON_CODE,
    REQUESTS,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    START,
    STATE,
    STUDY_UID,
    TRANSACTION_UID,
    State,
    text,
    values,
)
from charrua_ups.refusals import FinalStateUnmet, NotScheduled

VALUED = tags_of(
    "ScheduledProcedureStepPriority ProcedureStepLabel ScheduledProcedureStepStartDateTime InputReadinessState "
    "ProcedureStepState"
)
"""Type 1/1: given with a value; where they are set later, not without one."""
NEVER_EMPTIED = (*VALUED, tag_of("WorklistLabel"))

PRESENT = tags_of(
    "TransactionUID WorklistLabel ScheduledProcessingParametersSequence ScheduledStationNameCodeSequence "
    "ScheduledStationClassCodeSequence ScheduledStationGeographicLocationCodeSequence ScheduledWorkitemCodeSequence "
    "CommentsOnTheScheduledProcedureStep InputInformationSequence PatientName OtherPatientIDsSequence PatientBirthDate "
    "PatientSex AdmissionID IssuerOfAdmissionIDSequence AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence "
    "ReferencedRequestSequence ProcedureStepProgressInformationSequence UnifiedProcedureStepPerformedProcedureSequence"
)
"""Type 2/2 and 2/1: given, maybe empty."""

EMPTY = (TRANSACTION_UID, PROGRESS, PERFORMED)
"""Given empty when a workitem is created."""

ENUMERATED: Mapping[str, frozenset[str]] = {
    PRIORITY: frozenset({"HIGH", "MEDIUM", "LOW"}),
    READINESS: frozenset({"INCOMPLETE", "UNAVAILABLE", "READY"}),
}

NEVER_SET = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STATE, MODIFIED})
"""What a workitem has from the archive: by its creation, by Change UPS State, by the clock."""

_CODE_SEQUENCES = tags_of(
    "ScheduledStationNameCodeSequence ScheduledStationClassCodeSequence ScheduledStationGeographicLocationCodeSequence "
    "ScheduledWorkitemCodeSequence AdmittingDiagnosesCodeSequence"
)
_CODE_VALUES = tags_of("CodeValue LongCodeValue URNCodeValue")
_CODE_MEANING = tag_of("CodeMeaning")
_TYPE_OF_INSTANCES = tag_of("TypeOfInstances")
_PERFORMED_ITEM = tags_of(
    "PerformedStationNameCodeSequence PerformedWorkitemCodeSequence PerformedProcedureStepStartDateTime "
    "PerformedProcedureStepEndDateTime"
)
_OUTPUT = tag_of("OutputInformationSequence")


def check_creation(attributes: DicomJson) -> None:
    """Raise NotScheduled, AttributeMissing, ValueMissing or ValueInvalid where N-CREATE's column is not met."""
    if missing := [tag for tag in (*VALUED, *PRESENT) if tag not in attributes]:
        raise AttributeMissing(missing)
    if missing := [tag for tag in VALUED if not values(attributes, tag)]:
        raise ValueMissing(missing)
    if text(attributes, STATE) != State.SCHEDULED:
        raise NotScheduled
    if filled := [tag for tag in EMPTY if values(attributes, tag)]:
        raise ValueInvalid(filled)
    _check_values(attributes)


def check_setting(changes: DicomJson) -> None:
    """Raise ValueInvalid or ValueMissing where N-SET's column is not met."""
    if never := [tag for tag in changes if tag in NEVER_SET]:
        raise ValueInvalid(never)
    if emptied := [tag for tag in NEVER_EMPTIED if tag in changes and not values(changes, tag)]:
        raise ValueMissing(emptied)
    _check_values(changes)


def _check_values(attributes: DicomJson) -> None:
    wrong = [tag for tag, known in ENUMERATED.items() if tag in attributes and text(attributes, tag) not in known]
    uid, start = text(attributes, STUDY_UID), text(attributes, START)
    wrong += [STUDY_UID] if uid and not is_valid_uid(uid) else []
    wrong += [START] if start and dates.begin("DT", start) is None else []
    if wrong:
        raise ValueInvalid(wrong)
    if incomplete := list(_incomplete_items(attributes)):
        raise ValueMissing(incomplete)


def _incomplete_items(attributes: DicomJson) -> Iterator[str]:
    """Sequences with an item that lacks what makes it one: a code, a request's study, the type of the input."""
    for tag in _CODE_SEQUENCES:
        if not all(map(_is_code, values(attributes, tag))):
            yield tag
    for tag, needed in ((REQUESTS, STUDY_UID), (INPUT, _TYPE_OF_INSTANCES)):
        if not all(values(item, needed) for item in values(attributes, tag)):
            yield tag


def _is_code(item: Mapping[str, Any]) -> bool:
    return any(values(item, tag) for tag in _CODE_VALUES) and bool(values(item, _CODE_MEANING))


def check_final(attributes: DicomJson, state: State) -> None:
    """Raise FinalStateUnmet where the workitem lacks what its final state asks for (PS3.4 CC.2.5.1.1).

    COMPLETED needs what was performed (codes P); whether there is output is the performer's to say, so its sequence may be
    empty and not absent. CANCELED needs when and why (codes X).
    """
    missing = list(_unperformed(attributes) if state is State.COMPLETED else _unexplained(attributes))
    if missing:
        raise FinalStateUnmet(missing)


def _unperformed(attributes: DicomJson) -> Iterator[str]:
    items = values(attributes, PERFORMED)
    if not items:
        yield PERFORMED
        return
    for tag in _PERFORMED_ITEM:
        if not all(values(item, tag) for item in items):
            yield tag
    if not all(_OUTPUT in item for item in items):
        yield _OUTPUT


def _unexplained(attributes: DicomJson) -> Iterator[str]:
    items = values(attributes, PROGRESS)
    if not items:
        yield PROGRESS
        return
    for tag in (CANCELLED_AT, REASON_CODE):
        if not any(values(item, tag) for item in items):
            yield tag
