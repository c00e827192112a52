"""Which field of a message becomes which attribute of the worklist: tables that an administrator edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import DicomJson
from charrua_hl7.errors import TypeUnsupported
from charrua_hl7.mapping.defaults import DEFAULTS
from charrua_hl7.mapping.steps import OrderedStep, code_of, mapped_patient, mapped_steps
from charrua_hl7.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.web import WebRoute
    from charrua_hl7.mapping.lines import Lines

MAPPING_ROUTES: Sequence[WebRoute] = ()

__all__ = ["MAPPING_ROUTES", "OrderedStep", "ordered_steps", "patient_of"]


async def ordered_steps(app: App, tx: AsyncConnection, message: Message) -> list[OrderedStep]:
    """Give the steps of an order or appointment by the mapping in force for its type. Raises MessageRefused."""
    lines = await _lines(app, tx, message)
    mapped = mapped_steps(message, lines, app.settings["worklist_default_modality"])
    return [one.step for one in mapped]


async def patient_of(app: App, tx: AsyncConnection, message: Message) -> DicomJson:
    """Give what a message says of its patient (PID), of ADT also of its visit (PV1). Raises MessageRefused."""
    return mapped_patient(message, await _lines(app, tx, message)).attributes


async def _lines(_app: App, _tx: AsyncConnection, message: Message) -> Lines:
    code = code_of(message)
    if code not in DEFAULTS:
        raise TypeUnsupported(f"messages of type {message.type[:20]} are not mapped", "MSH^1^9")
    return DEFAULTS[code]
