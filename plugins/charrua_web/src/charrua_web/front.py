"""The front of the web server: finds the route, asks who calls, lets the handler answer, and tells errors in one shape."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from charrua_core.errors import CharruaError
from charrua_core.web import Headers, HttpError, Query, Request, Response, Table, WebRoute, problem
from charrua_core.web.response import Piece
from charrua_web import measured, sending
from charrua_web.asgi import Application, Receive, Scope, Send
from charrua_web.callers import Callers, refusal
from charrua_web.websocket import WebSockets

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

LINGER_S = 2.0
"""How long the rest of a body is taken and thrown away when it was answered before its end."""


class Front:
    """The ASGI application: routes of the table, and `pages` for all other paths."""

    def __init__(self, app: App, table: Table, pages: Application) -> None:
        self._app = app
        self._table = table
        self._pages = pages
        self._callers = Callers(app)
        self._websockets = WebSockets(app, table, self._callers)
        self._stall_s: float = app.settings["web_stall"].total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await self._websockets.serve(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        body = _Receiving(receive, self._stall_s)
        try:
            matched = self._table.match(scope["method"], scope["path"])
        except HttpError as error:
            await self._send(scope, body, send, problem(error))
            return
        if matched is None:
            await self._pages(scope, receive, send)
            return
        began = time.monotonic()
        response = await self._answer(scope, matched, body)
        await self._send(scope, body, send, response)
        seconds = time.monotonic() - began
        measured.answered(matched.route, response.status, seconds)
        log.debug(
            "request",
            extra={
                "method": scope["method"],
                "route": matched.route.path,
                "status": response.status,
                "seconds": round(seconds, 4),
            },
        )

    def stop(self) -> None:
        """Close what has no end of its own."""
        self._websockets.stop()

    async def _answer(self, scope: Scope, matched: Any, receive: Receive) -> Response:
        route: WebRoute = matched.route
        try:
            headers = Headers(scope["headers"])
            identity, origin = await self._callers.admit(scope, headers, route)
            request = Request(
                self._app,
                route,
                identity,
                origin,
                scope["path"],
                matched.parameters,
                Query.parsed(scope["query_string"]),
                headers,
                self._callers.root_of(scope, headers) + matched.base,
                receive,
            )
            return await _begun(await route.handle(request))
        except CharruaError as error:
            return refusal(error)
        except Exception:
            log.exception("a request failed", extra={"method": scope["method"], "route": route.path})
            return problem(HttpError(500, "the archive failed at this request; its log says why"))

    async def _send(self, scope: Scope, body: _Receiving, send: Send, response: Response) -> None:
        """Send the answer until it is sent or the client has gone."""
        sent = asyncio.create_task(
            sending.send_response(
                send, response, head=scope["method"] == "HEAD", stall_s=self._stall_s, before_end=body.linger
            )
        )
        gone = asyncio.create_task(sending.closed(body.take))
        try:
            await asyncio.wait({sent, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not sent.done():
                sent.cancel()
        with suppress(asyncio.CancelledError, sending.Gone):
            await sent


class _Receiving:
    """`receive` with a limit to how long the client may send nothing."""

    def __init__(self, receive: Receive, stall_s: float) -> None:
        self._receive = receive
        self._stall_s = stall_s
        self._ended = asyncio.Event()

    async def __call__(self) -> Any:
        try:
            async with asyncio.timeout(self._stall_s):
                return await self.take()
        except TimeoutError:
            raise HttpError(408, "the request stopped in its middle", {"Connection": "close"}) from None

    async def take(self) -> Any:
        """Give what comes next, however long that takes."""
        message = await self._receive()
        if not message.get("more_body", False):
            self._ended.set()
        return message

    async def linger(self) -> None:
        """Wait while somebody takes what the client still sends: of a connection closed before, it may not read the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._ended.wait()


async def _begun(response: Response) -> Response:
    """The answer with the first piece of a stream made: its failure is still an error that can be told."""
    stream = response.body
    if not isinstance(stream, AsyncGenerator):
        return response
    try:
        first = await anext(stream)
    except StopAsyncIteration:
        return replace(response, body=b"")

    async def whole() -> AsyncGenerator[Piece, None]:
        try:
            yield first
            async for piece in stream:
                yield piece
        finally:
            await stream.aclose()

    return replace(response, body=whole())
