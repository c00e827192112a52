"""The words of the service: SOP classes, well-known instances, states, attributes and events (PS3.4 CC.2, CC.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson, Identity, Origin

_ROOT = "1.2.840.10008.5.1.4.34.6"
PUSH, WATCH, PULL, EVENT, QUERY = (f"{_ROOT}.{number}" for number in range(1, 6))
SOP_CLASSES = frozenset({PUSH, WATCH, PULL, EVENT, QUERY})
"""All workitems are instances of PUSH (PS3.4 CC.3.1)."""

WORKLIST = "1.2.840.10008.5.1.4.34.5"
FILTERED_WORKLIST = "1.2.840.10008.5.1.4.34.5.1"
"""The well-known instances to which an AE subscribes for all workitems, and for those that match its keys."""

SOP_CLASS_UID = tag_of("SOPClassUID")
SOP_INSTANCE_UID = tag_of("SOPInstanceUID")
CHARACTER_SET = tag_of("SpecificCharacterSet")
TRANSACTION_UID = tag_of("TransactionUID")
STATE = tag_of("ProcedureStepState")
PRIORITY = tag_of("ScheduledProcedureStepPriority")
READINESS = tag_of("InputReadinessState")
WORKLIST_LABEL = tag_of("WorklistLabel")
START = tag_of("ScheduledProcedureStepStartDateTime")
MODIFIED = tag_of("ScheduledProcedureStepModificationDateTime")
PATIENT_NAME = tag_of("PatientName")
STUDY_UID = tag_of("StudyInstanceUID")
STATION_NAME = tag_of("ScheduledStationNameCodeSequence")
STATION_CLASS = tag_of("ScheduledStationClassCodeSequence")
PERFORMERS = tag_of("ScheduledHumanPerformersSequence")
REQUESTS = tag_of("ReferencedRequestSequence")
INPUT = tag_of("InputInformationSequence")
OBJECTS = tag_of("ReferencedSOPSequence")
PROGRESS = tag_of("ProcedureStepProgressInformationSequence")
PERFORMED = tag_of("UnifiedProcedureStepPerformedProcedureSequence")
CANCELLED_AT = tag_of("ProcedureStepCancellationDateTime")
REASON = tag_of("ReasonForCancellation")
REASON_CODE = tag_of("ProcedureStepDiscontinuationReasonCodeSequence")
COMMUNICATIONS = tag_of("ProcedureStepCommunicationsURISequence")
CONTACT_URI = tag_of("ContactURI")
CONTACT_NAME = tag_of("ContactDisplayName")
REQUESTING_AE = tag_of("RequestingAE")
RECEIVING_AE = tag_of("ReceivingAE")
DELETION_LOCK = tag_of("DeletionLock")


class State(StrEnum):
    """Procedure Step State (0074,1000), PS3.4 CC.1.1."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL = frozenset({State.COMPLETED, State.CANCELED})


class Action(IntEnum):
    """Action Type IDs (PS3.4 CC.2.1 to CC.2.3)."""

    CHANGE_STATE = 1
    REQUEST_CANCEL = 2
    SUBSCRIBE = 3
    UNSUBSCRIBE = 4
    SUSPEND_GLOBAL = 5


class EventType(IntEnum):
    """Event Type IDs (PS3.4 table CC.2.4-1)."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    SCP_STATUS_CHANGE = 4
    ASSIGNED = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an identity, where from, and the AE title that others are told of it."""

    identity: Identity
    origin: Origin
    aet: str


def element(vr: str, *values: Any) -> dict[str, Any]:
    """Give an element of the DICOM JSON Model."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def values(attributes: Mapping[str, Mapping[str, Any]], tag: str) -> Sequence[Any]:
    """Give the values of an attribute that are not empty; a sequence's items."""
    return [value for value in attributes.get(tag, {}).get("Value", ()) if value not in (None, "")]


def text(attributes: Mapping[str, Mapping[str, Any]], tag: str) -> str:
    """Give an attribute's first value as text, "" where it has none."""
    found = values(attributes, tag)
    return str(found[0]).strip() if found else ""


def selected(attributes: DicomJson, *tags: str) -> DicomJson:
    """Give those of the attributes that have a value."""
    return {tag: attributes[tag] for tag in tags if values(attributes, tag)}


def now() -> str:
    """Give the time as a DT, in UTC."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S.%f}+0000"
