"""JPEG 2000 and High-Throughput JPEG 2000 (ISO 15444-1, -15; PS3.5 A.4.4).

OpenJPEG decodes both (OpenJPH's own decoder, which hangs on damaged streams and wraps around at the ends of the range, is
not used) and encodes the former, OpenJPH encodes the latter.
"""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import encode_array

from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.guard import jpeg2000_header
from charrua_core.imaging.codecs.samples import as_rgb, as_stored, stored_values
from charrua_core.imaging.pixels import Decoded, PixelFormat

_SMALLEST_SIDE = 32  # pixels that five decompositions, which pylibjpeg-openjpeg always makes, need
_SRGB, _GREY = 1, 2
_FEWEST_DECOMPOSITIONS = 5
_FINEST = 64  # quarter octaves below a quantisation step of the whole range


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode a frame; boxes of JP2 around the code stream, which do not belong there, are passed over."""
    header, at = jpeg2000_header(data, pixel_format)
    samples = imagecodecs.jpeg2k_decode(data[at:])
    pixels = stored_values(
        samples, pixel_format, header.precision, lossy=pixel_format.transfer_syntax_uid in syntaxes.LOSSY
    )
    stays = pixel_format.photometric_interpretation in ("YBR_FULL", "YBR_FULL_422")
    return as_stored(pixels, pixel_format) if stays else as_rgb(pixels, pixel_format)


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions) -> bytes:
    """Encode a frame; a very small one is not worth to lose anything of."""
    encoded_format(pixel_format, transfer_syntax_uid)
    pixels = np.ascontiguousarray(pixels)
    is_rgb = pixel_format.photometric_interpretation == "RGB"
    small = min(pixel_format.rows, pixel_format.columns) < _SMALLEST_SIDE
    if transfer_syntax_uid == syntaxes.JPEG_2000_LOSSLESS or small:
        # OpenJPEG fails on the wavelets of single bits.
        resolutions = 1 if small or pixel_format.bits_stored == 1 else None
        return bytes(
            imagecodecs.jpeg2k_encode(
                pixels,
                codecformat="j2k",
                bitspersample=pixel_format.bits_stored,
                resolutions=resolutions,
                reversible=True,
                mct=is_rgb,
            )
        )
    encoded: bytes = encode_array(
        pixels,
        bits_stored=pixel_format.bits_stored,
        photometric_interpretation=_SRGB if pixel_format.samples_per_pixel > 1 else _GREY,
        use_mct=is_rgb,
        compression_ratios=[options.ratio],
    )
    return encoded


def encode_ht(
    pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions
) -> bytes:
    """Encode a frame in High-Throughput JPEG 2000, resolutions first (RPCL)."""
    encoded_format(pixel_format, transfer_syntax_uid)
    pixels = np.ascontiguousarray(pixels)
    is_rgb = pixel_format.photometric_interpretation == "RGB"
    if transfer_syntax_uid != syntaxes.HTJ2K:
        tlm = transfer_syntax_uid == syntaxes.HTJ2K_LOSSLESS_RPCL
        levels = _decompositions(pixel_format)
        return bytes(imagecodecs.htj2k_encode(pixels, reversible=True, rgb=is_rgb, tlm=tlm, resolutions=levels))
    return _to_ratio(pixels, options.ratio, is_rgb=is_rgb)


def _decompositions(pixel_format: PixelFormat) -> int:
    """So many that the lowest resolution is a thumbnail of at most 64 pixels a side (PS3.5 10.18)."""
    return max(_FEWEST_DECOMPOSITIONS, (max(pixel_format.rows, pixel_format.columns) - 1).bit_length() - 6)


def _to_ratio(pixels: NDArray[Any], ratio: float, *, is_rgb: bool) -> bytes:
    """The finest quantisation whose stream is small enough, found by halving; the coarsest where none is."""

    def encoded(quarter_octaves: int) -> bytes:
        step = 2.0 ** -(quarter_octaves / 4)
        return bytes(imagecodecs.htj2k_encode(pixels, level=step, reversible=False, rgb=is_rgb))

    coarse, fine = 0, _FINEST
    best = encoded(coarse)
    while fine - coarse > 1:
        middle = (coarse + fine) // 2
        trial = encoded(middle)
        if len(trial) * ratio <= pixels.nbytes:
            coarse, best = middle, trial
        else:
            fine = middle
    return best
