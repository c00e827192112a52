"""JPEG-LS, lossless and near-lossless (ISO 14495-1; PS3.5 A.4.3), by CharLS in imagecodecs."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.guard import jpeg_header
from charrua_core.imaging.codecs.samples import as_stored, stored_values, value_range
from charrua_core.imaging.codecs.syntaxes import JPEG_LS_NEAR
from charrua_core.imaging.pixels import Decoded, PixelFormat

_HEADER = 1024  # bytes, more than any


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode a frame."""
    header = jpeg_header(data, pixel_format)
    samples = imagecodecs.jpegls_decode(data)
    near = pixel_format.transfer_syntax_uid == JPEG_LS_NEAR
    return as_stored(stored_values(samples, pixel_format, header.precision, lossy=near), pixel_format)


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions) -> bytes:
    """Encode a frame.

    Signed samples go in sign-extended, not as their Bits Stored alone: the stream always says the container's precision,
    from which readers take the place of the sign. For the same reason a near-lossless stream could go past the largest
    value of Bits Stored, and wrap around in readers: samples within `near` of it are brought down, and may err by twice that.
    """
    encoded_format(pixel_format, transfer_syntax_uid)
    near = options.near if transfer_syntax_uid == JPEG_LS_NEAR else 0
    if near and pixel_format.bits_stored < pixel_format.bits_allocated:
        pixels = np.minimum(pixels, value_range(pixel_format)[1] - near).astype(pixels.dtype)
    samples = np.ascontiguousarray(pixels.view(f"u{pixels.dtype.itemsize}"))
    return bytes(imagecodecs.jpegls_encode(samples, level=near, out=2 * samples.nbytes + _HEADER))
