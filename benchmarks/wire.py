"""The bytes of PS3.8 and of PS3.7 command sets, with as little work as possible, for measuring servers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
IMPLEMENTATION = b"2.25.190146791043182537444806132342625375488"
A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)

# Elements of a command set (PS3.7 E.1) and how each is packed.
AFFECTED_CLASS, COMMAND, MESSAGE_ID, RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
MOVE_DESTINATION, PRIORITY, DATA_SET_TYPE, STATUS = 0x0600, 0x0700, 0x0800, 0x0900
AFFECTED_INSTANCE = 0x1000
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023
NO_DATA_SET = 0x0101

Command = dict[int, int | bytes]


class Context(NamedTuple):
    """One presentation context: `role` is (SCU, SCP) as proposed by PS3.7 D.3.3.4, None for the default."""

    abstract: str
    syntaxes: tuple[str, ...]
    role: tuple[int, int] | None = None


def encode_command(elements: Mapping[int, int | bytes]) -> bytes:
    """The command set in Implicit VR Little Endian with its group length."""
    body = b"".join(_element(tag, elements[tag]) for tag in sorted(elements))
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def _element(tag: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return struct.pack("<HHIH", 0, tag, 2, value)
    padded = value + (b" " if tag == MOVE_DESTINATION else b"\0") * (len(value) % 2)
    return struct.pack("<HHI", 0, tag, len(padded)) + padded


def decode_command(data: bytes) -> Command:
    """The elements of a command set: numbers for US, bytes for everything else."""
    found: Command = {}
    at = 0
    while at < len(data):
        _, tag, length = struct.unpack_from("<HHI", data, at)
        value = data[at + 8 : at + 8 + length]
        found[tag] = int.from_bytes(value, "little") if length == 2 and tag not in _TEXT else value
        at += 8 + length
    return found


_TEXT = {AFFECTED_CLASS, AFFECTED_INSTANCE, 0x0003, 0x1001, MOVE_DESTINATION, 0x0902, 0x1030}


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def associate_request(called: str, calling: str, contexts: Iterable[Context], max_pdu: int) -> bytes:
    """An A-ASSOCIATE-RQ PDU; context numbers are 1, 3, 5 … in the order given."""
    proposed = list(contexts)
    items = [_item(0x10, APPLICATION_CONTEXT)]
    for number, context in enumerate(proposed):
        syntaxes = b"".join(_item(0x40, uid.encode()) for uid in context.syntaxes)
        items.append(
            _item(
                0x20, struct.pack("BBBB", 2 * number + 1, 0, 0, 0) + _item(0x30, context.abstract.encode()) + syntaxes
            )
        )
    user = _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, IMPLEMENTATION)
    roles = b"".join(_item(0x54, _role(context)) for context in proposed if context.role)
    items.append(_item(0x50, user + roles))
    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode()) + b"".join(items)
    return struct.pack(">BxI", A_ASSOCIATE_RQ, len(body)) + body


def _role(context: Context) -> bytes:
    uid = context.abstract.encode()
    return struct.pack(">H", len(uid)) + uid + bytes(context.role or (1, 0))


def items(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The (type, content) of each variable item of an association PDU from offset `at` on."""
    while at + 4 <= len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        yield kind, body[at + 4 : at + 4 + length]
        at += 4 + length


def read_accept(body: bytes) -> tuple[dict[int, str], int]:
    """From the body of an A-ASSOCIATE-AC: accepted context number → transfer syntax, and the peer's maximum PDU length."""
    accepted: dict[int, str] = {}
    limit = 0
    for kind, content in items(body, 68):
        if kind == 0x21 and content[2] == 0:
            accepted[content[0]] = next(body.decode().rstrip("\0") for _, body in items(content, 4))
        elif kind == 0x50:
            limit = next((int.from_bytes(value, "big") for part, value in items(content, 0) if part == 0x51), 0)
    return accepted, limit or 131072


def associate_accept(request: bytes, max_pdu: int) -> bytes:
    """An A-ASSOCIATE-AC PDU that takes every proposed context in its first transfer syntax."""
    parts = [_item(0x10, APPLICATION_CONTEXT)]
    for kind, content in items(request, 68):
        if kind == 0x20:
            syntax = next(value for part, value in items(content, 4) if part == 0x40)
            parts.append(_item(0x21, bytes((content[0], 0, 0, 0)) + _item(0x40, syntax)))
    parts.append(_item(0x50, _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, IMPLEMENTATION)))
    body = request[:68] + b"".join(parts)
    return struct.pack(">BxI", A_ASSOCIATE_AC, len(body)) + body


def p_data(context: int, data: bytes | memoryview, *, command: bool, max_pdu: int, last: bool = True) -> bytes:
    """`data` as P-DATA-TF PDUs of one PDV each; with `last` the message's command set or data set ends here."""
    room = min(max_pdu, 131072) - 6
    kind = 1 if command else 0
    pieces: list[bytes | memoryview] = []
    for start in range(0, len(data), room):
        part = data[start : start + room]
        flags = kind | (2 if last and start + room >= len(data) else 0)
        pieces += (struct.pack(">BxIIBB", P_DATA_TF, len(part) + 6, len(part) + 2, context, flags), part)
    return b"".join(pieces)


def message(context: int, command: Mapping[int, int | bytes], data: bytes | None, max_pdu: int) -> bytes:
    """A whole DIMSE message, ready for one send."""
    present = {**command, DATA_SET_TYPE: NO_DATA_SET if data is None else 0}
    head = p_data(context, encode_command(present), command=True, max_pdu=max_pdu)
    return head if data is None else head + p_data(context, data, command=False, max_pdu=max_pdu)
