"""One connection: bytes to and from Hypercorn's protocols, and the limits to how long it may do nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11WSConnection
from hypercorn.typing import ConnectionState

from charrua_web.inbox import Answering
from charrua_web.protocols import Http1, Http2

log = logging.getLogger(__name__)

READ = 1 << 18
PING_EVERY_S = 20.0
_LINGER_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may do nothing, in seconds."""

    stall_s: float
    """Taking nothing of an answer."""
    idle_s: float = 30.0
    """Without a request."""
    head_s: float = 10.0
    """From the first byte of a request to the end of its header."""
    linger_s: float = 5.0
    """For what a client still sends after the answer that ended the connection."""
    silent_s: float = 3 * PING_EVERY_S
    """A WebSocket whose client answers no ping."""


class Connection:
    """A connection from its first byte to its last. `check` is to be called about every second."""

    def __init__(
        self, app: Any, config: Config, context: WorkerContext, patience: Patience, streams: tuple[Any, Any]
    ) -> None:
        self._reader, self._writer = streams
        self._patience = patience
        self._lock = asyncio.Lock()
        self._context = context
        now = time.monotonic()
        self._idle_since: float | None = now
        self._head_since: float | None = None
        self._closing_since: float | None = None
        self._stuck: tuple[float, int] | None = None
        self._heard = now
        self.address: str = self._writer.get_extra_info("peername")[0]
        tls = self._writer.get_extra_info("ssl_object")
        protocol = Http2 if tls is not None and tls.selected_alpn_protocol() == "h2" else Http1
        self._tasks = Answering(asyncio.get_running_loop())
        self._tls = tls is not None
        ends = (self._writer.get_extra_info(name)[:2] for name in ("peername", "sockname"))
        state = ConnectionState({})
        self._protocol = protocol(app, config, context, self._tasks, state, self._tls, *ends, self._send)
        self._tasks.source = self._protocol

    @property
    def idle_since(self) -> float | None:
        """Since when it has no request, None while it has one."""
        return self._idle_since if self._closing_since is None else None

    async def run(self) -> None:
        """Serve it to its end."""
        try:
            async with self._tasks:
                await self._protocol.initiate()
                await self._read()
                await self._protocol.handle(Closed())
                self._tasks.end()
        except* OSError:
            pass  # it is gone: nobody is left to be told
        finally:
            self._writer.transport.abort()

    async def _read(self) -> None:
        while True:
            try:
                data = await self._reader.read(READ)
            except OSError:
                return
            if not data:
                return
            self._heard = time.monotonic()
            if self._idle_since is not None and self._head_since is None:
                self._head_since = self._heard
            if self._closing_since is None:
                await self._protocol.handle(RawData(data))

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            async with self._lock:
                await self._write(event.data)
        elif isinstance(event, Closed):
            self._close()
        elif isinstance(event, Updated):
            self._idle_since = time.monotonic() if event.idle else None
            self._head_since = None

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        transport = self._writer.transport
        self._stuck = (time.monotonic(), transport.get_write_buffer_size())
        try:
            await self._writer.drain()
        except OSError:
            await self._protocol.handle(Closed())
        finally:
            self._stuck = None

    def _close(self) -> None:
        """Say no more; what the client still sends is read for a while, or it would not get to see the answer."""
        if self._closing_since is not None:
            return
        self._closing_since = time.monotonic()
        self._stuck = (self._closing_since, self._writer.transport.get_write_buffer_size())
        with suppress(OSError, RuntimeError):
            if not self._tls:
                self._writer.write_eof()
            elif not self._protocol.unread:
                self._writer.close()

    async def end(self) -> None:
        """Close it if it has no request; one that is being answered is closed when that is done."""
        if self._idle_since is not None and self._closing_since is None:
            if isinstance(self._protocol, Http2):
                await self._protocol.go_away()
            self._close()

    def abort(self) -> None:
        """Break it off."""
        self._writer.transport.abort()

    def check(self, now: float) -> None:
        """Close or break it off where its patience is over."""
        patience = self._patience
        if self._is_stuck(now):
            log.info("a client took nothing any more", extra={"address": self.address})
            self.abort()
        elif self._closing_since is not None:
            linger_s = patience.linger_s if self._protocol.unread else _LINGER_IDLE_S
            if now - self._closing_since > linger_s and not self._writer.transport.get_write_buffer_size():
                self.abort()
        elif self._head_since is not None and isinstance(self._protocol, Http1):
            if now - self._head_since > patience.head_s:
                self._close()
        elif self._idle_since is not None and now - self._idle_since > patience.idle_s:
            self._close()
        elif self._is_websocket and now - self._heard > patience.silent_s:
            self.abort()

    def _is_stuck(self, now: float) -> bool:
        """Whether nothing of what waits to be sent has left for too long."""
        if self._stuck is None:
            return False
        since, waiting = self._stuck
        left = self._writer.transport.get_write_buffer_size()
        if left < waiting or not left:
            self._stuck = (now, left)
            return False
        return now - since > self._patience.stall_s

    @property
    def _is_websocket(self) -> bool:
        return isinstance(self._protocol, Http1) and isinstance(self._protocol.connection, H11WSConnection)
