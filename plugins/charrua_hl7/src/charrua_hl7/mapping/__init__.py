"""Which field of a message becomes which attribute of the worklist: tables that an administrator edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import DicomJson
from charrua_hl7.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.web import WebRoute

MAPPING_ROUTES: Sequence[WebRoute] = ()


@dataclass(frozen=True, slots=True)
class OrderedStep:
    """One scheduled procedure step that a message speaks of."""

    control: str
    """What is to be done with it: NW, CA, DC, XO, SC … (ORC-1, table 0119); of SIU what its event stands for."""
    order_status: str
    """ORC-5 (table 0038), "" where it says none."""
    attributes: DicomJson
    """What Modality Worklist shall tell of it: patient, request, and one item in Scheduled Procedure Step Sequence.

    An attribute without Value is one that the message deletes (HL7's null); one that it does not speak of is absent."""


async def ordered_steps(app: App, tx: AsyncConnection, message: Message) -> list[OrderedStep]:
    """Give the steps of an order or appointment by the mapping in force for its type. Raises MessageRefused."""
    raise NotImplementedError


async def patient_of(app: App, tx: AsyncConnection, message: Message) -> DicomJson:
    """Give what a message says of its patient (PID), by the mapping in force for its type. Raises MessageRefused."""
    raise NotImplementedError
