"""Fixtures of the DICOM tests: an acceptor on a free port, with services that remember what they were sent."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

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
)
from charrua_core.dicom.message import Collector

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
            return await self.on_store(association, message)
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


@pytest.fixture(params=["asyncio", "uvloop"] if os.environ.get("CHARRUA_TEST_LOOPS") == "both" else ["asyncio"])
def loop_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
async def scp(limits: Limits) -> AsyncIterator[Scp]:
    scp = Scp()
    scp.acceptor = Acceptor(limits, Dispatcher(scp.services), on_end=lambda association, _: scp.ended.append(association))
    await scp.acceptor.start()
    yield scp
    await scp.acceptor.stop(grace_s=1)
