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
from charrua_web import sending
from charrua_web.asgi import Application, Receive, Scope, Send
from charrua_web.callers import CALLER, CALLERS, Callers, refusal
from charrua_web.websocket import WebSockets

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

JSON = "application/json"


class Front:
    """The ASGI application: routes of the table, and `pages` for all other paths."""

    def __init__(self, app: App, table: Table, callers: Callers, pages: Application) -> None:
        self._app = app
        self._table = table
        self._pages = pages
        self._callers = callers
        self._websockets = WebSockets(app, table, self._callers)
        self._stall_s: float = app.settings["web_stall"].total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await self._websockets.serve(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            matched = self._table.match(scope["method"], scope["path"])
        except HttpError as error:
            await self._send(scope, receive, send, problem(error))
            return
        if matched is None:
            await self._pages(scope, receive, send)
            return
        began = time.monotonic()
        body = _Receiving(receive, self._stall_s)
        response = await self._answer(scope, matched, body)
        await self._send(scope, receive, send, response)
        log.debug(
            "request",
            extra={
                "method": scope["method"],
                "route": matched.route.path,
                "status": response.status,
                "seconds": round(time.monotonic() - began, 4),
            },
        )

    def stop(self) -> None:
        """Close what has no end of its own."""
        self._websockets.stop()

    async def _answer(self, scope: Scope, matched: Any, receive: Receive) -> Response:
        route: WebRoute = matched.route
        headers = Headers(scope["headers"])
        try:
            caller = await self._callers.admit(scope, headers, route)
            _check_content(route, headers)
            request = Request(
                self._app,
                route,
                caller.identity,
                caller.origin,
                scope["path"],
                matched.parameters,
                Query.parsed(scope["query_string"]),
                headers,
                caller.root + matched.base,
                receive,
                {CALLER: caller, CALLERS: self._callers},
            )
            return await _begun(await route.handle(request))
        except CharruaError as error:
            return refusal(error, headers)
        except Exception:
            log.exception("a request failed", extra={"method": scope["method"], "route": route.path})
            return problem(HttpError(500, "the archive failed at this request; its log says why"))

    async def _send(self, scope: Scope, receive: Receive, send: Send, response: Response) -> None:
        """Send the answer until it is sent or the client has gone."""
        sent = asyncio.create_task(
            sending.send_response(send, response, head=scope["method"] == "HEAD", stall_s=self._stall_s)
        )
        gone = asyncio.create_task(sending.closed(receive))
        try:
            await asyncio.wait({sent, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not sent.done():
                sent.cancel()
        with suppress(asyncio.CancelledError, sending.Gone):
            await sent


def _check_content(route: WebRoute, headers: Headers) -> None:
    """HttpError 415 for a body that this server cannot read, or that a form of another site may have sent as JSON."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise HttpError(415, "bodies are taken without Content-Encoding", {"Accept-Encoding": "identity"})
    if tuple(route.consumes) == (JSON,) and headers.get("content-type").partition(";")[0].strip().lower() != JSON:
        raise HttpError(415, f"the body is {JSON}", {"Accept": JSON})


class _Receiving:
    """`receive` with a limit to how long the client may send nothing."""

    def __init__(self, receive: Receive, stall_s: float) -> None:
        self._receive = receive
        self._stall_s = stall_s

    async def __call__(self) -> Any:
        try:
            async with asyncio.timeout(self._stall_s):
                return await self._receive()
        except TimeoutError:
            raise HttpError(408, "the request stopped in its middle", {"Connection": "close"}) from None


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
