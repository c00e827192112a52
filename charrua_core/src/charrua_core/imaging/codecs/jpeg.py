"""JPEG Baseline, Extended and Lossless (ISO 10918-1; PS3.5 A.4.1, 8.2.1), by libjpeg-turbo in imagecodecs."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.guard import jpeg_header
from charrua_core.imaging.codecs.samples import as_rgb, as_stored, stored_values, unsigned_bits
from charrua_core.imaging.pixels import Decoded, PixelFormat

_LOSSLESS_FRAME = 0xC3
_JPEG_LS_FRAME = 0xF7


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode a frame. Of colour, Photometric Interpretation says what is in it, whatever JFIF and Adobe markers say."""
    header = jpeg_header(data, pixel_format)
    if header.kind == _JPEG_LS_FRAME:
        raise FrameUndecodable("the frame is a JPEG-LS stream")
    lossless = header.kind == _LOSSLESS_FRAME
    given, wanted = _colours(pixel_format, lossless=lossless)
    samples = imagecodecs.jpeg8_decode(data, colorspace=given, outcolorspace=wanted)
    pixels = stored_values(samples, pixel_format, header.precision, lossy=not lossless)
    return as_stored(pixels, pixel_format) if lossless else as_rgb(pixels, pixel_format)


def _colours(pixel_format: PixelFormat, *, lossless: bool) -> tuple[str | None, str | None]:
    """What is in the stream, and what is wanted of it."""
    if pixel_format.samples_per_pixel == 1:
        return None, None
    untouched = lossless or pixel_format.photometric_interpretation == "RGB"
    return ("RGB", "RGB") if untouched else ("YCBCR", "RGB")


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions) -> bytes:
    """Encode a frame."""
    encoded_format(pixel_format, transfer_syntax_uid)
    if transfer_syntax_uid in (syntaxes.JPEG_LOSSLESS, syntaxes.JPEG_LOSSLESS_SV1):
        return _encode_lossless(pixels, pixel_format, transfer_syntax_uid, options)
    if transfer_syntax_uid == syntaxes.JPEG_EXTENDED:
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), level=options.quality, bitspersample=12))
    return encode_baseline(pixels, pixel_format, options)


def encode_baseline(pixels: NDArray[Any], pixel_format: PixelFormat, options: EncodeOptions) -> bytes:
    """Encode 8-bit pixels, colour as YCbCr with chroma at every other column."""
    if pixel_format.samples_per_pixel == 1:
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), level=options.quality))
    given = "RGB" if pixel_format.photometric_interpretation == "RGB" else "YCBCR"
    return bytes(
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(pixels),
            level=options.quality,
            colorspace=given,
            outcolorspace="YCBCR",
            subsampling="422",
        )
    )


def _encode_lossless(
    pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions
) -> bytes:
    bits = max(2, pixel_format.bits_stored)  # the least precision of a lossless frame
    samples = unsigned_bits(pixels, pixel_format).astype("u1" if bits <= 8 else "u2", copy=False)
    colours = None if pixel_format.samples_per_pixel == 1 else "RGB"  # taken as they are, even where they are YCbCr
    predictor = options.predictor if transfer_syntax_uid == syntaxes.JPEG_LOSSLESS else 1
    encoded = imagecodecs.jpeg8_encode(
        samples, lossless=True, predictor=predictor, bitspersample=bits, colorspace=colours, outcolorspace=colours
    )
    return bytes(encoded)
