"""A transcoded data set around its pixels: what stands before and behind them, in the layout of the new transfer syntax."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from charrua_core.archive.datasets.charsets import DEFAULT
from charrua_core.archive.datasets.elements import DEFLATED, layout_of
from charrua_core.archive.datasets.encoder import Unencodable, encode_dataset, encode_head
from charrua_core.archive.datasets.recode import EXPLICIT_LITTLE_ENDIAN, NATIVE, recode
from charrua_core.errors import FrameTooLarge, ImageInvalid
from charrua_core.imaging.pixels import PixelFormat
from charrua_core.imaging.subject import OFFSET_TABLES, Subject
from charrua_core.types import FileRange

Changes = Mapping[str, Mapping[str, Any]]
"""Tag as 8 upper-case hex digits → the element in the DICOM JSON Model."""

Segments = list[bytes | FileRange]

_MOST_NATIVE = 0xFFFFFFFE
_DESCRIBED = {
    "00280004": ("CS", "photometric_interpretation"),
    "00280006": ("US", "planar_configuration"),
    "00280100": ("US", "bits_allocated"),
    "00280101": ("US", "bits_stored"),
    "00280102": ("US", "high_bit"),
    "00280103": ("US", "pixel_representation"),
}


def described(subject: Subject, pixels: PixelFormat) -> dict[str, dict[str, Any]]:
    """Give what the object must say of its pixels anew, once they are in this format (PS3.5 8.2)."""
    changes = {}
    for tag, (vr, name) in _DESCRIBED.items():
        value = getattr(pixels, name)
        wanted = tag != "00280006" or pixels.samples_per_pixel > 1
        if wanted and subject.values(tag) != [value]:
            changes[tag] = {"vr": vr, "Value": [value]}
    return changes


def around_pixels(
    subject: Subject, changes: Changes, wanted: str, *, without: Collection[int] = ()
) -> tuple[Segments, Segments]:
    """Give the elements before and behind the pixels, `without` those of these tags; blocks.

    Offset tables are left out, as they belong to their fragments, and so are icons whose pixels are encapsulated where the
    object's own no longer are (PS3.5 A.4).
    """
    pixels = subject.pixel_place
    border = pixels.tag if pixels is not None else 1 << 32
    new = {int(tag, 16): element for tag, element in changes.items()}
    left_out = {*OFFSET_TABLES, *new, *without, border}
    if wanted in NATIVE:
        left_out |= subject.small_images
    groups = {tag >> 16 for tag in left_out}
    kept = [
        (place.tag, subject.source.cut(place.start, place.end))
        for place in subject.places
        if place.tag not in left_out and not (place.tag & 0xFFFF == 0 and place.tag >> 16 in groups)
    ]
    encoded: list[tuple[int, Segments]] = [(tag, [_encoded(subject, tag, new[tag])]) for tag in new]
    written = sorted([*kept, *encoded], key=lambda one: one[0])
    before = _joined(segment for tag, segments in written if tag < border for segment in segments)
    behind = _joined(segment for tag, segments in written if tag > border for segment in segments)
    return _in_layout(subject, before, wanted), _in_layout(subject, behind, wanted)


def native_pixels(tag: int, vr: str, value: Segments, length: int, wanted: str) -> Segments:
    """Give the element of native pixel data; FrameTooLarge where its length has no room for the value's."""
    if length + (length & 1) > _MOST_NATIVE:
        raise FrameTooLarge("pixels of 4 GiB and more leave only in an encapsulated transfer syntax")
    head = encode_head(f"{tag:08X}", vr, length + (length & 1), layout_of(wanted))
    return [head, *value, b"\0" * (length & 1)]


def _encoded(subject: Subject, tag: int, element: Mapping[str, Any]) -> bytes:
    try:
        return encode_dataset({f"{tag:08X}": element}, subject.layout, DEFAULT)
    except Unencodable as error:
        raise ImageInvalid(str(error)) from error


def _in_layout(subject: Subject, segments: Segments, wanted: str) -> Segments:
    source, target = subject.layout, layout_of(wanted)
    if not segments or (source.explicit, source.endian) == (target.explicit, target.endian):
        return segments
    stored = subject.transfer_syntax_uid
    return recode(segments, EXPLICIT_LITTLE_ENDIAN if stored in DEFLATED else stored, wanted)


def _joined(segments: Iterable[bytes | FileRange]) -> Segments:
    """Join what lies side by side."""
    joined: Segments = []
    for segment in segments:
        last = joined[-1] if joined else None
        if isinstance(segment, bytes) and isinstance(last, bytes):
            joined[-1] = last + segment
        elif isinstance(segment, FileRange) and isinstance(last, FileRange) and _follows(last, segment):
            joined[-1] = FileRange(last.path, last.offset, last.length + segment.length)
        else:
            joined.append(segment)
    return joined


def _follows(one: FileRange, other: FileRange) -> bool:
    return one.path == other.path and one.offset + one.length == other.offset
