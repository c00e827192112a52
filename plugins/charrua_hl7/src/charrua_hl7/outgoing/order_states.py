"""The state of orders, told to the receivers that are sent `orders`: ORM^O01 with ORC-1 SC and the state in ORC-5.

An entry is told of when its state in HL7's words has changed, not whenever it is written. Who has just said so himself is
not told it back: where a message has made the change, the receiver whose MSH-5 and MSH-6 are the MSH-3 and MSH-4 of that
message is left out. What happened here (MPPS, the arrival of a study, a page, a timer) is told to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_hl7.outgoing.causes import sender_of
from charrua_hl7.outgoing.order_messages import TYPE, facts_of
from charrua_hl7.outgoing.queue import Outgoing, enqueue, new_control_id
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.outgoing.receivers import known_receivers

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
    news: list[Outgoing] = []
    for receiver in await known_receivers(app).sent(tx, "orders") if told else ():
        own = (receiver.application, receiver.facility)
        news += [_outgoing(receiver, one, state) for one, state, cause in told if sender_of(cause) != own]
    await enqueue(app, tx, news)


def order_state(status: str, before: str | None) -> str:
    """Give the state that an order has now, "" where it is the one that it had."""
    state, former = ORDER_STATES[status], ORDER_STATES[before] if before else ""
    if state == former:
        return ""
    return CANCELLED if state == "DC" and former in ("", "SC") else state


def _outgoing(receiver: Receiver, one: Entry, state: str) -> Outgoing:
    facts = facts_of(one, state)
    patient, order = facts["patient"], facts["order"]
    return Outgoing(receiver, TYPE, new_control_id(), patient["id"], order["accession_number"], facts=facts)
