"""A data set in Explicit VR Little Endian of DICOM JSON and bulk data (PS3.18 10.5.1.2): what STOW-RS makes of metadata.

Sequences are written with undefined lengths. Bulk data that are in files stay there, so that memory does not grow with them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from charrua_core.archive.datasets.bulk import BulkData
from charrua_core.archive.datasets.charsets import DEFAULT, UTF_8, CharacterSet
from charrua_core.archive.datasets.elements import EXPLICIT_LITTLE, UNDEFINED
from charrua_core.archive.datasets.encoder import OtherCharacterSet, Unencodable, encode_element, encode_head
from charrua_core.archive.datasets.identifier import SPECIFIC_CHARACTER_SET
from charrua_core.archive.datasets.jsonmodel import BINARY_VRS, TEXT_VRS
from charrua_core.errors import MetadataInvalid
from charrua_core.types import DicomJson, FileRange

PIXEL_DATA = "7FE00010"
_LONGEST = 0xFFFFFFFE
_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
_ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def compose_dataset(dataset: DicomJson, bulk_data: Callable[[str, str], BulkData]) -> list[bytes | FileRange]:
    """Give the data set's bytes as segments, of attributes that `received` has checked.

    `bulk_data` gives the value that a BulkDataURI stands for, and is called with the URI and the VR: words little endian,
    texts in UTF-8. Encapsulated pixels are items with their heads, the offset table first. Texts that need it, and all where
    the data set names a character set or has a text as bulk data, are in ISO_IR 192.

    Raises MetadataInvalid for a value that does not fit its VR, and what `bulk_data` raises.
    """
    if SPECIFIC_CHARACTER_SET in dataset:
        return _Composition(UTF_8, bulk_data).of(dataset)
    try:
        return _Composition(DEFAULT, bulk_data).of(dataset)
    except OtherCharacterSet:
        return _Composition(UTF_8, bulk_data).of(dataset)


class _Composition:
    """One data set, in one character set."""

    def __init__(self, charset: CharacterSet, bulk_data: Callable[[str, str], BulkData]) -> None:
        self._charset = charset
        self._bulk_data = bulk_data
        self._done: list[bytes | FileRange] = []
        self._current = bytearray()

    def of(self, dataset: DicomJson) -> list[bytes | FileRange]:
        """Compose it."""
        told = {tag: element for tag, element in dataset.items() if tag != SPECIFIC_CHARACTER_SET}
        if self._charset.term:
            told[SPECIFIC_CHARACTER_SET] = {"vr": "CS", "Value": [self._charset.term]}
        try:
            self._elements(told)
        except Unencodable as error:
            raise MetadataInvalid(str(error)) from error
        return [one for one in (*self._done, bytes(self._current)) if not isinstance(one, bytes) or one]

    def _elements(self, attributes: Mapping[str, Mapping[str, Any]]) -> None:
        for tag in sorted(attributes):
            element = attributes[tag]
            if "BulkDataURI" in element:
                self._add_bulk_data(tag, element["vr"], self._bulk_data(element["BulkDataURI"], element["vr"]))
            elif element["vr"] == "SQ":
                self._sequence(tag, element.get("Value", ()))
            else:
                self._current += encode_element(tag, element, EXPLICIT_LITTLE, self._charset)

    def _sequence(self, tag: str, items: list[DicomJson]) -> None:
        self._current += encode_head(tag, "SQ", UNDEFINED, EXPLICIT_LITTLE)
        for item in items:
            self._current += _ITEM
            self._elements({tag: element for tag, element in item.items() if tag != SPECIFIC_CHARACTER_SET})
            self._current += _ITEM_END
        self._current += _SEQUENCE_END

    def _add_bulk_data(self, tag: str, vr: str, value: BulkData) -> None:
        if value.encapsulated:
            if tag != PIXEL_DATA:
                raise MetadataInvalid(f"{tag} cannot be encapsulated")
            self._current += encode_head(tag, "OB", UNDEFINED, EXPLICIT_LITTLE)
            self._add(value.segments)
            self._current += _SEQUENCE_END
            return
        if vr in TEXT_VRS and not self._charset.term:
            raise OtherCharacterSet
        padding = value.length & 1
        if value.length + padding > _LONGEST:
            raise MetadataInvalid(f"the bulk data of {tag} are longer than an element can be")
        self._current += encode_head(tag, vr, value.length + padding, EXPLICIT_LITTLE)
        self._add(value.segments)
        self._current += (b"\0" if vr in BINARY_VRS or vr == "UI" else b" ") * padding

    def _add(self, segments: list[bytes | FileRange]) -> None:
        for segment in segments:
            if isinstance(segment, bytes):
                self._current += segment
            else:
                self._done += [bytes(self._current), segment]
                self._current = bytearray()
