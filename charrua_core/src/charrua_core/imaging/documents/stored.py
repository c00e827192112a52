"""The bytes of a stored object that its header leaves in the file: long texts, waveforms, encapsulated documents."""

from __future__ import annotations

import binascii
import os
import re
from base64 import b64decode
from dataclasses import dataclass
from struct import unpack
from typing import Any

from charrua_core.archive.datasets.charsets import character_set
from charrua_core.archive.datasets.elements import layout_of
from charrua_core.archive.datasets.jsonmodel import PLAIN_VRS, in_little_endian
from charrua_core.archive.datasets.source import BudgetSpent, Clock, FileSource, InflatedSource
from charrua_core.errors import DocumentTooLarge, DocumentUnreadable
from charrua_core.types import FileRange

_BULK = re.compile(r"[0-9A-F/]*\?(inflated-)?offset=(\d{1,15})&length=(\d{1,15})", re.ASCII)
_INFLATE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where an object lies: its file, where in it the data set begins, and how that is encoded."""

    path: str
    dataset_offset: int
    size_bytes: int
    transfer_syntax_uid: str


def bulk_length(element: dict[str, Any]) -> int:
    """How many bytes the element's value has, inline or in the file; about so many for an inline one."""
    found = _place(element)
    return found[2] if found else len(str(element.get("InlineBinary", ""))) * 3 // 4


def bulk_bytes(element: dict[str, Any], stored: StoredFile | None, limit: int, first: int | None = None) -> bytes:
    """The value of a binary element, or its `first` so many bytes, words in little endian order; blocks.

    Raises DocumentTooLarge past `limit` bytes, DocumentUnreadable where the bytes cannot be had.
    """
    length = bulk_length(element) if first is None else min(first, bulk_length(element))
    if length > limit:
        raise DocumentTooLarge
    place = _place(element)
    if place is None:
        return _inline(element)[:first]
    if stored is None:
        raise DocumentUnreadable("the value lies in a file that was not given")
    raw = _read(stored, (place[0], place[1], length))
    return in_little_endian(str(element.get("vr", "")), raw, layout_of(stored.transfer_syntax_uid).endian)


def bulk_text(element: dict[str, Any], stored: StoredFile | None, character_sets: list[Any], limit: int) -> str:
    """A text too long for the header, decoded; raises as `bulk_bytes`."""
    raw = bulk_bytes(element, stored, limit).rstrip(b"\0 ")
    if element.get("vr") in PLAIN_VRS:
        return raw.decode("latin_1")
    return character_set("\\".join(str(term or "") for term in character_sets)).decode(raw)


def bulk_floats(element: dict[str, Any], stored: StoredFile, limit: int) -> list[float]:
    """The numbers of an FL too long for the header; raises as `bulk_bytes`."""
    raw = bulk_bytes(element, stored, limit)
    count = len(raw) // 4
    return list(unpack(f"{layout_of(stored.transfer_syntax_uid).endian}{count}f", raw[: count * 4]))


def bulk_range(element: dict[str, Any], stored: StoredFile | None) -> FileRange | None:
    """Where in the file the value lies as it is; None when it is inline or in a deflated data set."""
    place = _place(element)
    if place is None or place[0] or stored is None:
        return None
    _, offset, length = place
    if offset + length > stored.size_bytes:
        raise DocumentUnreadable("the value lies past the end of its file")
    return FileRange(stored.path, offset, length)


def _place(element: dict[str, Any]) -> tuple[bool, int, int] | None:
    """Whether in the inflated data set, offset and length, as `archive.datasets.jsonmodel.bulk_json` writes them."""
    uri = element.get("BulkDataURI")
    if uri is None:
        return None
    found = _BULK.fullmatch(str(uri))
    if found is None:
        raise DocumentUnreadable("the value lies somewhere that this archive does not know")
    return bool(found[1]), int(found[2]), int(found[3])


def _inline(element: dict[str, Any]) -> bytes:
    try:
        return b64decode(str(element.get("InlineBinary", "")), validate=True)
    except binascii.Error as error:
        raise DocumentUnreadable("an inline value is not in Base64") from error


def _read(stored: StoredFile, place: tuple[bool, int, int]) -> bytes:
    is_inflated, offset, length = place
    try:
        descriptor = os.open(stored.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise DocumentUnreadable("the object's file cannot be opened") from error
    try:
        raw = _inflated(descriptor, stored, offset, length) if is_inflated else _exact(descriptor, offset, length)
    finally:
        os.close(descriptor)
    if len(raw) != length:
        raise DocumentUnreadable("the value lies past the end of its file")
    return raw


def _exact(descriptor: int, offset: int, length: int) -> bytes:
    return FileSource(descriptor, offset, length).read(0, length)


def _inflated(descriptor: int, stored: StoredFile, offset: int, length: int) -> bytes:
    packed = FileSource(descriptor, stored.dataset_offset, stored.size_bytes - stored.dataset_offset)
    try:
        return InflatedSource(packed, offset + length + 1, Clock(_INFLATE_SECONDS)).read(offset, length)
    except BudgetSpent as error:
        raise DocumentTooLarge from error
