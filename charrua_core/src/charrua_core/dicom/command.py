"""DIMSE command sets (PS3.7 E.1): group 0000 in Implicit VR Little Endian, packed and unpacked by struct."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields
from enum import IntEnum
from operator import attrgetter

_ELEMENT = struct.Struct("<HHI")
_US = struct.Struct("<H")

RESPONSE = 0x8000
NO_DATA_SET = 0x0101


class CommandField(IntEnum):
    """Command Field (0000,0100) of the requests; a response has bit 15 set too."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_GET = 0x0110
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140
    N_DELETE = 0x0150
    C_CANCEL = 0x0FFF


class CommandDamaged(ValueError):
    """The bytes are no command set."""


@dataclass(slots=True)
class Command:
    """A decoded command set. Absent elements are None; those that PS3.7 E does not list are kept in `unknown`.

    UIDs and AE titles come from the network: they are text, and whether they are valid is for whoever uses them to see
    (`Dispatcher` lets no invalid SOP Class or Instance UID through to a handler).
    """

    command_field: int
    message_id: int | None = None
    message_id_being_responded_to: int | None = None
    affected_sop_class_uid: str | None = None
    requested_sop_class_uid: str | None = None
    move_destination: str | None = None
    priority: int | None = None
    data_set_type: int = NO_DATA_SET
    status: int | None = None
    offending_element: tuple[int, ...] | None = None
    error_comment: str | None = None
    error_id: int | None = None
    affected_sop_instance_uid: str | None = None
    requested_sop_instance_uid: str | None = None
    event_type_id: int | None = None
    attribute_identifier_list: tuple[int, ...] | None = None
    action_type_id: int | None = None
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    move_originator_aet: str | None = None
    move_originator_message_id: int | None = None
    unknown: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return self.command_field & RESPONSE != 0

    @property
    def has_data(self) -> bool:
        """Whether a data set follows."""
        return self.data_set_type != NO_DATA_SET


_TAGS: dict[str, tuple[int, str]] = {
    "affected_sop_class_uid": (0x0002, "UI"),
    "requested_sop_class_uid": (0x0003, "UI"),
    "command_field": (0x0100, "US"),
    "message_id": (0x0110, "US"),
    "message_id_being_responded_to": (0x0120, "US"),
    "move_destination": (0x0600, "AE"),
    "priority": (0x0700, "US"),
    "data_set_type": (0x0800, "US"),
    "status": (0x0900, "US"),
    "offending_element": (0x0901, "AT"),
    "error_comment": (0x0902, "LO"),
    "error_id": (0x0903, "US"),
    "affected_sop_instance_uid": (0x1000, "UI"),
    "requested_sop_instance_uid": (0x1001, "UI"),
    "event_type_id": (0x1002, "US"),
    "attribute_identifier_list": (0x1005, "AT"),
    "action_type_id": (0x1008, "US"),
    "number_of_remaining_suboperations": (0x1020, "US"),
    "number_of_completed_suboperations": (0x1021, "US"),
    "number_of_failed_suboperations": (0x1022, "US"),
    "number_of_warning_suboperations": (0x1023, "US"),
    "move_originator_aet": (0x1030, "AE"),
    "move_originator_message_id": (0x1031, "US"),
}
"""Attribute → (element of group 0000, VR), in the order of tags."""

_values = attrgetter(*_TAGS)
_NAMES = {tag: (name, vr) for name, (tag, vr) in _TAGS.items()}
assert {f.name for f in fields(Command)} == {*_TAGS, "unknown"}  # noqa: S101  the table is complete


def decode_command(data: bytes) -> Command:
    """The command set in the bytes; CommandDamaged if it is cut short or has no Command Field."""
    values: dict[str, object] = {}
    unknown: dict[int, bytes] = {}
    offset, size = 0, len(data)
    while offset + 8 <= size:
        group, tag, length = _ELEMENT.unpack_from(data, offset)
        offset += 8 + length
        if group != 0 or offset > size:
            raise CommandDamaged("an element is not of group 0000, or is longer than the command set")
        if named := _NAMES.get(tag):
            values[named[0]] = _decode_value(named[1], data[offset - length : offset])
        elif tag:
            unknown[tag] = data[offset - length : offset]
    if offset != size or values.get("command_field") is None or values.get("data_set_type", 0) is None:
        raise CommandDamaged("the command set is cut short, or lacks its Command Field")
    return Command(unknown=unknown, **values)  # type: ignore[arg-type]


def _decode_value(vr: str, raw: bytes) -> object:
    if vr == "US":
        return _decode_us(raw)
    if vr == "AT":
        return tuple(group << 16 | element for group, element in struct.iter_unpack("<HH", raw[: len(raw) // 4 * 4]))
    text = raw.decode("latin-1").rstrip("\0 ")
    return text if vr == "UI" else text.strip()


def _decode_us(raw: bytes) -> int | None:
    if len(raw) == 2:
        return int.from_bytes(raw, "little")
    if raw:
        raise CommandDamaged("an unsigned short has not two bytes")
    return None


def encode_command(command: Command) -> bytes:
    """The bytes of the command set, Command Group Length first."""
    parts = []
    for (tag, vr), value in zip(_TAGS.values(), _values(command), strict=True):
        if value is not None:
            raw = _encode_value(vr, value)
            parts.append(_ELEMENT.pack(0, tag, len(raw)) + raw)
    body = b"".join(parts)
    return _ELEMENT.pack(0, 0, 4) + len(body).to_bytes(4, "little") + body


def _encode_value(vr: str, value: object) -> bytes:
    if isinstance(value, int):
        return _US.pack(value)
    if isinstance(value, tuple):
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value)
    raw = str(value).encode("ascii", "replace")
    if vr == "LO":
        raw = raw[:64]
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
