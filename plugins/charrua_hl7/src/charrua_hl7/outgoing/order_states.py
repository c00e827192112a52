"""The state of orders, told to the receivers that are sent `orders`: ORM^O01 with ORC-1 SC and the state in ORC-5.

An entry is told of when its state in HL7's words has changed, not whenever it is written. Who has just said so himself is
not told it back: where a message has made the change, the receiver whose MSH-5 and MSH-6 are the MSH-3 and MSH-4 of that
message is left out. What happened here (MPPS, the arrival of a study, a page, a timer) is told to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson
from charrua_hl7.outgoing.causes import sender_of
from charrua_hl7.outgoing.composing import composed, moment
from charrua_hl7.outgoing.queue import Outgoing, enqueue, new_control_id
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.outgoing.receivers import known_receivers
from charrua_hl7.outgoing.segments import Order, Patient, obr, orc, pid

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_hl7.worklist.entries import Entry

ORDER_STATES = {
    "SCHEDULED": "SC",
    "ARRIVED": "SC",
    "READY": "SC",
    "STARTED": "IP",
    "COMPLETED": "CM",
    "DISCONTINUED": "DC",
}
"""Scheduled Procedure Step Status → ORC-5 (table 0038). What is given up before it began is CA."""
CANCELLED = "CA"


async def tell(app: App, tx: AsyncConnection, changed: Sequence[tuple[Entry, str | None, int | None]]) -> None:
    """Have receivers told, with the transaction, of entries: each with its status before and the message that changed it."""
    told = [(one, state, cause) for one, before, cause in changed if (state := order_state(one.status, before))]
    for receiver in await known_receivers(app).sent(tx, "orders") if told else ():
        own = (receiver.application, receiver.facility)
        news = [(one, state) for one, state, cause in told if sender_of(cause) != own]
        for written in await asyncio.to_thread(_written, app, news, receiver) if news else ():
            await enqueue(app, tx, receiver, written)


def order_state(status: str, before: str | None) -> str:
    """Give the state that an order has now, "" where it is the one that it had."""
    state, former = ORDER_STATES[status], ORDER_STATES[before] if before else ""
    if state == former:
        return ""
    return CANCELLED if state == "DC" and former in ("", "SC") else state


def _written(app: App, told: Sequence[tuple[Entry, str]], receiver: Receiver) -> list[Outgoing]:
    return [order_message(app, one, state, receiver) for one, state in told]


def order_message(app: App, entry: Entry, state: str, receiver: Receiver) -> Outgoing:
    """Give the message that tells a receiver of the state of an entry."""
    patient, order = patient_of(entry.attributes), order_of(entry)
    now = moment(datetime.now().astimezone())
    segments = [("PID", pid(patient)), ("ORC", orc(order, "SC", state, now)), ("OBR", obr(order))]
    control_id, sender = new_control_id(), (app.settings["hl7_application"], app.settings["hl7_facility"])
    content = composed("ORM^O01", control_id, receiver, sender, segments)
    return Outgoing("ORM^O01", control_id, content, patient.id, order.accession_number)


def patient_of(attributes: DicomJson) -> Patient:
    """Give the patient of an entry."""
    keywords = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
    return Patient(*(_value(attributes, keyword) for keyword in keywords))


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
