"""What an entry needs and its order may not say: Study Instance UID and the IDs of procedure and step, made from its order.

An order that comes again gets the same ones. An accession number is never made up: it is the sender's to give.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson, is_valid_uid
from charrua_hl7.tables import uid_root
from charrua_hl7.worklist.entries import STEP, step_of, value

if TYPE_CHECKING:
    from charrua_core.app import App

_STUDY, _PROCEDURE = tag_of("StudyInstanceUID"), tag_of("RequestedProcedureID")
_STEP_ID = tag_of("ScheduledProcedureStepID")
_MODALITY = tag_of("Modality")
_roots: dict[str, str] = {}


async def root_of(app: App, tx: AsyncConnection) -> str:
    """Give what sets UIDs that are made here apart from those that another archive makes for an order of the same number."""
    place = str(app.data_dir)
    if place not in _roots:
        await tx.execute(insert(uid_root).values(id=1).on_conflict_do_nothing())
        _roots[place] = str(await tx.scalar(select(uid_root.c.root)))
    return _roots[place]


def completed(attributes: DicomJson, *, root: str, order_key: str, number: int, modality: str) -> DicomJson:
    """Give the attributes of step `number` of an order (1 is the first) with what is missing."""
    procedure = value(attributes, _PROCEDURE) or _short("R", order_key)
    uid = value(attributes, _STUDY)
    if not is_valid_uid(uid):
        uid = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{root} {order_key} {procedure}').int}"
    item = step_of(attributes)
    if not value(item, _STEP_ID):
        item[_STEP_ID] = {"vr": "SH", "Value": [f"{procedure[:12]}-{number}"]}
    if not value(item, _MODALITY):
        item[_MODALITY] = {"vr": "CS", "Value": [modality]}
    return attributes | {
        _STUDY: {"vr": "UI", "Value": [uid]},
        _PROCEDURE: {"vr": "SH", "Value": [procedure]},
        STEP: {"vr": "SQ", "Value": [item]},
    }


def _short(letter: str, text: str) -> str:
    """Give an ID that fits into SH."""
    return letter + base64.b32encode(hashlib.blake2b(text.encode(), digest_size=5).digest()).decode()
