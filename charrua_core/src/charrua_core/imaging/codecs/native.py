"""Frames that are not compressed (PS3.5 8.1, 8.2, A.1 to A.3): bit packing, byte order, planes, 4:2:2 colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.samples import as_stored, stored_values
from charrua_core.imaging.codecs.syntaxes import EXPLICIT_BIG_ENDIAN
from charrua_core.imaging.pixels import YBR_FULL_422, Decoded, PixelFormat


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode a native frame that begins with the first bit of `data`."""
    if 8 * len(data) < pixel_format.native_bits:
        raise FrameUndecodable(f"the frame has {len(data)} bytes of {-(-pixel_format.native_bits // 8)}")
    if pixel_format.is_float:
        floats = np.frombuffer(data, _stored_type(pixel_format), pixel_format.rows * pixel_format.columns)
        return as_stored(floats.astype(pixel_format.dtype).reshape(pixel_format.shape), pixel_format)
    return as_stored(stored_values(_arranged(_words(data, pixel_format), pixel_format), pixel_format), pixel_format)


def _words(data: bytes, pixel_format: PixelFormat) -> NDArray[Any]:
    """The samples in the order in which they are stored, their stored bits lowest."""
    if pixel_format.swaps_bytes:
        data = np.frombuffer(data[: len(data) // 2 * 2], "u2").byteswap().tobytes()
    if pixel_format.bits_allocated == 1:
        packed = np.frombuffer(data, "u1", -(-pixel_format.native_bits // 8))
        return np.unpackbits(packed, count=pixel_format.native_bits, bitorder="little")
    words = np.frombuffer(data, _stored_type(pixel_format), pixel_format.native_bits // pixel_format.bits_allocated)
    unused_below = pixel_format.high_bit + 1 - pixel_format.bits_stored
    return words >> unused_below if unused_below else words


def _stored_type(pixel_format: PixelFormat) -> np.dtype[Any]:
    order = ">" if pixel_format.transfer_syntax_uid == EXPLICIT_BIG_ENDIAN else "<"
    kind = "f" if pixel_format.is_float else "u"
    return np.dtype(f"{order}{kind}{pixel_format.bits_allocated // 8}")


def _arranged(words: NDArray[Any], pixel_format: PixelFormat) -> NDArray[Any]:
    """Colour by pixel and complete, whichever way it is stored."""
    if pixel_format.samples_per_pixel == 1:
        return words
    if pixel_format.photometric_interpretation == YBR_FULL_422:
        first, second, cb, cr = words.reshape(-1, 4).T  # two pixels share their chroma (PS3.3 C.7.6.3.1.2)
        return np.stack([first, cb, cr, second, cb, cr], axis=-1)
    if pixel_format.planar_configuration == 1:
        return np.moveaxis(words.reshape(3, pixel_format.rows, pixel_format.columns), 0, -1)
    return words


def encode(pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, _: EncodeOptions) -> bytes:
    """Encode a frame; a single-bit one is padded to a whole byte, so that `join` is needed where frames follow it."""
    encoded = encoded_format(pixel_format, transfer_syntax_uid)
    if encoded.bits_allocated == 1:
        return np.packbits(pixels, bitorder="little").tobytes()
    if pixel_format.is_float or pixel_format.is_signed:
        return pixels.astype(_stored_type(encoded) if pixel_format.is_float else _signed(encoded)).tobytes()
    return pixels.astype(_stored_type(encoded), copy=False).tobytes()


def _signed(encoded: PixelFormat) -> np.dtype[Any]:
    return np.dtype(_stored_type(encoded).str.replace("u", "i"))


def join(frames: list[bytes], pixel_format: PixelFormat) -> bytes:
    """Give the value of Pixel Data: encoded frames one after the other without padding (PS3.5 8.1.1), then to even length."""
    if pixel_format.native_bits % 8:
        bits = [
            np.unpackbits(np.frombuffer(f, "u1"), count=pixel_format.native_bits, bitorder="little") for f in frames
        ]
        value = np.packbits(np.concatenate(bits), bitorder="little").tobytes()
    else:
        value = b"".join(frames)
    return value + b"\0" * (len(value) % 2)
