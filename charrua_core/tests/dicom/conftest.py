"""Fixtures of the DICOM tests: an acceptor on a free port, with services that remember what they were sent."""

from __future__ import annotations

import asyncio
import importlib
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from charrua_core.dicom import (
    Acceptor,
    Association,
    CommandField,
    Dispatcher,
    Limits,
    Message,
    Peer,
    ProposedContext,
    Roles,
    ServiceClass,
    first_offered,
    pdu,
)
from charrua_core.dicom.command import Command, decode_command, encode_command
from charrua_core.dicom.message import Collector
from charrua_core.dicom.negotiate import request_for
from charrua_core.dicom.pdu import UserInformation

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
SYNTAXES = (EXPLICIT, IMPLICIT)

Handler = Callable[[Association, Message], Awaitable[None]]


@dataclass
class Scp:
    """What a test's acceptor offers, and what has come in."""

    stored: list[tuple[str, str, bytes]] = field(default_factory=list)
    """SOP Instance UID, transfer syntax, data set."""
    ended: list[Association] = field(default_factory=list)
    acceptor: Acceptor | None = None
    on_find: Handler | None = None
    on_move: Handler | None = None
    on_get: Handler | None = None
    on_store: Handler | None = None

    @property
    def port(self) -> int:
        return self.acceptor.port

    @property
    def peer(self) -> Peer:
        return Peer("CHARRUA", "127.0.0.1", self.port, timeout_s=5)

    async def echo(self, association: Association, message: Message) -> None:
        await association.respond(message, 0x0000)

    async def store(self, association: Association, message: Message) -> None:
        if self.on_store is not None:
            await self.on_store(association, message)
            return
        sink = Collector(1 << 30)
        await message.receive_into(sink)
        uid = message.command.affected_sop_instance_uid
        self.stored.append((uid, message.context.transfer_syntax, bytes(sink.data)))
        await association.respond(message, 0x0000)

    async def query(self, association: Association, message: Message) -> None:
        field_name = CommandField(message.command.command_field).name
        handler = {"C_FIND": self.on_find, "C_MOVE": self.on_move, "C_GET": self.on_get}[field_name]
        await handler(association, message)

    @property
    def services(self) -> list[ServiceClass]:
        queries = frozenset({CommandField.C_FIND, CommandField.C_MOVE, CommandField.C_GET})
        taken = first_offered(EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.4.50")
        return [
            ServiceClass("Verification", {VERIFICATION}, self.echo, frozenset({CommandField.C_ECHO})),
            ServiceClass("Storage", _is_storage, self.store, frozenset({CommandField.C_STORE}), taken),
            ServiceClass("Query/Retrieve", {FIND, MOVE, GET}, self.query, queries),
            ServiceClass("C-GET's storage", _is_storage, self.store, frozenset(), taken, Roles(scu=False, scp=True)),
        ]


def _is_storage(uid: str) -> bool:
    return uid.startswith("1.2.840.10008.5.1.4.1.1.")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable]:
    """Every test runs on both event loops that a site may choose."""
    factories = {"asyncio": asyncio.new_event_loop}
    if sys.platform != "win32":
        factories["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return factories


@pytest.fixture
def limits() -> Limits:
    """Replaced by tests of a limit."""
    return Limits()


@pytest.fixture
async def scp(limits: Limits) -> AsyncIterator[Scp]:
    scp = Scp()
    scp.acceptor = Acceptor(
        limits, Dispatcher(scp.services), on_end=lambda association, _: scp.ended.append(association)
    )
    await scp.acceptor.start()
    yield scp
    await scp.acceptor.stop(grace_s=1)


class Wire:
    """A peer that sends any bytes it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def pdu(self, timeout_s: float = 3.0) -> tuple[int, bytes]:
        """The next PDU's type and body; (0, b"") when the connection is closed."""
        try:
            async with asyncio.timeout(timeout_s):
                kind, length = struct.unpack(">BxI", await self.reader.readexactly(6))
                return kind, await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""

    async def associate(self, *contexts: ProposedContext) -> None:
        await self.send(associate_rq(*(contexts or DEFAULT_CONTEXTS)))
        kind, _ = await self.pdu()
        assert kind == pdu.ASSOCIATE_AC

    async def response(self) -> Command:
        """The next command set, which must be in one PDU."""
        kind, body = await self.pdu()
        assert kind == pdu.P_DATA_TF, (kind, body)
        return decode_command(body[6:])

    async def aborted(self) -> tuple[int, int]:
        """Source and reason of the A-ABORT that must come next."""
        kind, body = await self.pdu()
        assert kind == pdu.ABORT, (kind, body)
        return body[2], body[3]


DEFAULT_CONTEXTS = (
    ProposedContext(VERIFICATION, (IMPLICIT,)),
    ProposedContext(CT, (EXPLICIT,)),
    ProposedContext(FIND, (IMPLICIT,)),
)


def associate_rq(*contexts: ProposedContext, called: str = "CHARRUA", calling: str = "TEST", **user: object) -> bytes:
    return pdu.encode_associate_rq(request_for(calling, called, contexts, UserInformation(16384, **user)))


def p_data(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">BxIIBB", 4, len(data) + 6, len(data) + 2, context_id, control) + data


def command_pdu(
    context_id: int, command_field: int, sop_class: str, *, has_data: bool = False, **attributes: object
) -> bytes:
    command = Command(
        command_field,
        **{"message_id": 1, "affected_sop_class_uid": sop_class, **attributes},
        data_set_type=1 if has_data else 0x0101,
    )
    return p_data(context_id, 3, encode_command(command))


ECHO = command_pdu(1, CommandField.C_ECHO, VERIFICATION)
STORE = command_pdu(3, CommandField.C_STORE, CT, has_data=True, affected_sop_instance_uid="1.2.3", priority=0)


@pytest.fixture
async def wire(scp: Scp) -> AsyncIterator[Callable[[], Awaitable[Wire]]]:
    """Opens raw connections to the acceptor."""
    opened: list[Wire] = []

    async def connect() -> Wire:
        opened.append(Wire(*await asyncio.open_connection("127.0.0.1", scp.port)))
        return opened[-1]

    yield connect
    for one in opened:
        one.writer.transport.abort()


@pytest.fixture
def raw() -> SimpleNamespace:
    """Makers of PDUs, and some ready ones."""
    return SimpleNamespace(associate_rq=associate_rq, p_data=p_data, command=command_pdu, echo=ECHO, store=STORE)
