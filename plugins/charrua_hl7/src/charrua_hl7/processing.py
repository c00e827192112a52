"""What is done with a message, by its type: one table of handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import Identity, Origin
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


def handlers() -> Mapping[str, Handler]:
    """Give the handlers by message type (`ORM^O01`), or by message code alone (`ADT`) where they see to all its events."""
    from charrua_hl7.orders import ORDER_HANDLERS
    from charrua_hl7.patients import PATIENT_HANDLERS

    return {**ORDER_HANDLERS, **PATIENT_HANDLERS}
