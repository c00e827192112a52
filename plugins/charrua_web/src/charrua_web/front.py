"""The front of the web server: finds the route, asks who calls, lets the handler answer, and tells errors in one shape."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from charrua_core.errors import CharruaError
from charrua_core.web import Headers, HttpError, Query, Request, Response, Table, WebRoute, problem
from charrua_core.web.response import Piece
from charrua_web import answers, measured, origins, sending
from charrua_web.asgi import Application, Receive, Scope, Send
from charrua_web.callers import CALLER, CALLERS, NOBODY, Callers, refusal, visitors_cookie
from charrua_web.networks import LOOPBACK, Networks
from charrua_web.receiving import Receiving
from charrua_web.rendering.pages import Pages, is_page
from charrua_web.websocket import WebSockets

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

JSON = "application/json"
GONE = 499
"""What the log says of a request whose client did not wait for the answer."""
_HERE = Networks(LOOPBACK)


class Front:
    """The ASGI application: routes of the table, and `pages` for all other paths."""

    def __init__(self, app: App, table: Table, callers: Callers, pages: Pages, *, insists_on_tls: bool = False) -> None:
        self._app = app
        self._table = table
        self._pages = pages
        self._lost = cast(Application, pages.quart)
        self._callers = callers
        self._websockets = WebSockets(app, table, self._callers)
        self._stall_s: float = app.settings["web_stall"].total_seconds()
        self._origins = frozenset(origin.lower().rstrip("/") for origin in app.settings["web_cors_origins"])
        self._hsts = (answers.HSTS,) if insists_on_tls else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await self._websockets.serve(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    def stop(self) -> None:
        """Close what has no end of its own."""
        self._websockets.stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope["headers"])
        more = (*self._hsts, *origins.cors_fields(headers, self._origins))
        matched = None
        answer = origins.preflight(scope["method"], headers, self._origins)
        if answer is None:
            try:
                matched = self._table.match(scope["method"], scope["path"])
            except CharruaError as error:
                answer = problem(error)
        if matched is None and answer is None:
            await self._lost(scope, receive, _completing(send, more))
            return
        began = time.monotonic()
        body = Receiving(receive, headers, self._stall_s)
        status, user, stream = GONE, "", None
        try:
            async with body.told_when_gone(safe=scope["method"] in origins.SAFE):
                response, user = (answer, "") if answer else await self._answer(scope, headers, matched, body)
                stream = response.body
                response = answers.completed(await self._packed(scope, headers, response), more)
                response = await body.settled(response, http1=scope["http_version"].startswith("1"))
                status = response.status
                async with body.told_when_gone(safe=body.ended):
                    await self._send(scope, body.until_answered(send), response)
        except sending.Gone:
            status = GONE
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
            _note(scope, matched, status, user, time.monotonic() - began)

    async def _answer(self, scope: Scope, headers: Headers, matched: Any, receive: Receive) -> tuple[Response, str]:
        route: WebRoute = matched.route
        user = ""
        try:
            caller = await self._callers.admit(scope, headers, route)
            user = caller.identity.name
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
            response = await _begun(await route.handle(request))
            if caller.anonymous and is_page(route):
                response = replace(response, headers=(*response.headers, visitors_cookie(caller)))
            return response, user
        except CharruaError as error:
            return await self._refusal(error, scope, headers, route), user
        except Exception:
            log.exception("a request failed", extra={"method": scope["method"], "route": route.path})
            return problem(HttpError(500, "the archive failed at this request; its log says why")), user

    async def _refusal(self, error: CharruaError, scope: Scope, headers: Headers, route: WebRoute) -> Response:
        """The answer to who may not have what they ask for: of a page, one that people can read."""
        if not is_page(route):
            return refusal(error, headers)
        identity = NOBODY
        with suppress(CharruaError):
            identity = (await self._callers.identify(scope, headers, visits=True)).identity
        asked = f"?{scope['query_string'].decode('latin_1')}" if scope["query_string"] else ""
        by_people = "text/html" in headers.get("accept")
        led = self._pages.redirection(scope["path"] + asked, error, identity) if by_people else None
        return led or await self._pages.refused(error, headers, identity)

    async def _packed(self, scope: Scope, headers: Headers, response: Response) -> Response:
        """The answer in gzip where that pays: to this machine itself, bytes cost less than packing them."""
        if not answers.is_text(response.content_type) or scope["method"] == "HEAD":
            return response
        response = replace(response, headers=(*response.headers, ("vary", "Accept-Encoding")))
        client = scope["client"][0] if scope.get("client") else ""
        if (client in _HERE and not self._callers.is_proxy(client)) or not answers.may_compress(response, headers):
            return response
        return await answers.compressed(response)

    async def _send(self, scope: Scope, send: Send, response: Response) -> None:
        # A connection of HTTP/1 watches over itself; of HTTP/2 a single answer may be stopped by its reader.
        stall_s = None if scope["http_version"].startswith("1") else self._stall_s
        await sending.send_response(send, response, head=scope["method"] == "HEAD", stall_s=stall_s)


def _note(scope: Scope, matched: Any, status: int, user: str, seconds: float) -> None:
    """The line of the log, and the counters: the route, not the path, which names patients' studies."""
    if matched:
        measured.answered(matched.route, status, seconds)
    told = {"method": scope["method"], "status": status, "user": user, "seconds": round(seconds, 4)}
    log.info("request", extra={"route": matched.base + matched.route.path if matched else "", **told})


def _completing(send: Send, more: tuple[tuple[str, str], ...]) -> Send:
    """`send` of a page, which adds what every answer carries."""

    async def complete(message: Any) -> None:
        if message["type"] == "http.response.start":
            given = [(name.decode("latin_1"), value.decode("latin_1")) for name, value in message["headers"]]
            message["headers"] = [
                (name.encode("latin_1"), value.encode("latin_1"))
                for name, value in (*given, *answers.missing(given, more))
            ]
        await send(message)

    return complete


def _check_content(route: WebRoute, headers: Headers) -> None:
    """HttpError 415 for a body that this server cannot read, or that a form of another site may have sent as JSON."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise HttpError(415, "bodies are taken without Content-Encoding", {"Accept-Encoding": "identity"})
    if tuple(route.consumes) == (JSON,) and headers.get("content-type").partition(";")[0].strip().lower() != JSON:
        raise HttpError(415, f"the body is {JSON}", {"Accept": JSON})


async def _begun(response: Response) -> Response:
    """The answer with the first piece of a stream made: its failure is still an error that can be told."""
    stream = response.body
    if not isinstance(stream, AsyncGenerator):
        return response
    try:
        return replace(response, body=_Begun(await anext(stream), stream))
    except StopAsyncIteration:
        return replace(response, body=b"")


class _Begun(AsyncGenerator[Piece, None]):
    """A stream whose first piece has been made; closing it closes the stream, also before anybody took that piece."""

    def __init__(self, first: Piece, stream: AsyncGenerator[Piece, None]) -> None:
        self._first: Piece | None = first
        self._stream = stream

    async def asend(self, value: None) -> Piece:
        """Give the next piece."""
        first, self._first = self._first, None
        return await self._stream.asend(value) if first is None else first

    async def athrow(self, *error: Any) -> Piece:
        """Raise an error where the stream waits."""
        return await self._stream.athrow(*error)

    async def aclose(self) -> None:
        """End it."""
        await self._stream.aclose()
