"""What the index knows of a stored object's pixels: how they are laid out, where they lie, and what edits say of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from charrua_core.archive.edit.effective import laid, laid_over
from charrua_core.archive.edit.record import Overlay
from charrua_core.errors import StudyNotFound
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.codecs import NATIVE
from charrua_core.imaging.headers import ParsedHeader
from charrua_core.imaging.pixels import PixelFormat

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.search import InstanceRecord


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
    row, header = await _row(app, record)
    found = _object(app, record, row, header)
    offset, length = header.pixels
    return StoredImage(
        **{name: getattr(found, name) for name in _OF_OBJECTS},
        pixel_format=header.pixel_format,
        pixels_offset=offset,
        pixels_length=length,
        frame_offsets=header.frame_offsets,
    )


async def stored_object(app: App, record: InstanceRecord) -> StoredObject:
    """Give any stored object. Raises StudyNotFound when it was removed meanwhile, StorageFailed when its volume is gone."""
    row, header = await _row(app, record)
    return _object(app, record, row, header)


_OF_OBJECTS = tuple(field.name for field in fields(StoredObject))


def _object(app: App, record: InstanceRecord, row: Row, header: ParsedHeader) -> StoredObject:
    over = _over(row)
    return StoredObject(
        sop_instance_uid=record.sop_instance_uid,
        path=app.volumes.by_id(record.volume_id).path(record.path),
        transfer_syntax_uid=record.transfer_syntax_uid,
        dataset_offset=record.dataset_offset,
        size_bytes=record.size_bytes,
        attributes=Attributes(laid(over, header.json) if over else header.json),
        state=_state(row, over),
    )


async def _row(app: App, record: InstanceRecord) -> tuple[Row, ParsedHeader]:
    """The row with the edits over the object, and the header, which the index gives where no such version is kept."""
    header = app.headers.get(record.instance_id)
    async with app.db.driver(by_key=True) as connection:
        row = await connection.fetchrow(_ROW, record.instance_id, header.version if header else "")
    if row is None:
        raise StudyNotFound
    if header is None or header.version != row["version"]:
        header = ParsedHeader.of(row)
        app.headers.keep(record.instance_id, header)
    return {**row, **{name: orjson.loads(row[name]) for name in _JSON if row[name] is not None}}, header


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
    SELECT v.version, i.arrival_id, i.overlay AS instance_overlay,
        CASE WHEN v.version <> $2 THEN i.header END AS header,
        CASE WHEN v.version <> $2 THEN i.frame_offsets END AS frame_offsets,
        i.pixel_data_offset, i.unparsed, i.transfer_syntax_uid,
        e.received_study_uid, e.overlay AS series_overlay, s.study_uid, s.overlay AS study_overlay,
        CASE WHEN e.received_study_uid <> s.study_uid THEN s.attributes END AS study_attributes
    FROM core.instance i JOIN core.series e ON e.id = i.series_id JOIN core.study s ON s.id = e.study_id
        CROSS JOIN LATERAL (SELECT i.arrival_id::text || i.xmin::text AS version) v
    WHERE i.id = $1 AND i.deleted_by IS NULL
"""


def _state(row: Row, over: Overlay) -> bytes:
    told = orjson.dumps(over, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(row["arrival_id"].bytes + told, digest_size=16).digest()
