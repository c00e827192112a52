"""The file meta group (PS3.10 7.1): written before every received data set, read from our files and from any other.

A received object's file carries our record of its arrival in the private information (0002,0102), so that the index can be
built from the files alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct, pack, unpack_from
from time import time_ns

import orjson

from charrua_core.errors import HeaderDamaged
from charrua_core.types import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    Arrival,
    AsReceived,
    Origin,
)

PRIVATE_INFORMATION_CREATOR = IMPLEMENTATION_CLASS_UID + ".1"
"""(0002,0100) of files whose private information is our arrival record, version 1."""

_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"})
_SHORT_VRS = frozenset(
    {
        b"AE",
        b"AS",
        b"AT",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"FL",
        b"IS",
        b"LO",
        b"PN",
        b"SH",
        b"ST",
        b"TM",
        b"UI",
        b"UL",
        b"US",
    }
)
_MOST_ELEMENTS = 64
_LONGEST_META = 1 << 16
_ORIGIN_VALUES = 6
_HEAD = b"\0" * 128 + b"DICM\x02\0\0\0UL\x04\0"
_VERSION = b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01"
_SHORT = Struct("<HH2sH").pack
_ARRIVAL = Struct("<HH2sHL").pack


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What stands before a data set in a file; UIDs are empty where the file does not tell them."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset_offset: int
    arrival: Arrival | None
    """Our own record of the arrival, None in a file of somebody else."""


def new_arrival_id() -> str:
    """Give 32 hex digits that sort by time: a UUID of version 7 (RFC 9562)."""
    milliseconds = time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    number = milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return f"{number:032x}"


def file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, arrival: Arrival | None = None
) -> bytes:
    """Give preamble, prefix and file meta group for an object that arrived, with the record of its arrival in it.

    Without one they are those of a file that leaves, and tell nothing of where the object came from.
    """
    if arrival is None:
        body = _identity(sop_class_uid) + _element(0x0003, b"UI", sop_instance_uid) + _by_us(transfer_syntax_uid)
        return _HEAD + pack("<L", len(body)) + body
    origin = arrival.origin
    values = (arrival.arrival_id, _moment(arrival.received_at), *_origin_values(origin))
    record = orjson.dumps([*values, *_as_received_values(arrival.as_received)])
    padded = record + b" " * (len(record) & 1)
    body = (
        _identity(sop_class_uid)
        + _element(0x0003, b"UI", sop_instance_uid)
        + _writer(transfer_syntax_uid, origin.calling_aet, origin.called_aet)
        + _ARRIVAL(0x0002, 0x0102, b"OB", 0, len(padded))
        + padded
    )
    return _HEAD + pack("<L", len(body)) + body


def _origin_values(origin: Origin) -> tuple[str, ...]:
    return (
        origin.kind,
        origin.calling_aet,
        origin.called_aet,
        origin.address,
        origin.association_id,
        origin.user,
    )


def _as_received_values(given: AsReceived | None) -> tuple[str, ...]:
    """What follows in the record of an object that the archive has transcoded."""
    if given is None:
        return ()
    return given.transfer_syntax_uid, given.dataset_digest.hex(), _moment(given.transcoded_at)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _element(number: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    if len(value) & 1:
        value += b"\0" if vr == b"UI" else b" "
    return _SHORT(0x0002, number, vr, len(value)) + value


@lru_cache(maxsize=256)
def _identity(sop_class_uid: str) -> bytes:
    return _VERSION + _element(0x0002, b"UI", sop_class_uid)


@lru_cache(maxsize=256)
def _writer(transfer_syntax_uid: str, calling_aet: str, called_aet: str) -> bytes:
    """All that an association's objects have in common, from (0002,0010) on."""
    titles = ((0x0016, calling_aet), (0x0017, calling_aet), (0x0018, called_aet))
    elements = [_element(number, b"AE", title[:16]) for number, title in titles if title]
    return b"".join([_by_us(transfer_syntax_uid), *elements, _element(0x0100, b"UI", PRIVATE_INFORMATION_CREATOR)])


@lru_cache(maxsize=256)
def _by_us(transfer_syntax_uid: str) -> bytes:
    """The transfer syntax, and what has written the file."""
    return (
        _element(0x0010, b"UI", transfer_syntax_uid)
        + _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
    )


