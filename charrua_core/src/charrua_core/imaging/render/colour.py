"""Colour pixels as red, green and blue of 8 bits (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import ImageInvalid
from charrua_core.imaging.pixels import Decoded, PixelFormat

Colour = NDArray[np.uint8]


def rgb(decoded: Decoded, layout: PixelFormat) -> Colour:
    """Give (rows, columns, 3) of type uint8, of deeper pixels the upper 8 bits. Raises ImageInvalid for another space."""
    pixels = _in_bytes(decoded.pixels, layout)
    if decoded.photometric_interpretation == "RGB":
        return pixels
    if decoded.photometric_interpretation == "YBR_FULL":
        return _of_ybr_full(pixels)
    raise ImageInvalid(f"nobody knows how to show {decoded.photometric_interpretation}")


def _in_bytes(pixels: NDArray[Any], layout: PixelFormat) -> Colour:
    if pixels.dtype == np.uint8 and layout.bits_stored == 8:
        return cast(Colour, np.ascontiguousarray(pixels))
    shift = layout.bits_stored - 8
    unsigned = pixels.astype(np.int64) + (1 << layout.bits_stored - 1 if layout.is_signed else 0)
    return (unsigned >> shift if shift >= 0 else unsigned << -shift).astype(np.uint8)


_FROM_MIDDLE = np.arange(256) - 128.0
_RED_OF_CR = np.rint(1.402 * _FROM_MIDDLE).astype(np.int16)
_GREEN_OF_CB = (-0.114 * 1.772 / 0.587 * _FROM_MIDDLE).astype(np.float32)
_GREEN_OF_CR = (-0.299 * 1.402 / 0.587 * _FROM_MIDDLE).astype(np.float32)
_BLUE_OF_CB = np.rint(1.772 * _FROM_MIDDLE).astype(np.int16)


def _of_ybr_full(pixels: Colour) -> Colour:
    """The inverse of PS3.3 C.7.6.3.1.2, to the nearest level, which Pillow's is not."""
    y, cb, cr = pixels[..., 0].astype(np.int16), pixels[..., 1], pixels[..., 2]
    green = np.rint(_GREEN_OF_CB[cb] + _GREEN_OF_CR[cr]).astype(np.int16)
    found = np.empty_like(pixels)
    for index, more in enumerate((_RED_OF_CR[cr], green, _BLUE_OF_CB[cb])):
        found[..., index] = np.clip(y + more, 0, 255)
    return found
