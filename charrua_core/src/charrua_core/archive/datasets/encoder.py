"""DICOM JSON Model to data set bytes: answers of C-FIND, and the changed attributes of what leaves."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydicom.valuerep import format_number_as_ds

from charrua_core.archive.datasets.charsets import CharacterSet
from charrua_core.archive.datasets.elements import LONG_VRS, Layout
from charrua_core.archive.datasets.jsonmodel import (
    BINARY_VRS,
    KNOWN_VRS,
    NUMBER_FORMATS,
    PLAIN_VRS,
    in_little_endian,
)

_DEEPEST = 64
_LONGEST_SHORT = 0xFFFE
_LONG = frozenset(vr.decode() for vr in LONG_VRS)


class Unencodable(Exception):
    """The element has no form in this VR and transfer syntax."""


class OtherCharacterSet(Exception):
    """The character set cannot carry one of the texts."""


def encode_dataset(
    attributes: Mapping[str, Any], layout: Layout, charset: CharacterSet, *, strict: bool = True, depth: int = 0
) -> bytes:
    """Give the attributes as a data set, in the order of their tags, texts in the character set.

    Specific Character Set is the caller's to give; in items it is left out. Raises OtherCharacterSet, and Unencodable for
    a value that does not fit its VR; when not `strict` such an element is written empty.
    """
    tags = sorted(attributes)
    if depth:
        tags = [tag for tag in tags if tag != "00080005"]
    return b"".join([encode_element(tag, attributes[tag], layout, charset, strict=strict, depth=depth) for tag in tags])


def encode_element(
    tag: str,
    element: Mapping[str, Any],
    layout: Layout,
    charset: CharacterSet,
    *,
    strict: bool = True,
    depth: int = 0,
) -> bytes:
    """Give one element's bytes; as `encode_dataset`."""
    vr = element["vr"]
    try:
        if vr == "SQ":
            value = _sequence(element.get("Value") or (), layout, charset, strict, depth)
        else:
            value = encode_value(vr, element, layout.endian, charset)
    except (struct.error, OverflowError, ValueError, TypeError, KeyError, AttributeError) as error:
        if strict:
            raise Unencodable(f"the value of {tag} does not fit VR {vr}") from error
        value = b""
    return encode_head(tag, vr, len(value), layout) + value


def encode_head(tag: str, vr: str, length: int, layout: Layout) -> bytes:
    """Give an element's tag, VR and length."""
    number = int(tag, 16)
    group, element = number >> 16, number & 0xFFFF
    if not layout.explicit:
        return struct.pack(layout.endian + "HHL", group, element, length)
    if vr in _LONG or length > _LONGEST_SHORT:  # a short VR has no room for it (PS3.5 6.2.2)
        code = (vr if vr in _LONG else "UN").encode()
        return struct.pack(layout.endian + "HH2sHL", group, element, code, 0, length)
    return struct.pack(layout.endian + "HH2sH", group, element, vr.encode(), length)


def encode_value(vr: str, element: Mapping[str, Any], endian: str, charset: CharacterSet) -> bytes:
    """Give an element's value, padded to even length. Raises OtherCharacterSet and what makes it Unencodable."""
    if vr not in KNOWN_VRS:
        raise ValueError("unknown VR")
    if vr in BINARY_VRS:
        if "BulkDataURI" in element:
            raise ValueError("bulk data is not at hand")
        value = in_little_endian(vr, b64decode(element.get("InlineBinary", "")), endian)
        return value + b"\0" * (len(value) & 1)
    values = element.get("Value")
    if not values:
        return b""
    if vr in NUMBER_FORMATS:
        return struct.pack(f"{endian}{len(values)}{NUMBER_FORMATS[vr]}", *_as_numbers(vr, values))
    if vr == "AT":
        numbers = [int(value, 16) for value in values]
        return b"".join(struct.pack(endian + "HH", number >> 16, number & 0xFFFF) for number in numbers)
    value = b"\\".join([_text(vr, one, charset) for one in values])
    return value if not len(value) & 1 else value + (b"\0" if vr == "UI" else b" ")


def _as_numbers(vr: str, values: Iterable[Any]) -> list[int | float]:
    convert: Callable[[Any], int | float] = float if vr in ("FL", "FD") else int
    return [convert(value) for value in values]


def _text(vr: str, value: Any, charset: CharacterSet) -> bytes:
    if value is None:
        return b""
    if vr == "PN":
        value = _name(value)
    elif vr == "DS" and isinstance(value, float):
        value = str(value) if len(str(value)) <= 16 else format_number_as_ds(value)
    text = str(value)
    if text.isascii():
        return text.encode("ascii")
    if vr in PLAIN_VRS or vr in ("DS", "IS"):
        return text.encode("latin_1", "replace")
    encoded = charset.encode(text)
    if encoded is None:
        raise OtherCharacterSet
    return encoded


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    groups = [value.get(group) or "" for group in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")


def _sequence(items: Iterable[Any], layout: Layout, charset: CharacterSet, strict: bool, depth: int) -> bytes:
    if depth >= _DEEPEST:
        raise ValueError("too deep")
    encoded = []
    for item in items:
        value = encode_dataset(item or {}, layout, charset, strict=strict, depth=depth + 1)
        encoded += [layout.item_head(len(value)), value]
    return b"".join(encoded)
