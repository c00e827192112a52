"""What the head of a JPEG stream says (ISO 10918-1 B.2): enough to put it into an object as it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from charrua_core.errors import ImageInvalid

LARGEST = 128 << 20
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
BASELINE = 0xC0


@dataclass(slots=True)
class JpegHead:
    """The frame header and what applications say beside it."""

    kind: int = 0
    """SOF marker: 0xC0 is baseline."""
    precision: int = 0
    rows: int = 0
    columns: int = 0
    components: tuple[int, ...] = ()
    """Their identifiers."""
    adobe_transform: int | None = None
    has_jfif: bool = False
    orientation: int = 1
    """Of EXIF: 1 is upright."""
    length: int = 0
    """Bytes to the end of the image; what follows is not part of it."""

    @property
    def is_rgb(self) -> bool:
        """Whether three components are red, green and blue rather than YCbCr."""
        if self.adobe_transform is not None:
            return self.adobe_transform == 0
        return not self.has_jfif and self.components == (0x52, 0x47, 0x42)

    @property
    def fits(self) -> bool:
        """Whether the stream is one that JPEG Baseline of DICOM takes, and upright."""
        return (
            self.kind == BASELINE and self.precision == 8 and len(self.components) in (1, 3) and self.orientation == 1
        )


def jpeg_head(path: Path) -> JpegHead:
    """Read it; raises ImageInvalid for what is no whole JPEG. Blocks."""
    if path.stat().st_size > LARGEST:
        raise ImageInvalid("the JPEG is larger than this archive attaches")
    data = path.read_bytes()
    head = JpegHead()
    try:
        at = _read_segments(data, head)
    except (struct.error, IndexError) as error:
        raise ImageInvalid("the JPEG is cut off") from error
    end = data.find(b"\xff\xd9", at)
    if not head.kind or not head.rows or not head.columns:
        raise ImageInvalid("the JPEG says nothing of its size")
    if end < 0:
        raise ImageInvalid("the JPEG is cut off: its end is missing")
    head.length = end + 2 if head.kind == BASELINE else len(data)
    return head


def _read_segments(data: bytes, head: JpegHead) -> int:
    """Read the segments before the first scan; gives where that begins."""
    at, length = 2, 0
    while True:
        if data[at] != 0xFF:
            raise ImageInvalid("the JPEG does not hold together")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        at += 2
        if marker in _STANDALONE:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker == 0xDA:
            return at + int(length)
        _read(marker, data[at + 2 : at + length], head)
        at += length


def _read(marker: int, body: bytes, head: JpegHead) -> None:
    if marker in _FRAMES:
        head.kind = marker
        head.precision, head.rows, head.columns, count = struct.unpack_from(">BHHB", body)
        head.components = tuple(body[6 + 3 * number] for number in range(count))
    elif marker == 0xE0 and body.startswith(b"JFIF\0"):
        head.has_jfif = True
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        head.adobe_transform = body[11]
    elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
        head.orientation = _orientation(body[6:])


def _orientation(tiff: bytes) -> int:
    """The tag 0x0112 of the first directory; 1 where there is none or it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None:
            return 1
        (at,) = struct.unpack_from(f"{order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for number in range(min(count, 200)):
            tag, _, _, value = struct.unpack_from(f"{order}HHLH", tiff, at + 2 + 12 * number)
            if tag == 0x0112:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
