"""JPEG XL (ISO 18181; PS3.5 A.4.12), by libjxl in imagecodecs."""

from __future__ import annotations

from typing import Any

import imagecodecs
from numpy.typing import NDArray

from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.jpeg import encode_baseline
from charrua_core.imaging.codecs.samples import as_rgb, stored_values, unsigned_bits
from charrua_core.imaging.pixels import Decoded, PixelFormat

_MOST_BITS_OF_FASTEST = 14


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode a frame."""
    lossy = pixel_format.transfer_syntax_uid != syntaxes.JPEG_XL_LOSSLESS
    return as_rgb(stored_values(imagecodecs.jpegxl_decode(data), pixel_format, lossy=lossy), pixel_format)


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions) -> bytes:
    """Encode a frame; signed samples as their bits, which JPEG XL does not know to be signed."""
    encoded_format(pixel_format, transfer_syntax_uid)
    if transfer_syntax_uid == syntaxes.JPEG_XL_RECOMPRESSION:
        return recompressed(encode_baseline(pixels, pixel_format, options))
    bits = pixel_format.bits_stored
    # libjxl's fastest encoder writes past its buffer where more than 14 bits do not compress.
    effort = options.effort if bits <= _MOST_BITS_OF_FASTEST else max(2, options.effort)
    samples = unsigned_bits(pixels, pixel_format).astype("u1" if bits <= 8 else "u2", copy=False)
    if transfer_syntax_uid == syntaxes.JPEG_XL_LOSSLESS:
        return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=effort, bitspersample=bits))
    return bytes(imagecodecs.jpegxl_encode(samples, level=options.quality, effort=effort, bitspersample=bits))


def recompressed(jpeg: bytes) -> bytes:
    """Give a JPEG Baseline stream as JPEG XL (.111), out of which it comes back byte for byte."""
    return bytes(imagecodecs.jpegxl_encode_jpeg(jpeg))


def jpeg_again(data: bytes) -> bytes:
    """Give the JPEG stream that was recompressed."""
    return bytes(imagecodecs.jpegxl_decode_jpeg(data, numthreads=1))
