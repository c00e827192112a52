"""The MLLP listener."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from charrua_core.addresses import plain
from charrua_core.audit import Event
from charrua_core.services import Service, Sockets, bind
from charrua_core.types import Origin
from charrua_hl7.intake import measured
from charrua_hl7.intake.connection import Connection
from charrua_hl7.intake.intake import Intake
from charrua_hl7.intake.senders import Senders
from charrua_hl7.intake.tls import listener_context

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

SOCKET = "hl7"
HANDSHAKE_S = 10.0
FINISH_S = 15.0
OUT_OF_DESCRIPTORS_S = 1.0


class Listener(Service):
    """Takes connections of senders; their messages go to the intake."""

    name = "HL7 listener"
    role = "dicom"

    def __init__(self, app: App, intake: Intake) -> None:
        self.settings = app.settings
        self.intake = intake
        self._app = app
        self._senders = Senders(app.settings)
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None

    def bind(self) -> Sockets:
        """Bind the port."""
        return {SOCKET: bind(self.settings["hl7_host"], self.settings["hl7_port"], "the HL7 listener")}

    async def start(self) -> str:
        """Listen; give the address."""
        self._socket = self._app.sockets[SOCKET]
        self._tls = await listener_context(self.settings)
        self._spawn(self._accept(self._socket))
        host, port = self._socket.getsockname()[:2]
        return f"hl7{'+tls' if self._tls else ''} {host}:{port}"

    async def stop(self) -> None:
        """Take nothing more; let what has come be answered."""
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections):
            connection.close()
        if busy := [connection.ended for connection in self._connections if connection.is_busy]:
            await asyncio.wait([asyncio.create_task(ended.wait()) for ended in busy], timeout=FINISH_S)
        if self._socket is not None:
            self._socket.close()

    def note(self, address: str, reason: str, counted: str, setting: str = "") -> None:
        """Take note of a sender that is refused or cut."""
        measured.REFUSED.labels(counted).inc()
        facts = {"listener": "HL7", **({"setting": setting} if setting else {})}
        self._app.troubles.note("connection", "", address, reason, **facts)

    def left(self, connection: Connection) -> None:
        """The connection is gone."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._senders.leave(connection.address)
            measured.CONNECTIONS.set(len(self._connections))

    def _enter(self, connection: Connection) -> None:
        """Count it before its task begins: several may be accepted until then."""
        self._connections.add(connection)
        self._senders.enter(connection.address)
        measured.CONNECTIONS.set(len(self._connections))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="HL7 connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listening)
            except OSError as error:  # there are no more descriptors
                log.error("no HL7 connection can be taken: %s", error.strerror)
                await asyncio.sleep(OUT_OF_DESCRIPTORS_S)
                continue
            self._admit(sock, plain(str(address[0])))

    def _admit(self, sock: socket.socket, address: str) -> None:
        reason, setting = self._senders.refusal(address)
        if not reason:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, address)
            self._enter(connection)
            self._spawn(self._connect(sock, connection))
            return
        sock.close()
        self.note(address, reason, "sender" if setting == "hl7_senders" else "room", setting)
        if setting == "hl7_senders":
            origin = Origin("hl7", address=address)
            facts = {"listener": "HL7", "reason": reason}
            self._app.audit.later(Event.SECURITY_ALERT, "E", address, origin, succeeded=False, **facts)

    async def _connect(self, sock: socket.socket, connection: Connection) -> None:
        """The TLS handshake, if there is one, is here: nobody waits for it but the one who is slow."""
        handshake = {"ssl": self._tls, "ssl_handshake_timeout": HANDSHAKE_S} if self._tls else {}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock, **handshake)  # type: ignore[arg-type]
        except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            if isinstance(error, ssl.SSLError):
                self.note(connection.address, f"TLS failed: {error.reason or type(error).__name__}", "tls")
            sock.close()
            self.left(connection)
        except asyncio.CancelledError:
            self.left(connection)
            raise
