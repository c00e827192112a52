"""For tests: a listener in the test's own process, and senders of messages to it or to a running archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio
from sqlalchemy import select

from charrua_core.app import App
from charrua_core.services import Background
from charrua_hl7.intake.framing import BEGIN, END, framed
from charrua_hl7.intake.intake import Intake
from charrua_hl7.intake.listener import Listener
from charrua_hl7.message import Message
from charrua_hl7.tables import entry, message


class Sender:
    """Speaks MLLP to a listener; use it as a context."""

    def __init__(self, host: str, port: int, **options: Any) -> None:
        self._where = (host, port)
        self._options = options

    async def __aenter__(self) -> Sender:
        self.reader, self.writer = await asyncio.open_connection(*self._where, **self._options)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def answer(self) -> bytes:
        """Give the content of the next frame; IncompleteReadError where the connection ends before."""
        async with asyncio.timeout(20):
            told = await self.reader.readuntil(END)
        assert told.startswith(BEGIN)  # noqa: S101 -- this is a test's
        return told[1:-2]

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def send(self, content: bytes | str) -> Message:
        """Send a message; give its acknowledgement."""
        await self.raw(framed(content if isinstance(content, bytes) else content.encode()))
        return Message.parse(await self.answer())


def order(
    number: str = "1001",
    control: str = "NW",
    *,
    control_id: str = "",
    sent: str = "ORM^O01",
    status: str = "",
    **fields: str,
) -> str:
    """Give a message with one order. `fields` are version, mode (MSH-15 and 16), patient, name, accession, modality, when."""
    chosen = {"version": "2.5.1", "mode": "", "patient": "4711", "name": "Perez^Ana"}
    chosen |= {"accession": f"A{number}", "modality": "CT", "when": "202701021030"} | fields
    control_id = control_id or f"C{number}{control}"
    obr = ["OBR", "1", f"P{number}", f"F{number}", "CTHEAD^CT of the head", *[""] * 13, chosen["accession"], *[""] * 5]
    return "\r".join(
        [
            f"MSH|^~\\&|HIS|CLINIC|CHARRUA|SITE|20270101080000||{sent}|{control_id}|P|{chosen['version']}{chosen['mode']}",
            f"PID|1||{chosen['patient']}^^^CLINIC||{chosen['name']}||19700102|F",
            f"ORC|{control}|P{number}|F{number}||{status}",
            "|".join([*obr, chosen["modality"], *[""] * 11, chosen["when"]]),
            "",
        ]
    )


def code(answer: Message) -> str:
    """MSA-1."""
    return answer.text("MSA-1")


class Listening:
    """A listener and the archive behind it."""

    def __init__(self, app: App, listener: Listener, told: str) -> None:
        self.app = app
        self.listener = listener
        self.told = told
        self.where = ("127.0.0.1", int(told.rpartition(":")[2]))

    def sender(self, **options: Any) -> Sender:
        """Give a sender that is to be connected."""
        return Sender(*self.where, **options)

    async def rows(self, table: Any = message) -> list[Any]:
        """Give all rows of a table, the oldest first."""
        async with self.app.db.reading() as connection:
            return list(await connection.execute(select(table).order_by(table.c.id)))

    async def entries(self) -> list[Any]:
        """Give all entries."""
        return await self.rows(entry)


@pytest_asyncio.fixture
async def listen(open_archive: Callable[..., Any]) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts one: `listening = await listen(hl7_max_message_bytes=8192)`."""
    async with AsyncExitStack() as stack:

        async def listen(**settings: Any) -> Listening:
            app = await open_archive(settings)
            intake = Intake(app)
            listener = Listener(app, intake)
            app.sockets.update(listener.bind())
            for service in (Background("HL7 messages", "dicom", intake.run), listener):
                told = await service.start()
                stack.push_async_callback(service.stop)
            return Listening(app, listener, told)

        yield listen