def read_file_meta(source: str | os.PathLike[str] | int | bytes) -> FileMeta:
    """Give what stands before the data set of a file (path or open descriptor) or of a buffer's bytes; reads 64 KiB at most.

    Files without preamble, prefix, group length or any meta group are understood too; where the transfer syntax is not
    told, the first element decides between implicit and explicit VR and the byte orders. Raises HeaderDamaged when the
    bytes are no DICOM.
    """
    head = source[:_LONGEST_META] if isinstance(source, bytes) else _read_head(source)
    start = 132 if head[128:132] == b"DICM" else 4 if head[:4] == b"DICM" else 0
    values: dict[int, bytes] = {}
    offset = start
    for number, value, end in _meta_elements(head, start):
        values[number] = value
        offset = end
    declared = values.get(0x0000, b"")
    if len(declared) == 4 and head[start : start + 4] == b"\x02\0\0\0":
        _check_length(unpack_from("<L", declared)[0], start, offset, head)
    syntax = _uid(values.get(0x0010, b"")) or guess_transfer_syntax(head[offset:])
    return FileMeta(syntax, _uid(values.get(0x0002, b"")), _uid(values.get(0x0003, b"")), offset, _arrival(values))


def _read_head(source: str | os.PathLike[str] | int) -> bytes:
    if isinstance(source, int):
        return os.pread(source, _LONGEST_META, 0)
    with open(source, "rb", buffering=0) as file:
        return file.read(_LONGEST_META) or b""


def _meta_elements(head: bytes, offset: int) -> Iterator[tuple[int, bytes, int]]:
    """Number, value and end of each element of group 0002; some writers use implicit VR there."""
    for _ in range(_MOST_ELEMENTS):
        if head[offset : offset + 2] != b"\x02\0" or len(head) < offset + 8:
            return
        number, vr, length = unpack_from("<H2sH", head, offset + 2)
        value = offset + 8
        if vr in _LONG_VRS and len(head) >= offset + 12:
            (length,) = unpack_from("<L", head, offset + 8)
            value = offset + 12
        elif vr not in _SHORT_VRS:
            (length,) = unpack_from("<L", head, offset + 4)
        offset = value + length
        if offset > len(head):
            raise HeaderDamaged(f"the file meta group is cut off in element (0002,{number:04X})")
        yield number, head[value:offset], offset
    raise HeaderDamaged("the file meta group has no end")


def _check_length(declared: int, start: int, offset: int, head: bytes) -> None:
    """The group length is wrong in some files; it is believed only to tell a file that ends within its meta group."""
    if start + 12 + declared > offset > len(head) - 8 and len(head) < _LONGEST_META:
        raise HeaderDamaged("the file ends within its file meta group")


def _uid(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("ascii", "replace")


def _arrival(values: dict[int, bytes]) -> Arrival | None:
    if _uid(values.get(0x0100, b"")) != PRIVATE_INFORMATION_CREATOR:
        return None
    try:
        arrival_id, received_at, *told = orjson.loads(values.get(0x0102, b"").rstrip(b"\0 "))
        origin, as_received = Origin(*told[:_ORIGIN_VALUES]), _as_received(*told[_ORIGIN_VALUES:])
        return Arrival(arrival_id, datetime.fromisoformat(received_at), origin, as_received)
    except (ValueError, TypeError) as error:
        raise HeaderDamaged("the record of the arrival in (0002,0102) is damaged") from error


def _as_received(uid: str = "", digest: str = "", transcoded_at: str = "") -> AsReceived | None:
    return AsReceived(uid, bytes.fromhex(digest), datetime.fromisoformat(transcoded_at)) if uid else None


def guess_transfer_syntax(head: bytes) -> str:
    """Give the transfer syntax in which these first bytes of a data set read well; raises HeaderDamaged when none does."""
    if len(head) >= 8:
        vr = head[4:6]
        if vr in _SHORT_VRS or vr in _LONG_VRS:
            little, big = unpack_from("<H", head)[0], unpack_from(">H", head)[0]
            return "1.2.840.10008.1.2.1" if little <= big else "1.2.840.10008.1.2.2"
        group, _, length = unpack_from("<HHL", head)
        if 0 < group <= 0x0020 and length < 1 << 20:
            return "1.2.840.10008.1.2"
    raise HeaderDamaged("the bytes are no DICOM data set")
