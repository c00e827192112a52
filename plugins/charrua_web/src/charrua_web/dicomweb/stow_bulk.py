"""Compressed pixels that come as parts of image and video media types (PS3.18 Table 8.7.3-5): what they are in a data set."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from charrua_core.archive.datasets.elements import DEFLATED
from charrua_core.dicom.storage_classes import TRANSFER_SYNTAXES
from charrua_core.errors import MetadataInvalid
from charrua_core.imaging.codecs import syntaxes as s
from charrua_core.types import FileRange
from charrua_core.web import MediaType
from charrua_web.dicomweb.wado_frame_forms import MEDIA

_VIDEO = {"video/mpeg": "1.2.840.10008.1.2.4.100", "video/mp4": "1.2.840.10008.1.2.4.102"}
_JPEG = "image/jpeg"
_PROCESSES = {0xC0: s.JPEG_BASELINE, 0xC1: s.JPEG_EXTENDED}
_LOSSLESS = 0xC3
"""SOF markers (ISO 10918-1 Table B.1)."""
_OF_WHOLE_DATA_SETS = DEFLATED | {s.EXPLICIT_BIG_ENDIAN}
_START_OF_SCAN = 0xDA
_ITEM = struct.Struct("<HHL")
_LONGEST_ITEM = 0xFFFFFFFE


def is_native(transfer_syntax_uid: str) -> bool:
    """Whether values are in a data set of this transfer syntax as they come: native pixels, and all that are no pixels."""
    return transfer_syntax_uid in (s.EXPLICIT_LITTLE_ENDIAN, s.IMPLICIT_LITTLE_ENDIAN)


def syntax_of(media_type: MediaType, value: FileRange) -> str:
    """Give the transfer syntax that the part's media type says or means; of JPEG the one that its bytes tell.

    Raises MetadataInvalid for one that nobody knows, or that is no matter of values.
    """
    named = media_type.parameters.get("transfer-syntax", "")
    if named:
        if named not in TRANSFER_SYNTAXES or named in _OF_WHOLE_DATA_SETS:
            raise MetadataInvalid("bulk data are in a transfer syntax that is not taken so")
        return named
    if media_type.type == _JPEG:
        return _jpeg_process(value)
    if media_type.type in _VIDEO:
        return _VIDEO[media_type.type]
    return MEDIA.get(media_type.type, (s.EXPLICIT_LITTLE_ENDIAN,))[0]


def encapsulated(frames: Sequence[FileRange]) -> list[bytes | FileRange]:
    """Give the items of encapsulated pixels, a frame in each, behind an empty Basic Offset Table (PS3.5 A.4)."""
    items: list[bytes | FileRange] = [_ITEM.pack(0xFFFE, 0xE000, 0)]
    for frame in frames:
        padding = frame.length & 1
        if frame.length + padding > _LONGEST_ITEM:
            raise MetadataInvalid("a frame is longer than an item can be")
        items += [_ITEM.pack(0xFFFE, 0xE000, frame.length + padding), frame]
        items += [b"\0"] if padding else []
    return items


def _jpeg_process(value: FileRange) -> str:
    """The transfer syntax of a JPEG stream by its frame header, and of a lossless one by the predictor of its first scan."""
    head = _head(value)
    at, process = 2, 0
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if marker in _PROCESSES:
            return _PROCESSES[marker]
        if marker == _START_OF_SCAN and process == _LOSSLESS and at + 5 < len(head):
            predictor = head[at + 5 + 2 * head[at + 4] : at + 6 + 2 * head[at + 4]]
            return s.JPEG_LOSSLESS_SV1 if predictor == b"\1" else s.JPEG_LOSSLESS
        process = marker if marker == _LOSSLESS else process
        at += 2 + length
    return MEDIA[_JPEG][0]


def _head(value: FileRange) -> bytes:
    with open(value.path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), min(value.length, 64 << 10), value.offset)
