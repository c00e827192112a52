"""The one connection of a process that stays open: it listens, tells others, and holds the locks of singletons."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from charrua_core.db.failures import connection_lost

RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # the last one over and over

Callback = Callable[[str], None]
"""Gets the payload; "" also after a reconnection, when notifications may have been missed."""

logger = logging.getLogger(__name__)

_TELL = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS told(channel, payload)"


class Held:
    """A lock of this process; true until it is given up or its connection is lost."""

    def __init__(self, held: bool) -> None:
        self._held = held

    def __bool__(self) -> bool:
        return self._held

    def lose(self) -> None:
        """Take note that the lock is gone."""
        self._held = False


class Session:
    """A connection that is made when first needed and made again when lost."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._callbacks: dict[str, list[Callback]] = {}
        self._told: dict[tuple[str, str], None] = {}
        self._locks: dict[str, Held] = {}
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._connected = asyncio.Event()
        self._work = asyncio.Event()
        self._closing = False

    async def listen(self, channel: str, callback: Callback) -> Callable[[], None]:
        """Call back for each notification on the channel; gives the function that ends it."""
        self._callbacks.setdefault(channel, []).append(callback)
        if self._connection is not None and len(self._callbacks[channel]) == 1:
            async with self._turn:
                with suppress(Exception):  # a lost connection: the next one listens to all channels
                    await self._connection.add_listener(channel, self._called)
        self._start()
        await self._connected.wait()
        return lambda: self._forget(channel, callback)

    def _forget(self, channel: str, callback: Callback) -> None:
        with suppress(ValueError):
            self._callbacks[channel].remove(callback)

    def announce(self, channel: str, payload: str = "") -> None:
        """Notify the channel soon; alike notifications of the same moment become one."""
        self._told[channel, payload] = None
        self._start()
        self._work.set()

    @asynccontextmanager
    async def singleton(self, name: str) -> AsyncIterator[Held]:
        """Hold the lock of this name if nobody else does; never waits for it."""
        held = await self._take(name)
        try:
            yield held
        finally:
            if held:
                await self._give_up(name)
            held.lose()

    async def close(self) -> None:
        """Tell what is still to be told, and give up the connection with its locks."""
        self._closing = True
        self._work.set()
        if self._task is not None:
            _, waiting = await asyncio.wait([self._task], timeout=5)
            for task in waiting:
                task.cancel()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="database session")

    async def _run(self) -> None:
        failures = 0
        while not (self._closing and (failures or not self._told)):
            try:
                await self._live()
                failures = 0
            except Exception as error:
                if not connection_lost(error):
                    raise
                logger.warning("the database session is lost: %s", type(error).__name__)
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    async def _live(self) -> None:
        """Serve one connection until it is lost or no longer wanted."""
        connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _: self._lose())
            for channel in list(self._callbacks):
                await connection.add_listener(channel, self._called)
            self._connection = connection
            self._connected.set()
            self._tell_everybody()
            await self._serve(connection)
        finally:
            self._lose()
            await connection.close(timeout=2)

    async def _serve(self, connection: asyncpg.Connection) -> None:
        while not connection.is_closed():
            self._work.clear()
            if self._told:
                await self._tell(connection)
            elif self._closing:
                return
            else:
                await self._work.wait()

    async def _tell(self, connection: asyncpg.Connection) -> None:
        told = list(self._told)
        async with self._turn:
            await connection.execute(_TELL, [channel for channel, _ in told], [payload for _, payload in told])
        for one in told:
            self._told.pop(one, None)

    def _lose(self) -> None:
        self._connection = None
        self._connected.clear()
        for held in self._locks.values():
            held.lose()
        self._locks.clear()
        self._work.set()

    def _called(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        for callback in list(self._callbacks.get(channel, ())):
            callback(payload)

    def _tell_everybody(self) -> None:
        for callbacks in self._callbacks.values():
            for callback in list(callbacks):
                callback("")

    async def _take(self, name: str) -> Held:
        self._start()
        await self._connected.wait()
        async with self._turn:
            connection = self._connection
            # The server would give the same session the lock twice.
            if connection is None or name in self._locks:
                return Held(False)
            taken = await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock_key(name))
            if not taken or connection is not self._connection:
                return Held(False)
            self._locks[name] = Held(True)
            return self._locks[name]

    async def _give_up(self, name: str) -> None:
        self._locks.pop(name, None)
        connection = self._connection
        if connection is not None:
            async with self._turn:
                await connection.execute("SELECT pg_advisory_unlock($1)", lock_key(name))


def lock_key(name: str) -> int:
    """Give the number under which PostgreSQL knows the lock of this name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
