"""Samples between decoders, which give containers of their own choice, and `PixelFormat`, which says what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.pixels import Decoded, PixelFormat


def stored_values(
    samples: NDArray[Any], pixel_format: PixelFormat, precision: int | None = None, *, lossy: bool = False
) -> NDArray[Any]:
    """Give a decoder's samples, colour last, as type `pixel_format.dtype` and shape `pixel_format.shape`.

    Whether samples are signed is Pixel Representation's word, whatever the code stream says or cannot say: they are two's
    complement of so many bits as it has (`precision`), Bits Stored at most. Bits above Bits Stored go (PS3.5 8.1.1); where
    a lossy stream went past the range of Bits Stored, its end is taken instead, as white must not become black.
    """
    width = precision or pixel_format.bits_stored
    if not lossy:
        return _shaped(_extended(samples, min(width, pixel_format.bits_stored), pixel_format), pixel_format)
    least, most = value_range(pixel_format)
    return _shaped(np.clip(_extended(samples, width, pixel_format), least, most), pixel_format)


def value_range(pixel_format: PixelFormat) -> tuple[int, int]:
    """Give the least and the largest value of a sample."""
    if pixel_format.is_signed:
        return -(1 << (pixel_format.bits_stored - 1)), (1 << (pixel_format.bits_stored - 1)) - 1
    return 0, (1 << pixel_format.bits_stored) - 1


def _extended(samples: NDArray[Any], width: int, pixel_format: PixelFormat) -> NDArray[Any]:
    """The lowest `width` bits of each sample, with its sign."""
    container = max(8, pixel_format.bits_allocated)
    bits = samples.astype(f"u{container // 8}", copy=False)
    if (unused := container - width) <= 0:
        return bits.view(pixel_format.dtype)
    if pixel_format.is_signed:
        signed: NDArray[Any] = (bits << unused).view(pixel_format.dtype) >> unused
        return signed
    lowest: NDArray[Any] = bits & bits.dtype.type((1 << width) - 1)
    return lowest


def _shaped(samples: NDArray[Any], pixel_format: PixelFormat) -> NDArray[Any]:
    if samples.size != pixel_format.rows * pixel_format.columns * pixel_format.samples_per_pixel:
        raise FrameUndecodable(f"the decoder gave {samples.shape} for {pixel_format.shape}")
    return samples.reshape(pixel_format.shape)


def unsigned_bits(pixels: NDArray[Any], pixel_format: PixelFormat) -> NDArray[Any]:
    """Give pixels as their Bits Stored lowest bits, for encoders that know no sign."""
    unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
    if pixel_format.bits_stored < 8 * pixels.dtype.itemsize:
        unsigned = unsigned & ((1 << pixel_format.bits_stored) - 1)
    return np.ascontiguousarray(unsigned)


def as_stored(pixels: NDArray[Any], pixel_format: PixelFormat) -> Decoded:
    """Give pixels whose colour is as the object says, of 422 with the chroma at every pixel."""
    photometric = pixel_format.photometric_interpretation
    return Decoded(pixels, "YBR_FULL" if photometric == "YBR_FULL_422" else photometric)


def as_rgb(pixels: NDArray[Any], pixel_format: PixelFormat) -> Decoded:
    """Give pixels whose decoder has made RGB of colour."""
    photometric = pixel_format.photometric_interpretation
    return Decoded(pixels, "RGB" if pixel_format.samples_per_pixel > 1 else photometric)
