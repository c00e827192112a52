"""ADT by event: patients and visits updated, merged, moved (HL7 v2 chapter 3.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_hl7.errors import EventUnsupported
from charrua_hl7.patients.done import Done
from charrua_hl7.patients.merging import merge
from charrua_hl7.patients.said import Said, said
from charrua_hl7.patients.updating import update
from charrua_hl7.patients.visits import move, renumber
from charrua_hl7.processing import Outcome, Received

if TYPE_CHECKING:
    from charrua_core.app import App

Act = Callable[["App", AsyncConnection, Received, Said], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Event:
    """What an event stands for: what is done for each patient of its message, None where nothing here depends on it."""

    act: Act | None
    events: Sequence[str]


async def _update(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await update(app, tx, received, one, patient=True, visit=True)


async def _update_person(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await update(app, tx, received, one, patient=True, visit=False)


async def _update_visit(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await update(app, tx, received, one, patient=False, visit=True)


async def _renumber_account(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await renumber(app, tx, received, one, former="MRG-3.1", now="PID-18.1")


async def _renumber_visit(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await renumber(app, tx, received, one, former="MRG-5.1", now="PV1-19.1")


async def _move_account(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await move(app, tx, received, one, number="MRG-3.1")


async def _move_visit(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    return await move(app, tx, received, one, number="MRG-5.1")


_TABLE = (
    # Admitted, transferred, discharged, registered, updated; A43 moves an ID between persons and leaves it as it is.
    Event(_update, ("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A14")),
    Event(_update_person, ("A28", "A31", "A43")),
    Event(_update_visit, ("A10", "A11", "A12", "A13")),
    # By patient, person, identifier, list of identifiers; A46 and A47 change them.
    Event(merge, ("A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47")),
    Event(_renumber_account, ("A35", "A41", "A49")),
    Event(_renumber_visit, ("A42", "A50")),
    Event(_move_account, ("A44",)),
    Event(_move_visit, ("A45",)),
    # Linked and unlinked: two patients stay two here.
    Event(None, ("A24", "A37")),
    # On the way, pending, on leave, beds, allergies, who treats.
    Event(None, ("A09", "A15", "A16", "A17", "A20", "A21", "A22", "A25", "A26", "A27", "A32", "A33", "A38")),
    Event(None, ("A48", "A51", "A52", "A53", "A54", "A55", "A60", "A61", "A62")),
)
_ACTS: dict[str, Act | None] = {event: one.act for one in _TABLE for event in one.events}


async def adt(app: App, tx: AsyncConnection, received: Received) -> Outcome:
    """Do what a message of ADT says. Raises MessageRefused: EventUnsupported for events that have no place here."""
    message = received.message
    event = message.text("MSH-9.2").strip().upper() or message.text("EVN-1").strip().upper()
    if event not in _ACTS:
        raise EventUnsupported(f"ADT of event {event[:10] or '(none)'} is not taken here", "MSH^1^9^1^2")
    act = _ACTS[event]
    if act is None:
        return Outcome("Kept; nothing here depends on it.", message.text("PID-3.1")[:64])
    done = Done()
    patients = await said(app, tx, message)
    for one in patients:
        done += await act(app, tx, received, one)
    return Outcome(done.sentence, patients[0].who.patient_id)
