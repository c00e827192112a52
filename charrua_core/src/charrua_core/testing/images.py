"""Images in files as the archive would have them, without an archive."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path

import orjson

from charrua_core.archive.datasets.header import Header, scan
from charrua_core.archive.datasets.part10 import FileMeta, read_file_meta
from charrua_core.errors import ImageInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.headers import pixel_data_range
from charrua_core.imaging.pixels import PixelFormat
from charrua_core.imaging.stored import StoredImage, StoredObject


def as_stored(path: Path) -> StoredImage:
    """Give the image of a Part 10 file, no edits over it; raises what the archive raises for one that it refuses."""
    meta, header = _scanned(path)
    found = as_stored_object(path)
    pixels = pixel_data_range(orjson.loads(header.json))
    if pixels is None:
        raise ImageInvalid("the object has no pixels")
    return StoredImage(
        **{field.name: getattr(found, field.name) for field in fields(found)},
        pixel_format=PixelFormat.from_json(orjson.loads(header.json), meta.transfer_syntax_uid),
        pixels_offset=pixels[0],
        pixels_length=pixels[1],
        frame_offsets=header.frame_offsets,
    )


def as_stored_object(path: Path) -> StoredObject:
    """Give the object of a Part 10 file, which need be no image."""
    meta, header = _scanned(path)
    return StoredObject(
        sop_instance_uid=header.sop_instance_uid,
        path=path,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        dataset_offset=meta.dataset_offset,
        size_bytes=path.stat().st_size,
        attributes=Attributes(orjson.loads(header.json)),
        state=hashlib.blake2b(bytes(path), digest_size=16).digest(),
    )


def _scanned(path: Path) -> tuple[FileMeta, Header]:
    meta, size = read_file_meta(path), path.stat().st_size
    with path.open("rb") as file:
        return meta, scan(file.fileno(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset, size=size)
