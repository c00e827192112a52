"""What a connection has received for one request, and the tasks that answer requests.

Hypercorn's queue would block who closes a request that nobody reads, and asks for a body before anybody wants it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from hypercorn.asyncio.task_group import TaskGroup

log = logging.getLogger(__name__)

MOST_WAITING = 4
"""Messages (each up to what is read from a socket at once) that wait for the reader of a body."""
DISCONNECTS = frozenset({"http.disconnect", "websocket.disconnect"})


class Inbox:
    """The messages to one request, in order. The connection waits while too many are unread, unless it has ended."""

    def __init__(self, wanted: Callable[[], Awaitable[None]]) -> None:
        self._messages: deque[Any] = deque()
        self._changed = asyncio.Condition()
        self._closed = False
        self._wanted = wanted

    async def put(self, message: Any) -> None:
        """Add a message; the end of the connection is added at once, and nothing after it."""
        async with self._changed:
            if message["type"] in DISCONNECTS:
                self._closed = True
            else:
                await self._changed.wait_for(lambda: self._closed or len(self._messages) < MOST_WAITING)
                if self._closed:
                    return
            self._messages.append(message)
            self._changed.notify_all()

    async def get(self) -> Any:
        """Give the next message; the last one, which says that the connection has ended, again and again."""
        if not self._messages:
            await self._wanted()
        async with self._changed:
            await self._changed.wait_for(lambda: self._messages)
            if self._closed and len(self._messages) == 1:
                return self._messages[0]
            message = self._messages.popleft()
            self._changed.notify_all()
            return message


class Answering(TaskGroup):
    """The tasks of one connection. `wanted` is awaited before a request waits for more of its body."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wanted: Callable[[], Awaitable[None]]) -> None:
        super().__init__(loop)
        self._wanted = wanted

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Any) -> Any:  # noqa: ARG002 -- Hypercorn's
        """Answer a request in a task of its own; give the function that takes what comes for it."""
        inbox = Inbox(self._wanted)
        self.spawn(partial(_answer, app, scope, inbox, send))
        return inbox.put


async def _answer(app: Any, scope: Any, inbox: Inbox, send: Any) -> None:
    try:
        await app(scope, inbox.get, send, None, None)
    except Exception:
        log.exception("a request failed")
    finally:
        await send(None)
