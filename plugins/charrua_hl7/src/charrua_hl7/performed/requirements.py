"""What PS3.4 table F.7.2-1 asks of the attributes: when a step is created, when it is set, before its final state.

What links a step to its order and its images is asked for. Where modalities are known to be careless, it is not: what is
left out is noted, and shown with the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR

from charrua_core.archive.index.levels import tag_of, tags_of
from charrua_core.dicom.n_services import AttributeMissing, ValueInvalid, ValueMissing, keyword
from charrua_core.types import DicomJson, is_valid_uid
from charrua_hl7.performed.model import (
    CHARACTER_SET,
    END_DATE,
    END_TIME,
    SCHEDULED,
    SERIES,
    SERIES_UID,
    STATUS,
    STUDY_UID,
    State,
    has_value,
    items,
    text,
)
from charrua_hl7.performed.notes import Note

VALUED = tags_of(
    "ScheduledStepAttributesSequence PerformedProcedureStepID PerformedStationAETitle PerformedProcedureStepStartDate "
    "PerformedProcedureStepStartTime PerformedProcedureStepStatus Modality"
)
"""Type 1 at N-CREATE: given with a value."""

PRESENT = tags_of(
    "PatientName PatientID PatientBirthDate PatientSex ReferencedPatientSequence PerformedStationName PerformedLocation "
    "PerformedProcedureStepDescription PerformedProcedureTypeDescription ProcedureCodeSequence PerformedProcedureStepEndDate "
    "PerformedProcedureStepEndTime StudyID PerformedProtocolCodeSequence PerformedSeriesSequence"
)
"""Type 2 at N-CREATE: what a modality leaves out of them is taken as empty, and noted."""

NEVER_SET = frozenset(
    tags_of(
        "ScheduledStepAttributesSequence PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence "
        "OtherPatientIDsSequence PatientBirthDate PatientSex ReferencedPatientSequence AdmissionID "
        "IssuerOfAdmissionIDSequence ServiceEpisodeID IssuerOfServiceEpisodeIDSequence ServiceEpisodeDescription "
        "PerformedProcedureStepID PerformedStationAETitle PerformedStationName PerformedLocation "
        "PerformedProcedureStepStartDate PerformedProcedureStepStartTime Modality StudyID"
    )
)
"""Not allowed at N-SET. Modalities that send all they know at every N-SET exist: the same value again is no fault."""

_NOT_KEPT = frozenset({CHARACTER_SET, *tags_of("SOPClassUID SOPInstanceUID")})
"""What is kept is Unicode; the UIDs stand in the command."""

_OF_SERIES = tags_of(
    "PerformingPhysicianName ProtocolName OperatorsName SeriesDescription RetrieveAETitle ReferencedImageSequence "
    "ReferencedNonImageCompositeSOPInstanceSequence"
)
"""What the final state asks of each series, and does without here."""

_CHECKED_VRS = frozenset({"SQ", "PN"})


def check_creation(given: DicomJson) -> list[Note]:
    """Give notes on what N-CREATE left out. Raises AttributeMissing, ValueMissing, ValueInvalid for what is asked for."""
    _check_kinds(given)
    if missing := [tag for tag in VALUED if tag not in given]:
        raise AttributeMissing(missing)
    if missing := [tag for tag in VALUED if not has_value(given, tag)]:
        raise ValueMissing(missing)
    if text(given, STATUS) != State.IN_PROGRESS:
        raise ValueInvalid([STATUS])
    for item in items(given, SCHEDULED):
        _check_uid(item, STUDY_UID)
    left_out = [tag for tag in PRESENT if tag not in given]
    return [Note("filled_in", _keywords(left_out))] if left_out else []


def completed(given: DicomJson) -> DicomJson:
    """Give what N-CREATE brought as it is kept: with all attributes of type 2."""
    empty = {tag: {"vr": dictionary_VR(int(tag, 16))} for tag in PRESENT}
    return empty | {tag: one for tag, one in given.items() if tag not in _NOT_KEPT}


def check_setting(kept: DicomJson, changes: DicomJson) -> tuple[DicomJson, list[str]]:
    """Give what of the changes is to be set, and which attributes are not because N-SET may not. Raises ValueInvalid."""
    _check_kinds(changes)
    if STATUS in changes and text(changes, STATUS) not in list(State):
        raise ValueInvalid([STATUS])
    refused = [tag for tag, one in changes.items() if tag in NEVER_SET and not _same(kept.get(tag), one)]
    wanted = {tag: one for tag, one in changes.items() if tag not in NEVER_SET | _NOT_KEPT}
    return {tag: one for tag, one in wanted.items() if tag not in kept or not _same(kept[tag], one)}, refused


def _same(kept: Mapping[str, Any] | None, given: Mapping[str, Any]) -> bool:
    before = kept or {}
    return all((before.get(name) or None) == (given.get(name) or None) for name in ("Value", "InlineBinary"))


def check_final(attributes: DicomJson, state: State) -> list[Note]:
    """Give notes on what the final state leaves out.

    COMPLETED raises ValueMissing without an end and at least one series, and ValueInvalid for a series whose UID is none.
    """
    lacking = [tag for tag in (END_DATE, END_TIME, SERIES) if not has_value(attributes, tag)]
    if state is State.COMPLETED:
        if lacking:
            raise ValueMissing(lacking)
        for item in items(attributes, SERIES):
            _check_uid(item, SERIES_UID, ValueMissing)
    lacking += sorted(set(_lacking_in_series(attributes)))
    return [Note("final_lacks", _keywords(lacking))] if lacking else []


def _lacking_in_series(attributes: DicomJson) -> Iterator[str]:
    for item in items(attributes, SERIES):
        yield from (tag for tag in _OF_SERIES if tag not in item)
        if not text(item, tag_of("ProtocolName")):
            yield tag_of("ProtocolName")


def _check_uid(
    item: DicomJson, tag: str, missing: type[AttributeMissing] | type[ValueMissing] = AttributeMissing
) -> None:
    if tag not in item:
        raise missing([tag])
    if not text(item, tag):
        raise ValueMissing([tag])
    if not is_valid_uid(text(item, tag)):
        raise ValueInvalid([tag])


def _check_kinds(attributes: DicomJson) -> None:
    """Raise ValueInvalid where a sequence or a name is none: all that reads them later can rely on it."""
    wrong = [tag for tag, one in attributes.items() if one["vr"] != _expected(tag, one["vr"])]
    if wrong:
        raise ValueInvalid(wrong)
    for tag, one in attributes.items():
        if one["vr"] == "SQ":
            for item in items(attributes, tag):
                _check_kinds(item)


def _expected(tag: str, given: str) -> str:
    """Give the VR that an attribute has to have: that of PS3.6 where it or the one given is a sequence or a name."""
    try:
        known = dictionary_VR(int(tag, 16))
    except KeyError:
        return given
    return known if {known, given} & _CHECKED_VRS else given


def _keywords(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(keyword(int(tag, 16)) for tag in tags)
