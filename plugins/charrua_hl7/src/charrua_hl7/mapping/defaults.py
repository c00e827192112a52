"""The mappings in force where nobody has saved others: IHE RAD TF-2 4.4 and appendix B, and what senders do besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_hl7.mapping.lines import STEP, Line, Lines


def _line(to: str, sources: str, way: str = "text", **rest: Any) -> Line:
    return Line(to, tuple(sources.split(", ")) if sources else (), way, **rest)


_ID = "PID-3[5=MR|PI|*]"
PATIENT: Lines = (
    _line("PatientName", "PID-5", "name"),
    _line("PatientID", f"{_ID}, PID-2, PID-4", "id", note="MR before PI before the first"),
    _line("IssuerOfPatientID", f"{_ID}.4", "issuer"),
    _line("OtherPatientIDsSequence", "PID-3", "ids", note="without the one that is Patient ID"),
    _line("PatientBirthDate", "PID-7", "day"),
    _line("PatientSex", "PID-8", "sex"),
    _line("PatientMotherBirthName", "PID-6", "name"),
    _line("PatientAddress", "PID-11", "address"),
    _line("EthnicGroup", "PID-22", "words"),
    _line("PatientComments", "PID>NTE-3"),
    _line("PatientWeight", "OBX[3=29463-7|3141-9|Body Weight]-5", "kilograms"),
    _line("PatientSize", "OBX[3=8302-2|3137-7|Body Height]-5", "metres"),
    _line("Allergies", "AL1-3", "words"),
    _line("PregnancyStatus", "PV1-15", "pregnancy"),
)
"""Of any message (PID, AL1, OBX)."""

VISIT: Lines = (
    _line("AdmissionID", "PV1-19, PID-18", "id"),
    _line("IssuerOfAdmissionIDSequence.LocalNamespaceEntityID", "PV1-19.4", "issuer"),
    _line("CurrentPatientLocation", "PV1-3", "location"),
    _line("ReferringPhysicianName", "PV1-8", "person"),
    _line("ConfidentialityConstraintOnPatientDataDescription", "PV1-16", "words", note="VIP"),
)
"""Of the visit (PV1)."""

_ORDER_VISIT: Lines = (
    *(line for line in VISIT if line.to != "ReferringPhysicianName"),
    _line("ReferringPhysicianName", "PV1-8, ORC-12, OBR-16", "person"),
)

_REQUEST: Lines = (
    _line("AccessionNumber", "IPC-1, OBR-18, ORC-3, OBR-3, ORC-2, OBR-2", "id", note="else the order's number"),
    _line("IssuerOfAccessionNumberSequence.LocalNamespaceEntityID", "IPC-1.2", "issuer"),
    _line("PlacerOrderNumberImagingServiceRequest", "ORC-2, OBR-2", "id"),
    _line("OrderPlacerIdentifierSequence.LocalNamespaceEntityID", "ORC-2.2, OBR-2.2", "issuer"),
    _line("FillerOrderNumberImagingServiceRequest", "ORC-3, OBR-3", "id"),
    _line("OrderFillerIdentifierSequence.LocalNamespaceEntityID", "ORC-3.2, OBR-3.2", "issuer"),
    _line("StudyInstanceUID", "IPC-3, ZDS-1, OBR-20", "uid", note="OBR-20 as Conquest sends it"),
    _line("RequestingPhysician", "OBR-16, ORC-12", "person"),
    _line("RequestingService", "ORC-17", "words"),
    _line("OrderEnteredBy", "ORC-10", "person"),
    _line("OrderEntererLocation", "ORC-13", "location"),
    _line("IssueDateOfImagingServiceRequest", "ORC-9, ORC-15", "date"),
    _line("IssueTimeOfImagingServiceRequest", "ORC-9, ORC-15", "time"),
    _line("RequestedProcedureID", "IPC-2, OBR-19, OBR-18, ORC-3, OBR-3, ORC-2, OBR-2", "id"),
    _line("RequestedProcedureDescription", "OBR-44, OBR-4, OBR-4.4-6, IPC-6", "words"),
    _line("RequestedProcedureCodeSequence", "OBR-44, OBR-4", "code"),
    _line("RequestedProcedurePriority", "TQ1-9, ORC-7.6, OBR-27.6, OBR-5", "priority"),
    _line("ReasonForTheRequestedProcedure", "OBR-31, ORC-16", "words"),
    _line("ReasonForRequestedProcedureCodeSequence", "OBR-31", "code"),
    _line("RequestedProcedureComments", "NTE-3"),
    _line("PatientTransportArrangements", "OBR-30", "words"),
    _line("PatientState", "OBR-12", "words"),
    _line("MedicalAlerts", "OBR-13"),
    _line("AdditionalPatientHistory", "OBR-13"),
)

_WHEN = "TQ1-7, ORC-7.4, OBR-27.4, OBR-36, OBR-7, OBR-6"
_WHEN_BOOKED = "AIS-4, TQ1-7, SCH-11.4, AIG-8, AIL-6, AIP-6, SCH-10.4"


def _step(keyword: str, sources: str, way: str = "text", **rest: Any) -> Line:
    return _line(f"{STEP}.{keyword}", sources, way, **rest)


_ORDERED_STEP: Lines = (
    _step("ScheduledProcedureStepStartDate", _WHEN, "date", default="MSH-7"),
    _step("ScheduledProcedureStepStartTime", _WHEN, "time", default="MSH-7"),
    _step("Modality", "IPC-5, OBR-24, ZAO-3, OBR-21, OBR-4, OBR-44", "modality"),
    _step("ScheduledStationAETitle", "IPC-9", "aet"),
    _step("ScheduledStationName", "IPC-7"),
    _step("ScheduledProcedureStepLocation", "IPC-8"),
    _step("ScheduledPerformingPhysicianName", "OBR-34", "person"),
    _step("ScheduledProcedureStepDescription", "IPC-6, OBR-4.4-6, OBR-4, OBR-44", "words"),
    _step("ScheduledProtocolCodeSequence", "IPC-6, OBR-4.4-6, OBR-4, OBR-44", "code"),
    _step("ScheduledProcedureStepID", "IPC-4, OBR-20", "id", note="else which step of its order it is"),
)

_BOOKING: Lines = (
    _line("AccessionNumber", "SCH-27, SCH-26, AIS-11, SCH-2, SCH-1", "id", note="else the order's number"),
    _line("PlacerOrderNumberImagingServiceRequest", "SCH-26, AIS-11, SCH-1", "id"),
    _line("FillerOrderNumberImagingServiceRequest", "SCH-27, SCH-2", "id"),
    _line("StudyInstanceUID", "ZDS-1", "uid"),
    _line("RequestingPhysician", "SCH-16, SCH-12", "person"),
    _line("OrderEnteredBy", "SCH-20", "person"),
    _line("RequestedProcedureID", "SCH-27, SCH-26, AIS-11, SCH-2, SCH-1", "id"),
    _line("RequestedProcedureDescription", "AIS-3, SCH-8, SCH-7, SCH-6", "words"),
    _line("RequestedProcedureCodeSequence", "AIS-3", "code"),
    _line("RequestedProcedurePriority", "TQ1-9, SCH-11.6", "priority"),
    _line("ReasonForTheRequestedProcedure", "SCH-7, SCH-6", "words"),
    _line("RequestedProcedureComments", "AIS>NTE-3, SCH>NTE-3"),
    _step("ScheduledProcedureStepStartDate", _WHEN_BOOKED, "date", default="MSH-7"),
    _step("ScheduledProcedureStepStartTime", _WHEN_BOOKED, "time", default="MSH-7"),
    _step("Modality", "AIS-3, SCH-8, SCH-7, SCH-6", "modality"),
    _step("ScheduledPerformingPhysicianName", "AIP-3", "person"),
    _step("ScheduledProcedureStepLocation", "AIL-3"),
    _step("ScheduledProcedureStepDescription", "AIS-3, SCH-8, SCH-7, SCH-6", "words"),
    _step("ScheduledProtocolCodeSequence", "AIS-3", "code"),
)


_ORDER: Lines = (*PATIENT, *_ORDER_VISIT, *_REQUEST, *_ORDERED_STEP)

DEFAULTS: Mapping[str, Lines] = {
    "ORM": _ORDER,
    "OMI": _ORDER,
    "OMG": _ORDER,
    "SIU": (*PATIENT, *VISIT, *_BOOKING),
    "ADT": (*PATIENT, *VISIT),
    "ORU": PATIENT,
}
"""By message code (MSH-9.1)."""
