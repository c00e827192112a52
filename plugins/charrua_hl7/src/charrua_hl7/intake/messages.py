"""Messages that are kept: searched, looked at, processed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, LargeBinary, func, literal, select

from charrua_core import audit
from charrua_core.audit import Event
from charrua_core.types import Identity, Origin
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.keeping import process, write
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App

TOGETHER = 64
"""Messages that are processed again in one transaction."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message, without its bytes."""

    id: int
    direction: str
    party: str
    at: datetime
    message_type: str
    control_id: str
    sending_application: str
    sending_facility: str
    version: str
    patient_id: str
    accession_number: str
    state: str
    acknowledgement: str
    sentence: str
    attempts: int
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A message with its bytes as they came or went, and those of its answer."""

    message: Kept
    content: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; empty fields ask nothing. `since` is inclusive, `until` is not."""

    direction: str = ""
    message_type: str = ""
    """`ORM^O01`, or `ORM` for all of its events."""
    state: str = ""
    acknowledgement: str = ""
    control_id: str = ""
    patient_id: str = ""
    accession_number: str = ""
    party: str = ""
    sending_application: str = ""
    text: str = ""
    """In the message, with its small and capital letters."""
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0
    """Number of the last message of the page before."""


async def find(app: App, asked: Asked, limit: int = 100) -> list[Kept]:
    """Give the messages, the newest first."""
    statement = select(*_columns()).where(*_conditions(asked)).order_by(message.c.id.desc()).limit(limit)
    async with app.db.reading() as connection:
        return [_kept(row) for row in await connection.execute(statement)]


async def one(app: App, number: int) -> Whole | None:
    """Give a message with its bytes, None where there is none of this number."""
    statement = select(*_columns(), message.c.content, message.c.answer).where(message.c.id == number)
    async with app.db.reading() as connection:
        row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Whole(_kept(row), bytes(row.content), bytes(row.answer))


async def process_again(app: App, identity: Identity, numbers: Sequence[int]) -> list[Kept]:
    """Do what kept messages say anew, the oldest first, and put what comes of it in place of what came of it before.

    Gives those that were processed, as they are now: numbers that are unknown, or of messages that went out, are left out.
    """
    found: list[Kept] = []
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), TOGETHER):
        found += await _again(app, identity, ordered[start : start + TOGETHER])
    return found


async def _again(app: App, identity: Identity, numbers: Sequence[int]) -> list[Kept]:
    own = message.c.id.in_(numbers)
    async with app.db.transaction() as tx:
        statement = select(message).where(own, message.c.direction == "in").order_by(message.c.id).with_for_update()
        arrivals = [await _arrival(row) for row in await tx.execute(statement)]
        await process(app, tx, arrivals, alone=True)
        await write(tx, arrivals)
        again = [one.id for one in arrivals]
        origin = Origin("web", user=identity.name)
        await audit.record(tx, Event.ORDER_RECORD, "E", identity.name, origin, again=again)
        done = select(*_columns()).where(message.c.id.in_([one.id for one in arrivals])).order_by(message.c.id)
        return [_kept(row) for row in await tx.execute(done)]


async def _arrival(row: Any) -> Arrival:
    arrival = await Arrival.read(bytes(row.content), row.party)
    arrival.id, arrival.attempts, arrival.at = row.id, row.attempts, row.at
    return arrival


def _columns() -> list[ColumnElement[Any]]:
    return [message.c[field.name] for field in fields(Kept)]


def _kept(row: Any) -> Kept:
    return Kept(**{field.name: getattr(row, field.name) for field in fields(Kept)})


_EXACT = (
    *("direction", "state", "acknowledgement", "control_id", "patient_id", "accession_number", "party"),
    "sending_application",
)


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    column = message.c
    found = [column[name] == getattr(asked, name) for name in _EXACT if getattr(asked, name)]
    more: list[tuple[Any, Callable[[], ColumnElement[bool]]]] = [
        (asked.message_type, lambda: _is_of_type(asked.message_type)),
        (asked.text, lambda: _holds(asked.text)),
        (asked.since, lambda: column.at >= asked.since),
        (asked.until, lambda: column.at < asked.until),
        (asked.before, lambda: column.id < asked.before),
    ]
    return found + [condition() for given, condition in more if given]


def _is_of_type(given: str) -> ColumnElement[bool]:
    if "^" in given:
        return message.c.message_type == given
    return func.split_part(message.c.message_type, "^", 1) == given


def _holds(text: str) -> ColumnElement[bool]:
    wanted = literal(text.encode(), LargeBinary)
    return func.position(wanted.op("IN")(message.c.content)) > 0
