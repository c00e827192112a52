"""The body of a request, and word of a client that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from charrua_core.web import Headers, HttpError, Response
from charrua_web.asgi import Receive, Send
from charrua_web.sending import Gone, closed

SMALL = 1 << 16
"""Bytes of a body that are read to their end though nobody wants them: dearer is a connection."""
_SMALL_WITHIN_S = 1.0


class Receiving:
    """`receive` of one request, with a limit to how long the client may send nothing."""

    def __init__(self, receive: Receive, headers: Headers, stall_s: float) -> None:
        self._receive = receive
        self._stall_s = stall_s
        declared = headers.get("content-length", "0").strip()
        self._small = declared.isdigit() and int(declared) <= SMALL and "expect" not in headers
        self.ended = declared == "0" and "transfer-encoding" not in headers
        """Whether the body was read to its end, or there is none."""
        self._watched = self._answered = False

    async def __call__(self) -> Any:
        """Give the next message. HttpError 408 where the client sends nothing."""
        try:
            async with asyncio.timeout(self._stall_s):
                message = await self._receive()
        except TimeoutError:
            raise HttpError(408, "the request stopped in its middle", {"Connection": "close"}) from None
        self.ended = self.ended or not message.get("more_body", False)
        return message

    @asynccontextmanager
    async def told_when_gone(self, *, safe: bool) -> AsyncIterator[None]:
        """Raise Gone out of the block, wherever it waits, when the client goes away; only where that is `safe`.

        It is not for what changes something, nor before the body is read: that would be taken for the end.
        """
        if not safe or not self.ended or self._watched:
            yield
            return
        self._watched = True
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- requests are answered in tasks
        left = asyncio.Event()

        def leave(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and not self._answered:
                left.set()
                task.cancel()

        watching = asyncio.create_task(closed(self._receive))
        watching.add_done_callback(leave)
        try:
            yield
        except asyncio.CancelledError:
            if left.is_set() and task.uncancel() == 0:
                raise Gone("left") from None
            raise
        finally:
            watching.cancel()

    def until_answered(self, send: Send) -> Send:
        """`send` that notes when the answer is complete: from then on, the end of the request is no news."""

        async def note(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._answered = True
            await send(message)

        return note

    async def settled(self, response: Response, *, http1: bool) -> Response:
        """Give the answer as it is sent though the body was not read: a small rest is, of a large one the connection ends."""
        kept = [(name, value) for name, value in response.headers if name.lower() != "connection"]
        if not http1:  # its connections do not end with a request (RFC 9113 8.2.2)
            return replace(response, headers=kept)
        if self.ended:
            return response
        if self._small and await self._drained():
            return response
        return replace(response, headers=[*kept, ("connection", "close")])

    async def _drained(self) -> bool:
        with suppress(TimeoutError, HttpError):
            async with asyncio.timeout(_SMALL_WITHIN_S):
                while not self.ended:
                    await self()
                return True
        return False
