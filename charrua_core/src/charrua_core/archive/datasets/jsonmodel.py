"""One element's bytes as DICOM JSON Model (PS3.18 F): tolerant, one bad value never fails its object."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from typing import Any

import orjson
from pydicom.datadict import dictionary_VR, private_dictionary_VR

from charrua_core.archive.datasets.charsets import CharacterSet

INLINE_BYTES = 1024
INLINE_TEXT = 65536

BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
WORD_SIZES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
SINGLE_VRS = frozenset({"LT", "ST", "UT", "UR"})
PLAIN_VRS = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI", "UR"})
"""Text in the default repertoire whatever Specific Character Set says."""
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Text in the character set that Specific Character Set names (PS3.5 6.1.2.3)."""
NUMBER_FORMATS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_LONGEST_INTEGER = 15  # digits: more would not survive readers whose numbers are all double


class Unreadable(Exception):
    """The bytes are no value of this VR."""


def _plain(raw: bytes, _: CharacterSet) -> list[Any]:
    text = raw.decode("latin_1").rstrip("\0 ")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if "\\" not in text:
        return [text]
    return [value.strip(" ") or None for value in text.split("\\")]


def _uids(raw: bytes, _: CharacterSet) -> list[Any]:
    text = raw.decode("latin_1")
    if "\\" not in text and "\0" not in text:
        return [text.rstrip(" ")]
    return [value.rstrip("\0 ").replace("\0", "\ufffd") or None for value in text.split("\\")]


def _titles(raw: bytes, _: CharacterSet) -> list[Any]:
    return [value.strip("\0 ").replace("\0", "\ufffd") or None for value in raw.decode("latin_1").split("\\")]


def _texts(raw: bytes, charset: CharacterSet) -> list[Any]:
    text = charset.decode(raw.rstrip(b"\0 "))
    if "\\" not in text:
        return [text]
    return [value.rstrip(" ") or None for value in text.split("\\")]


def _single(raw: bytes, charset: CharacterSet) -> list[Any]:
    return [charset.decode(raw.rstrip(b"\0 "))]


def _locator(raw: bytes, _: CharacterSet) -> list[Any]:
    return [raw.decode("latin_1").rstrip("\0 ").replace("\0", "\ufffd")]


def person_name(text: str) -> dict[str, str] | None:
    """Give the component groups of a person name by their names in PS3.18 F.2.2, None for an empty name."""
    if "=" not in text:
        return {"Alphabetic": text} if text else None
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {name: group for name, group in groups if group} or None


def _names(raw: bytes, charset: CharacterSet) -> list[Any]:
    text = charset.decode(raw.rstrip(b"\0 "))
    if "\\" not in text:
        return [person_name(text)]
    return [person_name(value.rstrip(" ")) for value in text.split("\\")]


def decimal(text: str) -> float | str | None:
    """Give the number of a Decimal String, its text where it is none, None where it is empty."""
    text = text.strip("\0 ")
    try:
        number = float(text)
    except ValueError:
        return text.replace("\0", "\ufffd") or None
    return number if isfinite(number) and "_" not in text else text


def integer(text: str) -> int | str | None:
    """Give the number of an Integer String, its text where it is none or too long, None where it is empty."""
    text = text.strip("\0 ")
    if len(text) <= _LONGEST_INTEGER and "_" not in text:
        try:
            return int(text)
        except ValueError:
            number = decimal(text)
            if isinstance(number, float) and number.is_integer() and abs(number) < 10**_LONGEST_INTEGER:
                return int(number)
    return text.replace("\0", "\ufffd") or None


def _decimals(raw: bytes, _: CharacterSet) -> list[Any]:
    return [decimal(value) for value in raw.decode("latin_1").split("\\")]


def _integers(raw: bytes, _: CharacterSet) -> list[Any]:
    return [integer(value) for value in raw.decode("latin_1").split("\\")]


_TEXT_READERS: dict[str, Callable[[bytes, CharacterSet], list[Any]]] = {
    "AE": _titles,
    "AS": _plain,
    "CS": _plain,
    "DA": _plain,
    "DS": _decimals,
    "DT": _plain,
    "IS": _integers,
    "LO": _texts,
    "LT": _single,
    "PN": _names,
    "SH": _texts,
    "ST": _single,
    "TM": _plain,
    "UC": _texts,
    "UI": _uids,
    "UR": _locator,
    "UT": _single,
}
KNOWN_VRS = frozenset(_TEXT_READERS) | frozenset(NUMBER_FORMATS) | BINARY_VRS | {"AT", "SQ"}


