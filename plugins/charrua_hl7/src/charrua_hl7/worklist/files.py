"""Worklist files: data sets as Modality Worklist tells them, as DCMTK's worklist server and others keep them (`*.wl`)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrua_core.archive.datasets.identifier import SPECIFIC_CHARACTER_SET, decode_identifier
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.index.levels import STUDY_INSTANCE_UID, tag_of
from charrua_core.errors import HeaderDamaged
from charrua_core.types import DicomJson
from charrua_hl7.worklist.entries import STATUS, STEP, Entry, Status, put, step_of, value

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

LARGEST = 1 << 20
"""Bytes of a worklist file."""
_SOURCE = "file"
_TELLING = (STUDY_INSTANCE_UID, tag_of("AccessionNumber"), tag_of("RequestedProcedureID"))
"""What names the order of a file, the first that it has."""


class NoEntry(HeaderDamaged):
    """The file is no worklist file."""


def read_entry(path: Path) -> DicomJson:
    """Give the data set of a worklist file. Raises HeaderDamaged, NoEntry, OSError."""
    if path.stat().st_size > LARGEST:
        raise NoEntry(f"it has more than {LARGEST} bytes")
    content = path.read_bytes()
    meta = read_file_meta(content)
    attributes = decode_identifier(content[meta.dataset_offset :], meta.transfer_syntax_uid)
    if len(attributes.get(STEP, {}).get("Value", ())) != 1:
        raise NoEntry("it has not one item in Scheduled Procedure Step Sequence (0040,0100)")
    return {tag: one for tag, one in attributes.items() if tag != SPECIFIC_CHARACTER_SET and tag[4:] != "0000"}


async def import_entry(app: App, tx: AsyncConnection, attributes: DicomJson) -> Entry:
    """Write the entry of a file: a new one, or the same step of the same order as it is now."""
    named = [text for tag in _TELLING if (text := value(attributes, tag))]
    key = named[0] if named else _digest(attributes)
    if not value(attributes, STUDY_INSTANCE_UID):
        uid = f"2.25.{int(hashlib.blake2b(key.encode(), digest_size=16).hexdigest(), 16)}"
        attributes = {**attributes, STUDY_INSTANCE_UID: {"vr": "UI", "Value": [uid]}}
    status = value(step_of(attributes), STATUS)
    known = Status(status) if status in Status.__members__ else Status.SCHEDULED
    return await put(app, tx, attributes, order_key=f"{_SOURCE} {key}", source=_SOURCE, status=known)


def _digest(attributes: DicomJson) -> str:
    content: Any = sorted((tag, repr(element)) for tag, element in attributes.items())
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
