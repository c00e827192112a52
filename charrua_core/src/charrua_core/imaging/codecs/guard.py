"""What a code stream's header says, held against what the object says before a decoder sees it.

Forged sizes are how a few bytes ask for all memory, and a stream that was cut off is what JPEG-LS decoders hang on and JPEG
decoders fill with grey: both end here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.pixels import PixelFormat

_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""SOF markers: of JPEG (ISO 10918-1 table B.1), and SOF55 of JPEG-LS (ISO 14495-1)."""
_SCAN, _END = 0xDA, b"\xff\xd9"
_CODE_STREAM = b"\xff\x4f\xff\x51"  # SOC and SIZ (ISO 15444-1 A.4, A.5)


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a code stream says of itself."""

    kind: int
    """The SOF marker's second byte of JPEG and JPEG-LS, 0 of JPEG 2000."""
    rows: int
    columns: int
    samples: int
    precision: int
    """Bits of a sample; the largest where components differ."""


def jpeg_header(data: bytes, pixel_format: PixelFormat) -> StreamHeader:
    """Read the header of a JPEG or JPEG-LS stream; FrameUndecodable where it is not the object's, or has no end."""
    if data[:2] != b"\xff\xd8":
        raise FrameUndecodable("the frame is no JPEG stream")
    header, at = None, 2
    while header is None or data[at + 1] != _SCAN:
        at = _marker(data, at)
        kind = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        if kind in _FRAMES and length >= 8 and at + 10 <= len(data):
            precision, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            header = StreamHeader(kind, rows, columns, samples, precision)
        elif kind == _SCAN:
            raise FrameUndecodable("the JPEG stream begins its scan before its frame")
        at = _marker(data, at + 2 + max(2, length))
    if data.find(_END, at) < 0:
        raise FrameUndecodable("the JPEG stream is cut off")
    return _agreed(header, pixel_format)


def _marker(data: bytes, at: int) -> int:
    """Give where the next marker with a length stands, fill bytes passed over."""
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise FrameUndecodable("the JPEG stream is damaged in its header")
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] in _WITHOUT_LENGTH:
            at += 2
        else:
            return at
    raise FrameUndecodable("the JPEG stream ends in its header")


def jpeg2000_header(data: bytes, pixel_format: PixelFormat) -> tuple[StreamHeader, int]:
    """Read the SIZ marker segment of a JPEG 2000 stream, and give where the code stream begins, past boxes of JP2."""
    at = data.find(_CODE_STREAM)
    if at < 0 or at + 42 > len(data):
        raise FrameUndecodable("the frame is no JPEG 2000 stream")
    x_end, y_end, x, y = struct.unpack_from(">4L", data, at + 8)
    (samples,) = struct.unpack_from(">H", data, at + 40)
    if not 1 <= samples <= 4 or at + 42 + 3 * samples > len(data):
        raise FrameUndecodable(f"the JPEG 2000 stream has {samples} components")
    precision = max((data[at + 42 + 3 * n] & 0x7F) + 1 for n in range(samples))
    return _agreed(StreamHeader(0, y_end - y, x_end - x, samples, precision), pixel_format), at


def _agreed(header: StreamHeader, pixel_format: PixelFormat) -> StreamHeader:
    said = (pixel_format.rows, pixel_format.columns, pixel_format.samples_per_pixel)
    if (header.rows, header.columns, header.samples) != said:
        raise FrameUndecodable(
            f"the stream has {header.rows} × {header.columns} pixels of {header.samples} samples, the object {said[0]} × "
            f"{said[1]} of {said[2]}"
        )
    if header.precision > max(8, pixel_format.bits_allocated):
        raise FrameUndecodable(
            f"the stream has samples of {header.precision} bits, the object of {pixel_format.bits_allocated}"
        )
    return header
