"""The message that tells of the state of an order (ORM^O01), and what is kept for it until it is written.

Whoever changes an entry has no time to write messages: he keeps what the entry says at that moment, and the job that sends
the message writes it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson
from charrua_hl7.outgoing.composing import composed, moment
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.outgoing.segments import Order, Patient, obr, orc, pid

if TYPE_CHECKING:
    from charrua_hl7.worklist.entries import Entry

TYPE = "ORM^O01"
_PATIENT = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")


def facts_of(entry: Entry, state: str) -> dict[str, Any]:
    """Give what is told of an entry, as JSON: patient and order as they are now, and the state of the order (table 0038)."""
    return {"patient": asdict(patient_of(entry.attributes)), "order": asdict(order_of(entry)), "state": state}


def order_message(kept: RowMapping, receiver: Receiver) -> bytes:
    """Give the message of a row of the table `message`, as its receiver reads it."""
    facts = kept["facts"]
    patient, order = Patient(**facts["patient"]), Order(**facts["order"] | {"code": tuple(facts["order"]["code"])})
    said_at = moment(kept["at"].astimezone())
    segments = [("PID", pid(patient)), ("ORC", orc(order, "SC", facts["state"], said_at)), ("OBR", obr(order))]
    sender = (kept["sending_application"], kept["sending_facility"])
    return composed(TYPE, kept["control_id"], receiver, sender, segments)


def patient_of(attributes: DicomJson) -> Patient:
    """Give the patient of an entry."""
    return Patient(*(_value(attributes, keyword) for keyword in _PATIENT))


def order_of(entry: Entry) -> Order:
    """Give the order of an entry."""
    kept, step = entry.attributes, entry.step
    date, time = _value(step, "ScheduledProcedureStepStartDate"), _value(step, "ScheduledProcedureStepStartTime")
    return Order(
        placer=_value(kept, "PlacerOrderNumberImagingServiceRequest"),
        filler=_value(kept, "FillerOrderNumberImagingServiceRequest"),
        accession_number=_value(kept, "AccessionNumber"),
        requested_procedure_id=_value(kept, "RequestedProcedureID"),
        step_id=_value(step, "ScheduledProcedureStepID"),
        code=_code(kept),
        modality=_value(step, "Modality"),
        start=f"{date}{time.replace(':', '')[:6]:0<6}" if date else "",
    )


def _code(attributes: DicomJson) -> tuple[str, str, str]:
    item = (attributes.get(tag_of("RequestedProcedureCodeSequence"), {}).get("Value") or [{}])[0]
    code, scheme = _value(item, "CodeValue"), _value(item, "CodingSchemeDesignator")
    return code, _value(item, "CodeMeaning") or _value(attributes, "RequestedProcedureDescription"), scheme


def _value(attributes: DicomJson, keyword: str) -> str:
    from charrua_hl7.worklist.entries import value  # which tells of what it writes, by this module

    return value(attributes, tag_of(keyword))
