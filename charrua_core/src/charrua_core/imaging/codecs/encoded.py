"""What an encoder makes of a format: which pixels it takes, and what the encoded object then says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from charrua_core.errors import CodecUnavailable
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.pixels import YBR_FULL_422, PixelFormat


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How to encode; each codec takes what concerns it."""

    quality: int = 90
    """JPEG (.50, .51) and JPEG XL (.112): 1 to 100."""
    near: int = 2
    """JPEG-LS near-lossless (.81): largest error of a sample."""
    ratio: float = 10.0
    """JPEG 2000 (.91) and HTJ2K (.203): wanted ratio of compression."""
    predictor: int = 1
    """JPEG Lossless (.57): predictor 1 to 7 (ISO 10918-1 H.1.2.1); .70 always takes 1."""
    effort: int = 1
    """JPEG XL (.110, .112): 1 fastest (2 where more than 14 bits are stored) to 9 smallest."""


_COLOUR = {
    (syntaxes.JPEG_BASELINE, "RGB"): YBR_FULL_422,
    (syntaxes.JPEG_BASELINE, "YBR_FULL"): YBR_FULL_422,
    (syntaxes.JPEG_XL_RECOMPRESSION, "RGB"): YBR_FULL_422,
    (syntaxes.JPEG_XL_RECOMPRESSION, "YBR_FULL"): YBR_FULL_422,
    (syntaxes.JPEG_2000_LOSSLESS, "RGB"): "YBR_RCT",
    (syntaxes.JPEG_2000, "RGB"): "YBR_ICT",
    (syntaxes.HTJ2K_LOSSLESS, "RGB"): "YBR_RCT",
    (syntaxes.HTJ2K_LOSSLESS_RPCL, "RGB"): "YBR_RCT",
    (syntaxes.HTJ2K, "RGB"): "YBR_ICT",
    (syntaxes.JPEG_XL, "RGB"): "XYB",
}
"""Photometric Interpretation of colour pixels once encoded (PS3.5 8.2, PS3.3 C.7.6.3.1.2), where it is not what it was."""


@dataclass(frozen=True, slots=True)
class _Takes:
    """Which pixels an encoder takes."""

    allocated: tuple[int, ...]
    most_stored: int = 64
    least_stored: int = 1
    signed: bool = True
    colour: bool = True
    palette: bool = True
    ybr: bool = True
    float: bool = False


_FEWEST = 6
"""Bits Stored of what lossy compression takes: pixels of fewer are labels or drawings."""
_ANY = _Takes((1, 8, 16, 32, 64), float=True)
_WORDS = _Takes((8, 16), 16)
_NO_PALETTE = _Takes((8, 16), 16, _FEWEST, palette=False)
_JPEG_XL = _Takes((8, 16), 16, ybr=False)
_TAKES = {
    **dict.fromkeys(syntaxes.NATIVE, _ANY),
    syntaxes.DEFLATED_FRAMES: _ANY,
    syntaxes.RLE: _Takes((8, 16, 32, 64)),
    syntaxes.JPEG_BASELINE: _Takes((8,), 8, _FEWEST, signed=False, palette=False),
    syntaxes.JPEG_EXTENDED: _Takes((16,), 12, _FEWEST, signed=False, colour=False, palette=False),
    syntaxes.JPEG_LOSSLESS: _WORDS,
    syntaxes.JPEG_LOSSLESS_SV1: _WORDS,
    syntaxes.JPEG_LS: _WORDS,
    syntaxes.JPEG_LS_NEAR: _Takes((8, 16), 16, _FEWEST, signed=False, palette=False),
    syntaxes.JPEG_2000_LOSSLESS: _WORDS,
    syntaxes.JPEG_2000: _NO_PALETTE,
    syntaxes.HTJ2K_LOSSLESS: _WORDS,
    syntaxes.HTJ2K_LOSSLESS_RPCL: _WORDS,
    syntaxes.HTJ2K: _NO_PALETTE,
    syntaxes.JPEG_XL_LOSSLESS: _JPEG_XL,
    syntaxes.JPEG_XL_RECOMPRESSION: _Takes((8,), 8, _FEWEST, signed=False, palette=False),
    syntaxes.JPEG_XL: replace(_JPEG_XL, least_stored=_FEWEST, signed=False, palette=False),
}

_PRECISION = {syntaxes.JPEG_BASELINE: 8, syntaxes.JPEG_XL_RECOMPRESSION: 8, syntaxes.JPEG_EXTENDED: 12}
"""Bits Stored where the code stream has a precision of its own (PS3.5 8.2.1)."""


def encoded_format(pixel_format: PixelFormat, transfer_syntax_uid: str) -> PixelFormat:
    """Give what an object says of its pixels once `encode_frame` has encoded them in the transfer syntax.

    `pixel_format` says what the decoded pixels are: photometric interpretation RGB where they are RGB now. Raises
    CodecUnavailable where core's encoders do not take such pixels. A transfer syntax that core does not encode leaves them
    as they are: whether a plugin does, `Imaging.encodes` says. Nothing is loaded and nothing encoded.
    """
    takes = _TAKES.get(transfer_syntax_uid, _ANY)
    for reason, holds in _objections(pixel_format, takes).items():
        if holds:
            raise CodecUnavailable(f"{transfer_syntax_uid} does not take {reason}")
    photometric = pixel_format.photometric_interpretation
    if pixel_format.samples_per_pixel > 1:
        photometric = _COLOUR.get((transfer_syntax_uid, photometric), photometric)
    bits_stored = _bits_stored(pixel_format, transfer_syntax_uid)
    return replace(
        pixel_format,
        bits_stored=bits_stored,
        transfer_syntax_uid=transfer_syntax_uid,
        photometric_interpretation=photometric,
        planar_configuration=int(transfer_syntax_uid == syntaxes.RLE and pixel_format.samples_per_pixel > 1),
        high_bit=bits_stored - 1,
        pixel_data_vr=_vr(pixel_format, transfer_syntax_uid),
    )


def _bits_stored(pixel_format: PixelFormat, transfer_syntax_uid: str) -> int:
    if transfer_syntax_uid == syntaxes.HTJ2K:
        return pixel_format.bits_allocated  # OpenJPH codes the container, and what is lost may go past the old range
    return _PRECISION.get(transfer_syntax_uid, pixel_format.bits_stored)


def _vr(pixel_format: PixelFormat, transfer_syntax_uid: str) -> str:
    """The VR of Pixel Data (PS3.5 A.1 to A.4)."""
    words = pixel_format.bits_allocated > 8 or transfer_syntax_uid == syntaxes.IMPLICIT_LITTLE_ENDIAN
    return "OW" if transfer_syntax_uid in syntaxes.NATIVE and words else "OB"


def _objections(pixel_format: PixelFormat, takes: _Takes) -> dict[str, bool]:
    photometric, colour = pixel_format.photometric_interpretation, pixel_format.samples_per_pixel > 1
    return {
        f"{pixel_format.bits_allocated} bits allocated": pixel_format.bits_allocated not in takes.allocated,
        f"{pixel_format.bits_stored} bits stored": not (
            takes.least_stored <= pixel_format.bits_stored <= takes.most_stored
        ),
        "signed pixels": pixel_format.is_signed and not takes.signed,
        "colour": colour and not takes.colour,
        f"photometric interpretation {photometric}": colour
        and not (photometric == "RGB" or (photometric == "YBR_FULL" and takes.ybr)),
        "a palette's indices, which lossy compression would change": photometric == "PALETTE COLOR"
        and not takes.palette,
        "floating-point pixels": pixel_format.is_float and not takes.float,
    }
