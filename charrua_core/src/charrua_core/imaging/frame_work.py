"""What imaging's worker processes do for transcoding, one frame at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from charrua_core.imaging.codecs import EncodeOptions, decode_frame, encode_frame
from charrua_core.imaging.codecs.syntaxes import DEFLATED_FRAMES, EXPLICIT_BIG_ENDIAN, NATIVE, RLE
from charrua_core.imaging.pixels import Decoded, PixelFormat
from charrua_core.imaging.places import FramePlace

_WORDS = NATIVE | {RLE, DEFLATED_FRAMES}

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TranscodedFrame:
    """A frame in its new transfer syntax, and what its pixels were before they were encoded."""

    data: bytes
    photometric_interpretation: str


def transcode_frame(
    frame: FramePlace | bytes, pixels: PixelFormat, wanted: str, options: EncodeOptions
) -> TranscodedFrame:
    """Decode a frame and encode it; raises as both do."""
    if keeps_words(pixels.transfer_syntax_uid, wanted):
        pixels = replace(pixels, bits_stored=pixels.bits_allocated, high_bit=pixels.bits_allocated - 1)
    decoded = decode_frame(_bytes(frame), pixels)
    photometric = decoded.photometric_interpretation
    now = as_decoded(pixels, photometric)
    return TranscodedFrame(encode_frame(decoded.pixels, now, wanted, options), photometric)


def keeps_words(stored: str, wanted: str) -> bool:
    """Whether whole words go from one syntax to the other, with what old devices put into the bits beside their pixels."""
    return stored in _WORDS and wanted in _WORDS


def as_decoded(pixels: PixelFormat, photometric: str) -> PixelFormat:
    """Give the format of frames of this one once they are decoded, with the photometric interpretation that came of them."""
    return replace(
        pixels, photometric_interpretation=photometric, planar_configuration=0, high_bit=pixels.bits_stored - 1
    )


def same_frame(
    frame: FramePlace | bytes, pixels: PixelFormat, other: FramePlace | bytes, other_pixels: PixelFormat
) -> str:
    """Say what differs between a frame and what it was transcoded to; empty where nothing does.

    A native frame differs also where it holds something in bits that are no part of its pixels.
    """
    data = _bytes(frame)
    if pixels.transfer_syntax_uid in NATIVE and not _unused_bits_are_plain(data, pixels):
        return "bits outside of Bits Stored are in use"
    one, two = decode_frame(data, pixels), decode_frame(_bytes(other), other_pixels)
    if one.photometric_interpretation != two.photometric_interpretation:
        return "the colours are others"
    return "" if _equal(one, two) else "the pixels are others"


def _bytes(frame: FramePlace | bytes) -> bytes:
    return frame.read() if isinstance(frame, FramePlace) else frame


def _equal(one: Decoded, two: Decoded) -> bool:
    import numpy

    return one.pixels.dtype == two.pixels.dtype and numpy.array_equal(one.pixels, two.pixels)


def _unused_bits_are_plain(data: bytes, pixels: PixelFormat) -> bool:
    """Whether the bits around the stored ones are all zero, or repeat the sign."""
    import numpy

    if pixels.is_float or pixels.bits_allocated < 8 or pixels.bits_stored == pixels.bits_allocated:
        return True
    order = ">" if pixels.transfer_syntax_uid == EXPLICIT_BIG_ENDIAN else "<"
    samples: NDArray[Any] = numpy.frombuffer(data, f"{order}u{pixels.bits_allocated // 8}")
    lowest = pixels.high_bit + 1 - pixels.bits_stored
    stored = ((1 << pixels.bits_stored) - 1) << lowest
    outside = ((1 << pixels.bits_allocated) - 1) & ~stored
    unused = samples & outside
    if not pixels.is_signed:
        return not unused.any()
    above = outside & ~((1 << lowest) - 1)
    negative = (samples >> pixels.high_bit) & 1
    return bool(numpy.all((unused == 0) | ((negative == 1) & (unused == above))))
