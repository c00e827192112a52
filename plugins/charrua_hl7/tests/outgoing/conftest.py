"""A hospital's system that takes messages, and an archive that sends to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress

import pytest

from charrua_core.jobs import Worker
from charrua_core.types import SYSTEM, Origin
from charrua_hl7.message import Message
from charrua_hl7.outgoing import receivers
from charrua_hl7.outgoing.sending import send_job
from charrua_hl7.worklist.entries import put

BEGIN, END = b"\x0b", b"\x1c\r"
ORIGIN = Origin("cli", user="test")


class Hospital:
    """Takes messages over MLLP and answers each by the next of `answers`, the last of them for ever."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.raw: list[bytes] = []
        self.answers: list[Callable[[Message], bytes | None]] = [self.says("AA")]
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    @staticmethod
    def says(code: str, more: str = "") -> Callable[[Message], bytes]:
        """Give what answers a message with this code."""
        head = "MSH|^~\\&|HIS|H|CHARRUA||20260306173000||ACK|1|P|2.5"
        return lambda message: BEGIN + f"{head}\rMSA|{code}|{message.control_id}{more}\r".encode() + END

    async def open(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                framed = await reader.readuntil(END)
                assert framed[:1] == BEGIN
                self.raw.append(framed[1:-2])
                self.taken.append(Message.parse(framed[1:-2]))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                given = answer(self.taken[-1])
                if given is None:
                    break
                writer.write(given)
                await writer.drain()
        writer.close()


@pytest.fixture
async def hospital():
    """The system, listening."""
    hospital = Hospital()
    await hospital.open()
    yield hospital
    await hospital.close()


@pytest.fixture
async def app(open_archive, monkeypatch):
    """The archive; what it tries again, it tries at once."""
    monkeypatch.setattr("charrua_hl7.outgoing.sending.PAUSES", (0.05,))
    monkeypatch.setattr("charrua_core.jobs.worker.POLL_S", 0.05)
    return await open_archive()


@pytest.fixture
def add_receiver(app):
    """A function that adds a receiver: `await add_receiver(hospital, sends=["orders"])`."""

    async def add_receiver(at, name="HIS", **fields):
        given = {"host": "127.0.0.1", "port": getattr(at, "port", at), **fields}
        return await receivers.add(app, name, given, SYSTEM, ORIGIN)

    return add_receiver


@pytest.fixture
def sending(app):
    """A context in which the archive sends what waits."""

    @asynccontextmanager
    async def sending():
        task = asyncio.create_task(Worker(app.db, [send_job(app)]).run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return sending


@pytest.fixture
def order(app):
    """A function that writes an entry: `await order("A1", status=Status.STARTED)`."""
    from charrua_core.archive.index.levels import tag_of
    from charrua_hl7.worklist.entries import STEP

    def element(keyword, vr, value):
        return {tag_of(keyword): {"vr": vr, "Value": [value]}}

    async def order(accession="A1", name="PEREZ^ANA", **how):
        step = {
            **element("Modality", "CS", "CT"),
            **element("ScheduledProcedureStepID", "SH", "S1"),
            **element("ScheduledProcedureStepStartDate", "DA", "20260306"),
            **element("ScheduledProcedureStepStartTime", "TM", "1730"),
        }
        attributes = {
            **element("PatientID", "LO", "4711"),
            **element("IssuerOfPatientID", "LO", "NORTE"),
            tag_of("PatientName"): {"vr": "PN", "Value": [{"Alphabetic": name}]},
            **element("PatientSex", "CS", "F"),
            **element("AccessionNumber", "SH", accession),
            **element("PlacerOrderNumberImagingServiceRequest", "LO", "P-1"),
            **element("StudyInstanceUID", "UI", "1.2.3"),
            **element("RequestedProcedureDescription", "LO", "Cráneo & cara | s/c"),
            STEP: {"vr": "SQ", "Value": [step]},
        }
        async with app.db.transaction() as tx:
            return await put(app, tx, attributes, order_key=accession, **{"source": "hl7", **how})

    return order
