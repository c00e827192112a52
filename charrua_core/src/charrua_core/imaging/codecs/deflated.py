"""Deflated Image Frame Compression (PS3.5 A.4.14): each native frame as one deflated stream (RFC 1951)."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.codecs import native
from charrua_core.imaging.codecs.encoded import EncodeOptions
from charrua_core.imaging.codecs.syntaxes import EXPLICIT_LITTLE_ENDIAN
from charrua_core.imaging.pixels import Decoded, PixelFormat

_RAW = -15


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Inflate a frame, to its own size and no further."""
    size = -(-pixel_format.native_bits // 8)
    inflate = zlib.decompressobj(_RAW)
    inflated = inflate.decompress(data, size)
    if len(inflated) < size:
        raise FrameUndecodable(f"the deflated frame has {len(inflated)} bytes of {size}")
    return native.decode(inflated, replace(pixel_format, transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN))


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, _: str, options: EncodeOptions) -> bytes:
    """Deflate a frame."""
    deflate = zlib.compressobj(wbits=_RAW)
    return deflate.compress(native.encode(pixels, pixel_format, EXPLICIT_LITTLE_ENDIAN, options)) + deflate.flush()
