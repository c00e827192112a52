"""Colour profiles (ICC.1:2001-04): those of objects, sRGB from LittleCMS, and three well-known ones made here."""

from __future__ import annotations

import io
from functools import lru_cache
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from charrua_core.imaging.render.request import Profile

Colour = NDArray[Any]

# Red, green and blue as X, Y, Z under D50, and the exponent of their curve, None for that of sRGB.
_PRIMARIES: dict[str, tuple[tuple[float, ...], float | None]] = {
    "adobergb": ((0.60974, 0.31111, 0.01947, 0.20528, 0.62567, 0.06087, 0.14919, 0.06322, 0.74457), 2.19921875),
    "displayp3": ((0.51512, 0.24120, -0.00105, 0.29198, 0.69225, 0.04189, 0.15710, 0.06657, 0.78407), None),
    "rommrgb": ((0.79767, 0.28804, 0.0, 0.13519, 0.71188, 0.0, 0.03134, 0.00009, 0.82491), 1.8),
}
_NAMES = {"adobergb": "Adobe RGB (1998)", "displayp3": "Display P3", "rommrgb": "ROMM RGB"}


def in_profile(colour: Colour, own: bytes | None, asked: Profile) -> tuple[Colour, bytes | None]:
    """Give the colours in the profile that is asked for, and the profile to go with them (PS3.18 8.3.5.1.5).

    An object without a profile of its own, or with one that cannot be read, is taken for sRGB.
    """
    if asked == "no":
        return colour, None
    own = own if own and _readable(own) else None
    if asked == "yes":
        return colour, own or _profile("srgb")
    wanted = _profile(asked)
    source, target = io.BytesIO(own or _profile("srgb")), io.BytesIO(wanted)
    if own is None and asked == "srgb":
        return colour, wanted
    converted = ImageCms.profileToProfile(Image.fromarray(np.ascontiguousarray(colour)), source, target)
    return np.asarray(converted), wanted


def _readable(profile: bytes) -> bool:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space == "RGB "
    except OSError:
        return False


@lru_cache(maxsize=4)
def _profile(name: str) -> bytes:
    if name == "srgb":
        made: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        return made
    primaries, exponent = _PRIMARIES[name]
    curve = _srgb_curve() if exponent is None else pack(">4sLLH2x", b"curv", 0, 1, round(exponent * 256))
    colorants = [_xyz(primaries[at : at + 3]) for at in (0, 3, 6)]
    named = zip((b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"), [*colorants, curve, curve, curve], strict=True)
    texts = [(b"desc", _description(_NAMES[name])), (b"cprt", b"text\0\0\0\0No copyright\0\0\0\0")]
    return _file([*texts, (b"wtpt", _xyz((0.9642, 1.0, 0.8249))), *named])


def _file(tags: list[tuple[bytes, bytes]]) -> bytes:
    """Header, table of tags, and their data."""
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for signature, data in tags:
        table += pack(">4sLL", signature, offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    illuminant = _xyz((0.9642, 1.0, 0.8249))[8:]
    size = offset + len(body)
    head = pack(">L4xL4s4s4s12x4s28x12s48x", size, 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", illuminant)
    return b"".join((head, pack(">L", len(tags)), table, body))


def _xyz(numbers: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(pack(">l", round(number * 65536)) for number in numbers)


def _description(text: str) -> bytes:
    return pack(">4s4xL", b"desc", len(text) + 1) + text.encode() + b"\0" + b"\0" * 78


def _srgb_curve() -> bytes:
    steps = np.linspace(0, 1, 1024)
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    steps_in_words: bytes = np.rint(linear * 65535).astype(">u2").tobytes()
    return pack(">4s4xL", b"curv", 1024) + steps_in_words
