"""What a connection has received for one request, and the tasks that answer requests.

Hypercorn's queue would block who closes a request that nobody reads, and asks for a body before anybody wants it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Protocol

from hypercorn.asyncio.task_group import TaskGroup

log = logging.getLogger(__name__)

DISCONNECTS = frozenset({"http.disconnect", "websocket.disconnect"})


class Source(Protocol):
    """Where a body comes from: a connection's protocol."""

    most_waiting: int
    """Messages of one request that may wait for their reader; then the whole connection waits."""

    async def wanted(self) -> None:
        """Know that somebody waits for more of a body."""

    async def taken(self, stream: int, size: int) -> None:
        """Know that these bytes of a body are no longer in memory."""


class Inbox:
    """The messages to one request, in order. The connection waits while too many are unread, unless it has ended."""

    def __init__(self, source: Source, stream: int) -> None:
        self._source = source
        self._stream = stream
        self._messages: deque[Any] = deque()
        self._changed = asyncio.Condition()
        self._closed = False

    async def put(self, message: Any) -> None:
        """Add a message; the end of the connection is added at once, and nothing after it."""
        async with self._changed:
            if message["type"] in DISCONNECTS:
                self._closed = True
            else:
                await self._changed.wait_for(lambda: self._closed or len(self._messages) < self._source.most_waiting)
                if self._closed:
                    return
            self._messages.append(message)
            self._changed.notify_all()

    async def get(self) -> Any:
        """Give the next message; the last one, which says that the connection has ended, again and again."""
        if not self._messages:
            await self._source.wanted()
        async with self._changed:
            await self._changed.wait_for(lambda: self._messages)
            if self._closed and len(self._messages) == 1:
                return self._messages[0]
            message = self._messages.popleft()
            self._changed.notify_all()
        await self._source.taken(self._stream, len(message.get("body") or b""))
        return message

    async def dispose(self) -> None:
        """Forget what nobody will read any more."""
        async with self._changed:
            unread = sum(len(message.get("body") or b"") for message in self._messages)
            self._messages.clear()
            self._messages.append({"type": "http.disconnect"})
            self._closed = True
            self._changed.notify_all()
        await self._source.taken(self._stream, unread)


class Answering(TaskGroup):
    """The tasks of one connection; `source` is set before the first of them."""

    source: Source

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._pinging: set[asyncio.Task[None]] = set()

    def spawn(self, func: Any, *args: Any) -> None:
        """Run what Hypercorn runs beside a WebSocket: its pings."""
        task = self._task_group.create_task(func(*args))
        self._pinging.add(task)
        task.add_done_callback(self._pinging.discard)

    def end(self) -> None:
        """Ping nobody who has gone: the next ping, until which Hypercorn would sleep, may be far off."""
        for task in self._pinging:
            task.cancel()

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Any) -> Any:  # noqa: ARG002 -- Hypercorn's
        """Answer a request in a task of its own; give the function that takes what comes for it."""
        inbox = Inbox(self.source, send.__self__.stream_id)
        self._task_group.create_task(_answer(app, scope, inbox, send))
        return inbox.put


async def _answer(app: Any, scope: Any, inbox: Inbox, send: Any) -> None:
    try:
        await app(scope, inbox.get, send, None, None)
    except Exception:
        log.exception("a request failed")
    finally:
        await inbox.dispose()
        await send(None)
