"""RLE Lossless (PS3.5 G), by pylibjpeg-rle."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rle import rle

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.samples import as_stored, stored_values
from charrua_core.imaging.pixels import Decoded, PixelFormat

_HEADER = 64  # bytes


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode a frame: byte planes, from the most significant of the first sample on."""
    wanted = pixel_format.samples_per_pixel * max(8, pixel_format.bits_allocated) // 8
    segments = struct.unpack("<L", data[:4])[0] if len(data) > _HEADER else 0
    if segments != wanted:
        raise FrameUndecodable(f"the frame has {segments} segments instead of {wanted}")
    pixels = pixel_format.rows * pixel_format.columns
    planes = np.frombuffer(rle.decode_frame(data, pixels, pixel_format.bits_allocated, "<"), _type(pixel_format))
    if planes.size != pixels * pixel_format.samples_per_pixel:
        raise FrameUndecodable(f"the frame has {planes.size} samples of {pixels * pixel_format.samples_per_pixel}")
    samples = np.moveaxis(planes.reshape(-1, pixel_format.rows, pixel_format.columns), 0, -1)
    unused_below = pixel_format.high_bit + 1 - pixel_format.bits_stored
    return as_stored(stored_values(samples >> unused_below if unused_below else samples, pixel_format), pixel_format)


def _type(pixel_format: PixelFormat) -> str:
    return f"<u{max(8, pixel_format.bits_allocated) // 8}"


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, _: EncodeOptions) -> bytes:
    """Encode a frame."""
    encoded_format(pixel_format, transfer_syntax_uid)
    raw = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    encoded: bytes = rle.encode_frame(
        raw,
        pixel_format.rows,
        pixel_format.columns,
        pixel_format.samples_per_pixel,
        pixel_format.bits_allocated,
        "<",
    )
    return encoded
