"""What is done with a message, by its type: one table of handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import Identity, Origin
from charrua_hl7.errors import EventUnsupported, MessageRefused, TypeUnsupported
from charrua_hl7.message import Message

if TYPE_CHECKING:
    from charrua_core.app import App


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is in the table `message`, or will be with the transaction in which it is processed."""

    id: int
    message: Message
    at: datetime
    origin: Origin
    identity: Identity
    """Whose deeds its edits are: `HL7 <sending application>`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: a sentence without patient data, and the identifiers by which the message is found again."""

    sentence: str
    patient_id: str = ""
    accession_number: str = ""


Handler = Callable[["App", AsyncConnection, Received], Awaitable[Outcome]]
"""Does what the message says, in the transaction that also keeps the message; raises MessageRefused, which undoes it.

Work that needs transactions of its own, such as edits of studies, is put into a job in the same transaction.
"""

Several = Callable[["App", AsyncConnection, Sequence[Received]], Awaitable[Sequence[Outcome | MessageRefused]]]
"""The same for several messages at once, in their order; one that is refused leaves nothing behind.

Whatever else it raises undoes all of them, and each is then tried by itself.
"""


def handlers() -> Mapping[str, Several]:
    """Give the handlers by message type (`ORM^O01`), or by message code alone (`ADT`) where they see to all its events."""
    from charrua_hl7.orders import ORDER_HANDLERS
    from charrua_hl7.patients import PATIENT_HANDLERS

    return {**ORDER_HANDLERS, **{kind: one_by_one(handler) for kind, handler in PATIENT_HANDLERS.items()}}


def handler_of(known: Mapping[str, Several], message_type: str) -> Several:
    """Give the handler for `ORM^O01`; raises TypeUnsupported and EventUnsupported."""
    code = message_type.partition("^")[0]
    found = known.get(message_type) or known.get(code)
    if found is not None:
        return found
    if any(kind.partition("^")[0] == code for kind in known):
        raise EventUnsupported(f"{code} is not taken for this event", "MSH^1^9")
    raise TypeUnsupported("messages of this type are not taken", "MSH^1^9")


def one_by_one(handler: Handler) -> Several:
    """Give a handler for several messages of one for a single one."""

    async def several(
        app: App, tx: AsyncConnection, received: Sequence[Received]
    ) -> Sequence[Outcome | MessageRefused]:
        return [await _tried(handler, app, tx, one) for one in received]

    return several


async def _tried(handler: Handler, app: App, tx: AsyncConnection, one: Received) -> Outcome | MessageRefused:
    try:
        async with tx.begin_nested():
            return await handler(app, tx, one)
    except MessageRefused as refused:
        return refused
