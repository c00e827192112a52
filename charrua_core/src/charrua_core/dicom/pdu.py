"""The PDUs that open and close an association (PS3.8 9.3), packed and unpacked by struct.

pynetdicom's classes need 11 ms for an A-ASSOCIATE-RQ of 120 contexts, which hurts with modalities that open one
association per image; this needs well under one. P-DATA-TF is not here: it never exists as an object (`connection`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from charrua_core.types import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, is_valid_uid

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

_ITEM = struct.Struct(">BxH")
_PDU = struct.Struct(">BxI")
_FIXED = struct.Struct(">H2x16s16s32x")
_CONTEXT_RQ, _CONTEXT_AC = 0x20, 0x21
_ABSTRACT, _TRANSFER = 0x30, 0x40
_USER_INFORMATION = 0x50
_MAX_LENGTH, _CLASS_UID, _ASYNC, _ROLE, _VERSION, _EXTENDED, _COMMON_EXTENDED, _IDENTITY, _IDENTITY_AC = (
    0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
)  # fmt: skip


class AbortReason(IntEnum):
    """Why the service provider aborts (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class ProtocolViolation(Exception):
    """The peer broke PS3.8; `reason` goes into the A-ABORT."""

    def __init__(self, reason: AbortReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


CALLING_AE_NOT_RECOGNIZED = Rejection(1, 1, 3)
CALLED_AE_NOT_RECOGNIZED = Rejection(1, 1, 7)
APPLICATION_CONTEXT_NOT_SUPPORTED = Rejection(1, 1, 2)
NO_REASON_GIVEN = Rejection(1, 1, 1)
PROTOCOL_VERSION_NOT_SUPPORTED = Rejection(1, 2, 2)
TEMPORARY_CONGESTION = Rejection(2, 3, 1)
LOCAL_LIMIT_EXCEEDED = Rejection(2, 3, 2)

REJECTIONS: Mapping[tuple[int, int], Mapping[int, str]] = {
    (0, 1): {
        1: "no reason given",
        2: "application context name not supported",
        3: "calling AE title not recognized",
        7: "called AE title not recognized",
    },
    (0, 2): {1: "no reason given", 2: "protocol version not supported"},
    (0, 3): {1: "temporary congestion", 2: "local limit exceeded"},
}
"""Words for (0, source) → reason of PS3.8 table 9-21."""


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context as the requestor proposes it; identifier 0 lets `associate` number it.

    `scu_role` and `scp_role` say which roles the requestor wants to play; (True, False) is the default of PS3.7 D.3.3.4,
    for which no role selection item is sent.
    """

    abstract_syntax: str
    transfer_syntaxes: Sequence[str]
    id: int = 0
    scu_role: bool = True
    scp_role: bool = False


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The acceptor's answer to a presentation context: 0 accepted, 1 to 4 refused (PS3.8 table 9-18)."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """User identity as the requestor gave it (PS3.7 D.3.3.7): type 1 name, 2 name and password, 3 Kerberos, 4 SAML, 5 JWT."""

    type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response_requested: bool = False


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The items of PS3.7 D.3.3, those present in both directions."""

    max_pdu: int = 0
    implementation_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version: str = IMPLEMENTATION_VERSION_NAME
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    """SOP class → (SCU role, SCP role) of the requestor."""
    extended: Mapping[str, bytes] = field(default_factory=dict)
    """SOP class → service class application information."""
    identity: UserIdentity | None = None
    identity_response: bytes | None = None
    async_window: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class AssociateRQ:
    """An A-ASSOCIATE-RQ."""

    calling_aet: str
    called_aet: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation
    protocol_version: int = 1
    application_context: str = APPLICATION_CONTEXT


@dataclass(frozen=True, slots=True)
class AssociateAC:
    """An A-ASSOCIATE-AC."""

    calling_aet: str
    called_aet: str
    contexts: tuple[ContextResult, ...]
    user: UserInformation


def _items(body: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of the value of each item between two offsets."""
    while start < end:
        if end - start < 4:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "an item is cut short")
        kind, length = _ITEM.unpack_from(body, start)
        start += 4
        if start + length > end:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "an item is longer than what holds it")
        yield kind, start, start + length
        start += length


def _uid(raw: bytes) -> str:
    """The UID of an item without trailing NULs and blanks, which old peers send; "" if it is none.

    One odd private UID does not cost a modality its association: what it names is refused, no more.
    """
    text = raw.rstrip(b"\0 ").decode("ascii", "replace")
    return text if is_valid_uid(text) else ""


def _aet(raw: bytes) -> str:
    """The AE title of a 16-byte field, "" for one that holds what an AE title must not (PS3.5 6.2)."""
    text = raw.decode("ascii", "replace").strip(" \0")
    return text if text.isprintable() and "\\" not in text and "\ufffd" not in text else ""


def _proposed(body: bytes, start: int, end: int) -> ProposedContext:
    abstract, transfer = "", []
    for kind, first, last in _items(body, start + 4, end):
        if kind == _ABSTRACT:
            abstract = _uid(body[first:last])
        elif kind == _TRANSFER:
            transfer.append(_uid(body[first:last]))
    if end - start < 4 or body[start] % 2 == 0:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a presentation context has no valid identifier")
    return ProposedContext(abstract, tuple(transfer), body[start])


def _result(body: bytes, start: int, end: int) -> ContextResult:
    if end - start < 4:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a presentation context is cut short")
    syntax = ""
    if body[start + 2] == 0:
        for kind, first, last in _items(body, start + 4, end):
            if kind == _TRANSFER:
                syntax = _uid(body[first:last])
    return ContextResult(body[start], body[start + 2], syntax)


def _counted(body: bytes, start: int, end: int) -> tuple[bytes, int]:
    """A value with a two-byte length before it, and the offset after it."""
    if end - start < 2:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a sub-item is cut short")
    after = start + 2 + int.from_bytes(body[start : start + 2], "big")
    if after > end:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a sub-item is longer than what holds it")
    return body[start + 2 : after], after


def _exactly(body: bytes, start: int, end: int, size: int) -> bytes:
    if end - start != size:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a sub-item has the wrong length")
    return body[start:end]


def _identity(body: bytes, start: int, end: int) -> UserIdentity:
    if end - start < 6:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the user identity is cut short")
    primary, after = _counted(body, start + 2, end)
    secondary, _ = _counted(body, after, end)
    return UserIdentity(body[start], primary, secondary, body[start + 1] == 1)


def _user_information(body: bytes, start: int, end: int) -> UserInformation:
    values: dict[str, object] = {"implementation_uid": "", "implementation_version": ""}
    roles: dict[str, tuple[bool, bool]] = {}
    extended: dict[str, bytes] = {}
    for kind, first, last in _items(body, start, end):
        if kind == _MAX_LENGTH:
            values["max_pdu"] = int.from_bytes(_exactly(body, first, last, 4), "big")
        elif kind == _CLASS_UID:
            values["implementation_uid"] = _uid(body[first:last])
        elif kind == _VERSION:
            values["implementation_version"] = _aet(body[first:last])
        elif kind == _ASYNC:
            values["async_window"] = struct.unpack(">HH", _exactly(body, first, last, 4))
        elif kind == _ROLE:
            uid, after = _counted(body, first, last)
            scu, scp = _exactly(body, after, last, 2)
            roles[_uid(uid)] = (scu == 1, scp == 1)
        elif kind == _EXTENDED:
            uid, after = _counted(body, first, last)
            extended[_uid(uid)] = body[after:last]
        elif kind == _IDENTITY:
            values["identity"] = _identity(body, first, last)
        elif kind == _IDENTITY_AC:
            values["identity_response"] = _counted(body, first, last)[0]
    roles.pop("", None)
    extended.pop("", None)
    return UserInformation(roles=roles, extended=extended, **values)  # type: ignore[arg-type]


def _associate(body: bytes) -> tuple[int, str, str]:
    """Protocol version, called and calling AE title of an A-ASSOCIATE PDU's fixed part."""
    if len(body) < _FIXED.size:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the A-ASSOCIATE PDU is too short")
    version, called, calling = _FIXED.unpack_from(body)
    return version, _aet(called), _aet(calling)


def decode_associate_rq(body: bytes, max_contexts: int = 128) -> AssociateRQ:
    """The A-ASSOCIATE-RQ in the bytes after the PDU's length; ProtocolViolation if it is none."""
    version, called, calling = _associate(body)
    contexts: dict[int, ProposedContext] = {}
    application, user = "", UserInformation(implementation_uid="", implementation_version="")
    for kind, start, end in _items(body, _FIXED.size, len(body)):
        if kind == 0x10:
            application = _uid(body[start:end])
        elif kind == _CONTEXT_RQ:
            context = _proposed(body, start, end)
            if context.id in contexts or len(contexts) >= max_contexts:
                raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a presentation context too many")
            contexts[context.id] = context
        elif kind == _USER_INFORMATION:
            user = _user_information(body, start, end)
    if not contexts:
        raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "no presentation context is proposed")
    proposed = tuple(_with_roles(context, user.roles) for context in contexts.values())
    return AssociateRQ(calling, called, proposed, user, version, application)


def _with_roles(context: ProposedContext, roles: Mapping[str, tuple[bool, bool]]) -> ProposedContext:
    wanted = roles.get(context.abstract_syntax)
    return context if wanted is None else replace(context, scu_role=wanted[0], scp_role=wanted[1])


def decode_associate_ac(body: bytes) -> AssociateAC:
    """The A-ASSOCIATE-AC in the bytes after the PDU's length; ProtocolViolation if it is none."""
    _, called, calling = _associate(body)
    contexts, user = [], UserInformation(implementation_uid="", implementation_version="")
    for kind, start, end in _items(body, _FIXED.size, len(body)):
        if kind == _CONTEXT_AC:
            contexts.append(_result(body, start, end))
        elif kind == _USER_INFORMATION:
            user = _user_information(body, start, end)
    return AssociateAC(calling, called, tuple(contexts), user)


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _counted_value(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _encode_user(user: UserInformation) -> bytes:
    parts = [
        _item(_MAX_LENGTH, user.max_pdu.to_bytes(4, "big")),
        _item(_CLASS_UID, user.implementation_uid.encode()),
    ]
    if user.async_window is not None:
        parts.append(_item(_ASYNC, struct.pack(">HH", *user.async_window)))
    parts += [_item(_ROLE, _counted_value(uid.encode()) + bytes(pair)) for uid, pair in user.roles.items()]
    parts.append(_item(_VERSION, user.implementation_version.encode()))
    parts += [_item(_EXTENDED, _counted_value(uid.encode()) + data) for uid, data in user.extended.items()]
    if user.identity is not None:
        parts.append(_item(_IDENTITY, _encode_identity(user.identity)))
    if user.identity_response is not None:
        parts.append(_item(_IDENTITY_AC, _counted_value(user.identity_response)))
    return _item(_USER_INFORMATION, b"".join(parts))


def _encode_identity(identity: UserIdentity) -> bytes:
    head = bytes((identity.type, identity.response_requested))
    return head + _counted_value(identity.primary) + _counted_value(identity.secondary)


def _encode_associate(kind: int, called: str, calling: str, application: str, items: list[bytes]) -> bytes:
    fixed = _FIXED.pack(1, called.encode("ascii").ljust(16), calling.encode("ascii").ljust(16))
    body = fixed + _item(0x10, application.encode()) + b"".join(items)
    return _PDU.pack(kind, len(body)) + body


def encode_associate_rq(request: AssociateRQ) -> bytes:
    """The bytes of an A-ASSOCIATE-RQ."""
    items = []
    for context in request.contexts:
        syntaxes = b"".join(_item(_TRANSFER, uid.encode()) for uid in context.transfer_syntaxes)
        head = bytes((context.id, 0, 0, 0))
        items.append(_item(_CONTEXT_RQ, head + _item(_ABSTRACT, context.abstract_syntax.encode()) + syntaxes))
    items.append(_encode_user(request.user))
    return _encode_associate(ASSOCIATE_RQ, request.called_aet, request.calling_aet, request.application_context, items)


def encode_associate_ac(accept: AssociateAC) -> bytes:
    """The bytes of an A-ASSOCIATE-AC."""
    items = [
        _item(_CONTEXT_AC, bytes((result.id, 0, result.result, 0)) + _item(_TRANSFER, result.transfer_syntax.encode()))
        for result in accept.contexts
    ]
    items.append(_encode_user(accept.user))
    return _encode_associate(ASSOCIATE_AC, accept.called_aet, accept.calling_aet, APPLICATION_CONTEXT, items)


def encode_associate_rj(rejection: Rejection) -> bytes:
    """The bytes of an A-ASSOCIATE-RJ."""
    return _PDU.pack(ASSOCIATE_RJ, 4) + bytes((0, rejection.result, rejection.source, rejection.reason))


def encode_abort(source: int, reason: int) -> bytes:
    """The bytes of an A-ABORT: source 0 is the service user, 2 the provider."""
    return _PDU.pack(ABORT, 4) + bytes((0, 0, source, reason))


ENCODED_RELEASE_RQ = _PDU.pack(RELEASE_RQ, 4) + bytes(4)
ENCODED_RELEASE_RP = _PDU.pack(RELEASE_RP, 4) + bytes(4)
