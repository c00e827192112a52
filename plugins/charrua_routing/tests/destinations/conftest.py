"""An archive in this process with objects in it, and places to send them to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from charrua_core.app import App
from charrua_core.archive.search import OneOf, Query, instances
from charrua_core.jobs import Worker
from charrua_core.sending import Outcome, Sending, send_job
from charrua_core.testing.devices import received_of
from charrua_core.testing.waiting import until
from charrua_core.types import SYSTEM, Destination, Level, Origin


class Sender:
    """Stores objects, and sends them to destinations."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def store(self, *objects: Dataset | Path) -> list[str]:
        """Store objects, or files as they are; gives their UIDs."""
        uids = []
        for one in objects:
            sent = received_of(dcmread(one) if isinstance(one, Path) else one)
            spool = self.app.ingest.begin(
                sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, Origin("dimse", "MODALITY")
            )
            spool.write(memoryview(sent.data_set))
            await self.app.ingest.store(spool)
            uids.append(sent.sop_instance_uid)
        return uids

    async def add(self, kind: str, name: str = "PLACE", **options: Any) -> Destination:
        """Add a destination."""
        given = {option: str(value) if isinstance(value, Path) else value for option, value in options.items()}
        await self.app.destinations.add(Destination(name, kind, given, timeout_s=5), by="test")
        return await self.app.destinations.get(name)

    async def send(self, destination: Destination, uids: Sequence[str], **options: Any) -> list[Outcome]:
        """Give what becomes of the objects there."""
        query = Query(Level.IMAGE, keys={"00080018": OneOf("UI", tuple(uids))}, relational=True)
        records = [record async for record in instances(self.app, query, SYSTEM)]
        records.sort(key=lambda record: uids.index(record.sop_instance_uid))
        kind = self.app.destinations.kind_of(destination)
        sending = Sending(self.app, destination, records, {**destination.options, **options})
        return [outcome async for outcome in kind.send(sending)]

    async def work(self) -> None:
        """Have a worker do all that is due."""
        worker = asyncio.create_task(Worker(self.app.db, [send_job(self.app)]).run())
        try:
            await until(self._idle, 30)
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def _idle(self) -> bool:
        return not await self.app.jobs.due()


@pytest.fixture
async def sender(open_archive: Callable[..., Any]) -> Sender:
    """A fresh archive's sender."""
    return Sender(await open_archive())


class Listener(ThreadingHTTPServer):
    """A small HTTP server: it keeps what it gets, and answers as `answer` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[str, bytes], tuple[int, bytes, dict[str, str]]] = lambda path, body: (200, b"", {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def _handle(self) -> None:
        body = self._body()
        self.server.got.append((self.command, self.path, dict(self.headers.items()), body))
        status, said, headers = self.server.answer(self.path, body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(said))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET = do_OPTIONS = _handle  # noqa: N815 -- names of http.server

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- name of http.server
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that takes all."""
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@asynccontextmanager
async def orthanc(folder: Path, aet: str = "ORTHANC") -> AsyncIterator[tuple[int, int]]:
    """Run Orthanc with DICOMweb; gives its DICOM and its HTTP port."""
    import json

    ports = [_free_port(), _free_port()]
    told = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomAet": aet,
        "DicomPort": ports[0],
        "HttpPort": ports[1],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"charrua": "secret"},
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
    }
    log = _prepared(folder, json.dumps(told))
    process = await asyncio.create_subprocess_exec("Orthanc", str(folder / "orthanc.json"), stdout=log, stderr=log)
    try:
        for port in ports:
            await until(lambda port=port: _listens(port), 60)  # type: ignore[misc]
        yield ports[0], ports[1]
    finally:
        process.terminate()
        await process.wait()
        log.close()


def _prepared(folder: Path, told: str) -> IO[bytes]:
    folder.mkdir(exist_ok=True)
    (folder / "orthanc.json").write_text(told)
    return (folder / "log").open("wb")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
