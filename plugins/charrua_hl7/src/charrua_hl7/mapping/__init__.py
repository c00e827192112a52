"""Which field of a message becomes which attribute of the worklist: tables that an administrator edits."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import DicomJson
from charrua_hl7.errors import TypeUnsupported
from charrua_hl7.mapping.calls import MAPPING_ROUTES
from charrua_hl7.mapping.known import known_mappings
from charrua_hl7.mapping.steps import OrderedStep, code_of, mapped_patient, mapped_steps
from charrua_hl7.message import Message

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_hl7.mapping.lines import Lines

__all__ = ["MAPPING_ROUTES", "OrderedStep", "ordered_steps", "patient_of"]


async def ordered_steps(app: App, tx: AsyncConnection, message: Message) -> list[OrderedStep]:
    """Give the steps of an order or appointment by the mapping in force for its type. Raises MessageRefused."""
    lines = await _lines(app, tx, message)
    work = partial(mapped_steps, message, lines, app.settings["worklist_default_modality"])
    mapped = await asyncio.to_thread(work) if message.is_large else work()
    return [one.step for one in mapped]


async def patient_of(app: App, tx: AsyncConnection, message: Message) -> DicomJson:
    """Give what a message says of its patient (PID), of ADT also of its visit (PV1). Raises MessageRefused."""
    return mapped_patient(message, await _lines(app, tx, message)).attributes


async def _lines(app: App, tx: AsyncConnection, message: Message) -> Lines:
    mappings, code = await known_mappings(app).all(tx), code_of(message)
    if code not in mappings:
        raise TypeUnsupported(f"messages of type {message.type[:20]} are not mapped", "MSH^1^9")
    return mappings[code]
