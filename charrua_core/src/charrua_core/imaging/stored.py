"""What the index knows of a stored object's pixels: how they are laid out, where they lie, and what edits say of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.edit.effective import laid, laid_over
from charrua_core.archive.edit.record import Overlay
from charrua_core.errors import ImageInvalid, StudyNotFound
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.codecs import NATIVE
from charrua_core.imaging.pixels import PixelFormat
from charrua_core.types import DicomJson

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.search import InstanceRecord

_PIXELS = ("7FE00010", "7FE00008", "7FE00009")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A stored object as the index has it. Offsets count in the file, or in the inflated data set of a deflated one."""

    sop_instance_uid: str
    path: Path
    transfer_syntax_uid: str
    dataset_offset: int
    size_bytes: int
    attributes: Attributes
    """With the edits in force."""
    state: bytes
    """The same as long as the object and the edits over it are the same: a key for what was made of it."""


@dataclass(frozen=True, slots=True)
class StoredImage(StoredObject):
    """A stored object that has pixels."""

    pixel_format: PixelFormat
    pixels_offset: int
    pixels_length: int
    frame_offsets: bytes | None

    @property
    def number_of_frames(self) -> int:
        """Number of Frames (0028,0008), 1 where it is missing."""
        return self.pixel_format.number_of_frames

    @property
    def native(self) -> bool:
        """Whether frames lie in the file as they are."""
        return self.transfer_syntax_uid in NATIVE


async def stored_image(app: App, record: InstanceRecord) -> StoredImage:
    """Give a stored object's pixels as the index has them; reads nothing of its file.

    Raises StudyNotFound when it was removed meanwhile, ImageInvalid when it is no image, or its header was too large to be
    read, StorageFailed when its volume is gone.
    """
    row = await _row(app, record)
    # Edits touch nothing of how pixels are laid out, and coercions should not.
    header = unpack_json(row["header"])
    found = _object(app, record, row, header)
    offset, length = _pixels(header, row)
    return StoredImage(
        **{field.name: getattr(found, field.name) for field in fields(found)},
        pixel_format=PixelFormat.from_json(header, record.transfer_syntax_uid),
        pixels_offset=offset,
        pixels_length=length,
        frame_offsets=row["frame_offsets"],
    )


async def stored_object(app: App, record: InstanceRecord) -> StoredObject:
    """Give any stored object. Raises StudyNotFound when it was removed meanwhile, StorageFailed when its volume is gone."""
    row = await _row(app, record)
    return _object(app, record, row, unpack_json(row["header"]))


def _object(app: App, record: InstanceRecord, row: Row, header: DicomJson) -> StoredObject:
    over = _over(row)
    return StoredObject(
        sop_instance_uid=record.sop_instance_uid,
        path=app.volumes.by_id(record.volume_id).path(record.path),
        transfer_syntax_uid=record.transfer_syntax_uid,
        dataset_offset=record.dataset_offset,
        size_bytes=record.size_bytes,
        attributes=Attributes(laid(over, header) if over else header),
        state=_state(row, over),
    )


async def _row(app: App, record: InstanceRecord) -> Row:
    async with app.db.driver(reading=True) as connection:
        row = await connection.fetchrow(_ROW, record.instance_id)
    if row is None:
        raise StudyNotFound
    return {**row, **{name: orjson.loads(row[name]) for name in _JSON if row[name] is not None}}


def _over(row: Row) -> Overlay:
    return laid_over(
        {"study_uid": row["study_uid"], "attributes": row["study_attributes"], "overlay": row["study_overlay"]},
        {"received_study_uid": row["received_study_uid"], "overlay": row["series_overlay"]},
        {"overlay": row["instance_overlay"]},
    )


Row = Mapping[str, Any]
_JSON = ("study_attributes", "study_overlay", "series_overlay", "instance_overlay")
# By the driver itself: every picture begins with it.
_ROW = """
    SELECT i.header, i.pixel_data_offset, i.frame_offsets, i.unparsed, i.arrival_id, i.overlay AS instance_overlay,
        e.received_study_uid, e.overlay AS series_overlay,
        s.study_uid, s.attributes AS study_attributes, s.overlay AS study_overlay
    FROM core.instance i JOIN core.series e ON e.id = i.series_id JOIN core.study s ON s.id = e.study_id
    WHERE i.id = $1 AND i.deleted_by IS NULL
"""


def _pixels(header: DicomJson, row: Row) -> tuple[int, int]:
    found = pixel_data_range(header)
    if found is None and row["unparsed"] and row["pixel_data_offset"] is not None:
        raise ImageInvalid("the object's header is too large to tell how its pixels are laid out")
    if found is None:
        raise ImageInvalid("the object has no pixels")
    return found


def pixel_data_range(header: DicomJson) -> tuple[int, int] | None:
    """Give offset and length of the pixel data's value, as the index has them; None where there are no pixels."""
    for tag in _PIXELS:
        uri = header.get(tag, {}).get("BulkDataURI")
        if uri:
            return bulk_range(uri)
    return None


def bulk_range(uri: str) -> tuple[int, int]:
    """Give the offset and length that a BulkDataURI of the index tells (`archive.datasets.jsonmodel.bulk_json`)."""
    start, _, length = uri.rpartition("&length=")
    return int(start.rpartition("=")[2]), int(length)


def _state(row: Row, over: Overlay) -> bytes:
    told = orjson.dumps(over, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(row["arrival_id"].bytes + told, digest_size=16).digest()