def _numbers(vr: str, raw: bytes, endian: str) -> list[Any]:
    form = NUMBER_FORMATS[vr]
    size = struct.calcsize("<" + form)
    if len(raw) % size:
        raise Unreadable
    numbers = struct.unpack(f"{endian}{len(raw) // size}{form}", raw)
    if form in "fd":
        return [number if isfinite(number) else _special(number) for number in numbers]
    return list(numbers)


def _special(number: float) -> str:
    """JSON has no number for it; the words are those of PS3.18 F.2.3 for numbers given as strings."""
    return "NaN" if number != number else "inf" if number > 0 else "-inf"


def _tags(raw: bytes, endian: str) -> list[Any]:
    if len(raw) % 4:
        raise Unreadable
    halves = struct.unpack(f"{endian}{len(raw) // 2}H", raw)
    return [f"{group:04X}{element:04X}" for group, element in zip(halves[::2], halves[1::2], strict=True)]


def read_values(vr: str, raw: bytes, charset: CharacterSet, endian: str = "<") -> list[Any]:
    """Give the element's values as DICOM JSON has them; an empty list where there is none.

    Raises Unreadable when the bytes are no value of a VR of numbers.
    """
    if not raw:
        return []
    reader = _TEXT_READERS.get(vr)
    if reader is not None:
        values = reader(raw, charset)
        return [] if len(values) == 1 and values[0] in ("", None) else values
    return _tags(raw, endian) if vr == "AT" else _numbers(vr, raw, endian)


def in_little_endian(vr: str, raw: bytes, endian: str) -> bytes:
    """Give the words of a binary value in little endian order, which InlineBinary wants (PS3.18 F.2.7)."""
    size = WORD_SIZES.get(vr, 1)
    if endian == "<" or size == 1 or len(raw) % size:
        return raw
    swapped = bytearray(len(raw))
    for index in range(size):
        swapped[index::size] = raw[size - 1 - index :: size]
    return bytes(swapped)


@lru_cache(maxsize=8192)
def _opening(tag: int, vr: str) -> bytes:
    return b'"%08X":{"vr":"%s"' % (tag, vr.encode("latin_1"))


def binary_json(tag: int, vr: str, raw: bytes, endian: str = "<") -> bytes:
    """Give `"GGGGEEEE":{"vr":…,"InlineBinary":…}`."""
    if not raw:
        return _opening(tag, vr) + b"}"
    return b'%s,"InlineBinary":"%s"}' % (_opening(tag, vr), b64encode(in_little_endian(vr, raw, endian)))


def bulk_json(tag: int, vr: str, items: bytes, offset: int, length: int, *, inflated: bool = False) -> bytes:
    """Give the element with a BulkDataURI in our own relative form, of which `metadata` makes the one that is delivered.

    It begins with the element's path: `items`, as `54000100/0/` each, and the tag. Then `?offset=N&length=M` counts bytes in
    the file; `?inflated-offset=N&length=M` bytes of the inflated data set.
    """
    return b'%s,"BulkDataURI":"%s%08X?%soffset=%d&length=%d"}' % (
        _opening(tag, vr),
        items,
        tag,
        b"inflated-" if inflated else b"",
        offset,
        length,
    )


def values_json(tag: int, vr: str, values: list[Any]) -> bytes:
    """Give `"GGGGEEEE":{"vr":…,"Value":[…]}`, without Value where there is none."""
    if not values:
        return _opening(tag, vr) + b"}"
    return b'%s,"Value":%s}' % (_opening(tag, vr), orjson.dumps(values))


def sequence_json(tag: int, items: list[bytes]) -> bytes:
    """Give a sequence of items that are JSON objects already."""
    if not items:
        return _opening(tag, "SQ") + b"}"
    return b'%s,"Value":[%s]}' % (_opening(tag, "SQ"), b",".join(items))


_AMBIGUOUS = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}


@lru_cache(maxsize=8192)
def public_vr(tag: int, signed: bool = False) -> str | None:
    """Give the VR that PS3.6 has for a public tag, None where it knows the tag not.

    `signed` (Pixel Representation is 1) decides `US or SS`.
    """
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else None
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return None
    if vr == "US or SS":
        return "SS" if signed else "US"
    return _AMBIGUOUS.get(vr, vr if vr in KNOWN_VRS else "UN")


@lru_cache(maxsize=8192)
def private_vr(tag: int, creator: str) -> str | None:
    """Give the VR that this private creator is known to use, None where nobody told."""
    try:
        vr = private_dictionary_VR(tag, creator)
    except KeyError:
        return None
    return vr if vr in KNOWN_VRS else None
