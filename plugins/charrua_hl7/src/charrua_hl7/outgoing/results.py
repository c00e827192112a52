"""Reports that are final, told to the receivers that are sent `results`: ORU^R01.

The text stands line by line in OBX of type TX; a PDF that the report's object holds in one of type ED; the address of the
study (setting `hl7_study_link`) in one of type RP.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import FinalReport
from charrua_hl7.outgoing.composing import DATA, Fields, Value, composed, lines, moment, physician
from charrua_hl7.outgoing.documents import pdf_of
from charrua_hl7.outgoing.order_messages import order_of
from charrua_hl7.outgoing.queue import Outgoing, enqueue, new_control_id, was_sent
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.outgoing.receivers import known_receivers
from charrua_hl7.outgoing.segments import Order, Patient, obr, orc, pid
from charrua_hl7.tables import entry

if TYPE_CHECKING:
    from charrua_core.app import App

REPORT_CODE = ("18748-4", "Diagnostic imaging study", "LN")
"""OBX-3: LOINC's code of a report of imaging."""
log = logging.getLogger(__name__)


async def report_final(app: App, report: FinalReport) -> None:
    """Have the receivers of results sent a report; told twice of the same, they are sent it once."""
    async with app.db.reading() as connection:
        receivers = [one for one in await known_receivers(app).sent(connection, "results") if one.enabled]
        order = await _order(connection, report) if receivers else Order()
    pdf = await pdf_of(app, report.sop_instance_uid) if receivers and report.sop_instance_uid else b""
    for receiver in receivers:
        written = await asyncio.to_thread(result_message, app, report, order, receiver, pdf)
        async with app.db.transaction() as tx:
            if not await was_sent(app, tx, receiver, written.control_id):
                await enqueue(app, tx, [written])


async def _order(tx: AsyncConnection, report: FinalReport) -> Order:
    """The order of the entry that the study was made for, else the accession number alone."""
    from charrua_hl7.worklist.entries import of_row

    is_its = [entry.c.study_uid == report.study_uid, entry.c.arrived_study_uid == report.study_uid]
    if report.accession_number:
        same = (entry.c.accession_number == report.accession_number) & (entry.c.patient_id == report.patient_id)
        is_its.append(same)
    newest = select(entry).where(or_(*is_its)).order_by(entry.c.id.desc()).limit(1)
    row = (await tx.execute(newest)).first()
    return order_of(of_row(row)) if row else Order(accession_number=report.accession_number)


def result_message(app: App, report: FinalReport, order: Order, receiver: Receiver, pdf: bytes = b"") -> Outgoing:
    """Give the message that tells a receiver of a report."""
    signed = moment(report.signed_at.astimezone())
    segments: list[tuple[str, Fields]] = [
        ("PID", pid(Patient(report.patient_id, report.issuer, report.patient_name, report.birth_date, report.sex))),
        ("ORC", orc(order, "RE", "CM", signed)),
        ("OBR", {4: REPORT_CODE} | _given(obr(order, f22=signed, f25=report.status))),
    ]
    segments += [("OBX", one) for one in _observations(app, report, signed, pdf)]
    fact = f"{receiver.name}\0{report.study_uid}\0{report.status}\0{report.signed_at.isoformat()}"
    control_id, sender = new_control_id(fact), (app.settings["hl7_application"], app.settings["hl7_facility"])
    content = composed("ORU^R01", control_id, receiver, sender, segments, pdf)
    return Outgoing(receiver, "ORU^R01", control_id, report.patient_id, order.accession_number, content)


def _given(fields: Fields) -> dict[int, Value]:
    return {number: value for number, value in fields.items() if any(value)}


def _observations(app: App, report: FinalReport, signed: str, pdf: bytes) -> list[Fields]:
    values: list[tuple[str, Value]] = [("TX", line) for line in (report.title, *lines(report.text)) if line.strip()]
    if pdf:
        application = app.settings["hl7_application"]
        values.append(("ED", (application, "AP", "PDF", "Base64", DATA)))
    if link := app.settings["hl7_study_link"]:
        values.append(
            ("RP", (link.replace("{study}", report.study_uid), app.settings["hl7_application"], "AP", "HTML"))
        )
    return [
        {
            1: str(number),
            2: kind,
            3: REPORT_CODE,
            4: "1",
            5: value,
            11: report.status,
            14: signed,
            16: physician(report.author),
        }
        for number, (kind, value) in enumerate(values, 1)
    ]
