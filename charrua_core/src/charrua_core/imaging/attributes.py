"""The attributes of a data set by keyword, read from the DICOM JSON Model of the index with as much patience as it takes."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from charrua_core.imaging.tags import TAGS

Elements = Mapping[str, Mapping[str, Any]]

BYTES = "Bytes"
"""Name of a value that was read from the file, beside those of PS3.18 F.2.2."""


class Attributes:
    """One data set or item. A value that is missing, empty or no value of its kind reads as None, or as no values.

    Names are keywords of `tags.TAGS`, or tags of 8 hex digits. What a BulkDataURI of the index stands for is there once
    `with_bytes` has put it there.
    """

    __slots__ = ("elements",)

    def __init__(self, elements: Elements) -> None:
        self.elements = elements

    def __contains__(self, name: str) -> bool:
        """Whether the attribute has a value."""
        return bool(self._element(name).keys() - {"vr"})

    def _element(self, name: str) -> Mapping[str, Any]:
        return self.elements.get(TAGS.get(name, name), {})

    def values(self, name: str) -> list[Any]:
        """Give all values as JSON has them."""
        found: list[Any] = self._element(name).get("Value", [])
        return found

    def text(self, name: str) -> str:
        """Give the first value as text without padding, empty where there is none; of a person name the first group."""
        value = next(iter(self.values(name)), None)
        if isinstance(value, dict):
            value = value.get("Alphabetic") or next(iter(value.values()), None)
        return "" if value is None else str(value).strip()

    def numbers(self, name: str) -> list[float]:
        """Give the values as finite numbers; none at all where one of them is no number."""
        numbers = [value for value in self.values(name) if isinstance(value, int | float) and isfinite(value)]
        return numbers if len(numbers) == len(self.values(name)) else []

    def number(self, name: str) -> float | None:
        """Give the first value as a finite number."""
        value = next(iter(self.values(name)), None)
        return value if isinstance(value, int | float) and isfinite(value) else None

    def integer(self, name: str, default: int = 0) -> int:
        """Give the first value as an integer."""
        number = self.number(name)
        return default if number is None else int(number)

    def items(self, name: str) -> list[Attributes]:
        """Give the items of a sequence."""
        return [Attributes(item) for item in self.values(name) if isinstance(item, Mapping)]

    def item(self, name: str) -> Attributes | None:
        """Give the first item of a sequence."""
        return next(iter(self.items(name)), None)

    def binary(self, name: str) -> bytes | None:
        """Give the value of OB, OW and their like as bytes, words in little endian; that of US and SS too."""
        element = self._element(name)
        if "InlineBinary" in element:
            return b64decode(element["InlineBinary"])
        if BYTES in element:
            read: bytes = element[BYTES]
            return read
        numbers = self.numbers(name)
        if not numbers or element.get("vr") not in ("US", "SS"):
            return None
        return b"".join((int(number) & 0xFFFF).to_bytes(2, "little") for number in numbers)


def bulk_elements(elements: Elements) -> Iterator[Mapping[str, Any]]:
    """Give the elements, at any depth, whose value the index left in the file."""
    for element in elements.values():
        if "BulkDataURI" in element:
            yield element
        elif element.get("vr") == "SQ":
            for item in element.get("Value", []):
                yield from bulk_elements(item)


def with_bytes(elements: Elements, read: Mapping[str, bytes]) -> Elements:
    """Give the elements with what was read, by BulkDataURI, in the place of these."""
    return {tag: _with_bytes(element, read) for tag, element in elements.items()}


def _with_bytes(element: Mapping[str, Any], read: Mapping[str, bytes]) -> Mapping[str, Any]:
    if "BulkDataURI" in element:
        return {"vr": element["vr"], BYTES: read[element["BulkDataURI"]]}
    if element.get("vr") == "SQ":
        return {"vr": "SQ", "Value": [with_bytes(item, read) for item in element.get("Value", [])]}
    return element
