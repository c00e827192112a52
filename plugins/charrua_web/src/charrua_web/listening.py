"""Accepting connections: no more than there is room for, of one address or of all, and none for ever."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from charrua_web.connection import READ, Connection
from charrua_web.measured import CONNECTIONS, REFUSED
from charrua_web.networks import Networks

log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0
CHECK_EVERY_S = 1.0
_BREATH_S = 0.1  # after an accept that failed, as of too many open files
_TELL_EVERY_S = 60.0

Make = Callable[[tuple[Any, Any]], Connection]


class Listening:
    """The connections of some listening sockets. `exempt` addresses (proxies) have no limit of their own."""

    def __init__(self, most: int, most_per_address: int, exempt: Networks) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._exempt = exempt
        self._accepting: set[asyncio.Task[None]] = set()
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._counts: Counter[str] = Counter()
        self.connections: set[Connection] = set()
        self._told = 0.0

    def listen(self, listening: socket.socket, tls: ssl.SSLContext | None, make: Make) -> None:
        """Accept at a socket, which is closed at the end."""
        self._accepting.add(asyncio.create_task(self._accept(listening, tls, make), name="web listener"))

    def watch(self) -> None:
        """Keep an eye on what takes too long."""
        self._accepting.add(asyncio.create_task(self._watch(), name="web connections"))

    async def stop(self, within_s: float) -> None:
        """Accept nothing more, close what is idle, let answers be finished, and break off what does not end in time."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for connection in list(self.connections):
            await connection.end()
        watching = asyncio.create_task(self._watch())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for connection in self.connections:
            connection.abort()
        for task in self._tasks:
            task.cancel()
        watching.cancel()
        await asyncio.gather(*self._tasks, watching, return_exceptions=True)

    async def _accept(self, listening: socket.socket, tls: ssl.SSLContext | None, make: Make) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    accepted, address = await loop.sock_accept(listening)
                except OSError:
                    log.exception("a connection could not be accepted")
                    await asyncio.sleep(_BREATH_S)
                    continue
                if await self._has_room(address[0]):
                    self._begin(accepted, address[0], tls, make)
                else:
                    self._refuse(accepted)

    async def _has_room(self, address: str) -> bool:
        """Whether one more may come; the connection that is idle for longest makes room."""
        mine = self._counts[address] >= self._most_per_address and address not in self._exempt
        if not mine and len(self._tasks) < self._most:
            return True
        idle = [c for c in self.connections if c.idle_since is not None and (not mine or c.address == address)]
        if not idle:
            return False
        min(idle, key=lambda one: one.idle_since or 0.0).abort()
        return True

    def _refuse(self, accepted: socket.socket) -> None:
        accepted.close()
        REFUSED.inc()
        if time.monotonic() - self._told > _TELL_EVERY_S:
            self._told = time.monotonic()
            log.warning("connections are refused: there are too many", extra={"open": len(self._tasks)})

    def _begin(self, accepted: socket.socket, address: str, tls: ssl.SSLContext | None, make: Make) -> None:
        task = asyncio.create_task(self._serve(accepted, tls, make), name="web connection")
        self._tasks[task] = address
        self._counts[address] += 1
        CONNECTIONS.inc()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        address = self._tasks.pop(task)
        self._counts[address] -= 1
        CONNECTIONS.dec()
        if not self._counts[address]:
            del self._counts[address]
        if not task.cancelled() and (error := task.exception()):
            log.error("a connection failed", exc_info=error)

    async def _serve(self, accepted: socket.socket, tls: ssl.SSLContext | None, make: Make) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # a handshake that fails is the client's affair, and so is one that it gives up
            streams = await _open(accepted, tls)
            connection = make(streams)
            self.connections.add(connection)
            try:
                await connection.run()
            finally:
                self.connections.discard(connection)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            now = time.monotonic()
            for connection in list(self.connections):
                connection.check(now)


async def _open(
    accepted: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=READ, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    limit = {"ssl_handshake_timeout": HANDSHAKE_S} if tls else {}
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=tls, **limit)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
