"""Which function decodes or encodes a transfer syntax: core's own and those of plugins, by priority."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core.errors import CharruaError, CodecUnavailable, FrameTooLarge, FrameUndecodable
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.codecs.encoded import EncodeOptions
from charrua_core.imaging.pixels import Decoded, PixelFormat

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Codec:
    """A function that decodes, or one that encodes, frames of some transfer syntaxes.

    `function` is `module:name`, imported in imaging's worker processes, which run it. A decoder is called as
    `decode(data: bytes, pixel_format: PixelFormat)` and gives a `Decoded`; an encoder as
    `encode(pixels: ndarray, pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions)` and gives bytes. None
    hands the frame on to the next; an exception ends it. Higher priorities are asked first; core's own have 0.
    """

    transfer_syntax_uids: tuple[str, ...]
    function: str
    priority: int = 0

    def load(self) -> Callable[..., Any]:
        """Import the function; CodecUnavailable names it where that cannot be done."""
        module, _, name = self.function.partition(":")
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise CodecUnavailable(f"codec {self.function} cannot be imported: {error}") from error
        return found


@dataclass(frozen=True, slots=True)
class Codecs:
    """Decoders and encoders, each by transfer syntax in the order in which they are asked."""

    decoders: dict[str, tuple[Codec, ...]] = field(default_factory=dict)
    encoders: dict[str, tuple[Codec, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, decoders: Iterable[Codec], encoders: Iterable[Codec]) -> Codecs:
        """Sort them."""
        return cls(_by_syntax(decoders), _by_syntax(encoders))


def _by_syntax(codecs: Iterable[Codec]) -> dict[str, tuple[Codec, ...]]:
    found: dict[str, tuple[Codec, ...]] = {}
    for codec in sorted(codecs, key=lambda codec: -codec.priority):
        for uid in codec.transfer_syntax_uids:
            found[uid] = (*found.get(uid, ()), codec)
    return found


_HERE = "charrua_core.imaging.codecs"
DECODERS = (
    Codec(tuple(syntaxes.NATIVE), f"{_HERE}.native:decode"),
    Codec((syntaxes.DEFLATED_FRAMES,), f"{_HERE}.deflated:decode"),
    Codec((syntaxes.RLE,), f"{_HERE}.runlength:decode"),
    Codec(tuple(syntaxes.JPEG_FAMILY), f"{_HERE}.jpeg:decode"),
    Codec(tuple(syntaxes.JPEG_LS_FAMILY), f"{_HERE}.jpegls:decode"),
    Codec(tuple(syntaxes.JPEG_2000_FAMILY), f"{_HERE}.jpeg2000:decode"),
    Codec(tuple(syntaxes.JPEG_XL_FAMILY), f"{_HERE}.jpegxl:decode"),
)
ENCODERS = (
    Codec(tuple(syntaxes.NATIVE), f"{_HERE}.native:encode"),
    Codec((syntaxes.DEFLATED_FRAMES,), f"{_HERE}.deflated:encode"),
    Codec((syntaxes.RLE,), f"{_HERE}.runlength:encode"),
    Codec(tuple(syntaxes.JPEG_FAMILY), f"{_HERE}.jpeg:encode"),
    Codec(tuple(syntaxes.JPEG_LS_FAMILY), f"{_HERE}.jpegls:encode"),
    Codec((syntaxes.JPEG_2000_LOSSLESS, syntaxes.JPEG_2000), f"{_HERE}.jpeg2000:encode"),
    Codec((syntaxes.HTJ2K_LOSSLESS, syntaxes.HTJ2K_LOSSLESS_RPCL, syntaxes.HTJ2K), f"{_HERE}.jpeg2000:encode_ht"),
    Codec(tuple(syntaxes.JPEG_XL_FAMILY), f"{_HERE}.jpegxl:encode"),
)
_installed = Codecs.of(DECODERS, ENCODERS)


def install(codecs: Codecs) -> None:
    """Have this process use these codecs."""
    global _installed
    _installed = codecs


def decode_frame(data: bytes, pixel_format: PixelFormat, skipped_bits: int = 0) -> Decoded:
    """Decode one frame: samples of type `pixel_format.dtype` and shape (rows, columns), of colour (rows, columns, 3).

    `data` is the whole code stream of an encapsulated frame, or the bytes of a native one, which and how many skipped bits
    `native_frame` says. The photometric interpretation that comes with the pixels is
    - MONOCHROME1, MONOCHROME2 and PALETTE COLOR as the object says: stored values, no table and no window applied;
    - RGB for what is stored as RGB, and for YBR_* in JPEG (.50, .51), JPEG 2000, HTJ2K and JPEG XL, whose decoders undo it;
    - YBR_FULL for YBR_FULL and YBR_FULL_422 in native, RLE, deflated, JPEG Lossless and JPEG-LS frames, with Cb and Cr of
      422 repeated for the second pixel, so that what was stored stays exact.
    Bits outside Bits Stored (overlays of old devices) are gone, signed samples are sign-extended.

    Raises FrameUndecodable for damaged bytes, FrameTooLarge, CodecUnavailable. May hang or crash on damaged bytes: that is
    what the worker processes are for.
    """
    try:
        if skipped_bits:
            data = _aligned(data, skipped_bits)
        for codec in _codecs_for(pixel_format.transfer_syntax_uid, _installed.decoders, "decodes"):
            decoded: Decoded | None = codec.load()(data, pixel_format)
            if decoded is not None:
                return _checked(decoded, pixel_format, codec)
    except MemoryError as error:
        raise FrameTooLarge from error
    except (CharruaError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in a codec that is written in Rust is no Exception
        raise FrameUndecodable(f"the frame cannot be decoded: {type(error).__name__}: {error}"[:500]) from error
    raise CodecUnavailable(f"no codec took a frame of {pixel_format.transfer_syntax_uid}")


def encode_frame(
    pixels: NDArray[Any], pixel_format: PixelFormat, transfer_syntax_uid: str, options: EncodeOptions | None = None
) -> bytes:
    """Encode one frame, its pixels of type `pixel_format.dtype` and shape `pixel_format.shape`, in the transfer syntax.

    `pixel_format` says what the pixels are now (photometric interpretation RGB, YBR_FULL or one of the single-sample ones);
    `encoded_format` what the object says afterwards. Padding to even length is the encapsulation's matter. Raises
    CodecUnavailable for pixels that the syntax does not take, FrameTooLarge.
    """
    try:
        for codec in _codecs_for(transfer_syntax_uid, _installed.encoders, "encodes"):
            encoded: bytes | None = codec.load()(pixels, pixel_format, transfer_syntax_uid, options or EncodeOptions())
            if encoded is not None:
                return bytes(encoded)
    except MemoryError as error:
        raise FrameTooLarge from error
    raise CodecUnavailable(f"no codec took pixels for {transfer_syntax_uid}")


def _codecs_for(uid: str, codecs: dict[str, tuple[Codec, ...]], verb: str) -> tuple[Codec, ...]:
    if not (found := codecs.get(uid)):
        raise CodecUnavailable(f"nothing {verb} transfer syntax {uid}")
    return found


def _aligned(data: bytes, skipped_bits: int) -> bytes:
    return (int.from_bytes(data, "little") >> skipped_bits).to_bytes(len(data), "little")


def _checked(decoded: Decoded, pixel_format: PixelFormat, codec: Codec) -> Decoded:
    pixels = decoded.pixels
    if pixels.shape != pixel_format.shape or pixels.dtype.name != pixel_format.dtype:
        raise FrameUndecodable(
            f"{codec.function} gave {pixels.dtype.name} {pixels.shape} for {pixel_format.dtype} {pixel_format.shape}"
        )
    return decoded
