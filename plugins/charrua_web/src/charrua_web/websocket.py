"""WebSockets: admitted as requests are, then open until handler, client or server ends them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from charrua_core.errors import CharruaError
from charrua_core.types import Identity
from charrua_core.web import Gone, Headers, HttpError, Query, Response, Table, WebSocket, WebSocketRoute, problem
from charrua_web import sending
from charrua_web.asgi import Receive, Scope, Send
from charrua_web.callers import Callers, refusal

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

PROVE_EVERY_S = 10.0
"""How often who has it open must still be who they were."""
MOST_UNREAD = 32
"""Messages that a client may be ahead of the handler before it is cut off."""
NORMAL, GOING_AWAY, NO_TEXT, TOO_FAST, FAILED = 1000, 1001, 1003, 1008, 1011
OF_STATUS = 4000
"""A CharruaError closes with its HTTP status above this: 4401, 4403, 4404 (RFC 6455 7.4.2: private use)."""
_LONGEST_REASON = 120  # bytes; RFC 6455 5.5 has room for 123


class WebSockets:
    """Serves the WebSocket routes of the table."""

    def __init__(self, app: App, table: Table, callers: Callers) -> None:
        self._app = app
        self._table = table
        self._callers = callers
        self._open: set[_Connection] = set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket from its handshake to its end."""
        await receive()
        try:
            matched = self._table.match("WEBSOCKET", scope["path"])
            if matched is None:
                raise HttpError(404, "there is nothing at this path")
            headers = Headers(scope["headers"])
            caller = await self._callers.admit(scope, headers, matched.route)
            query = Query.parsed(scope["query_string"])
        except CharruaError as error:
            await _refuse(send, refusal(error))
            return
        except Exception:
            log.exception("a WebSocket could not be opened")
            await _refuse(send, problem(HttpError(500, "the archive failed at this request; its log says why")))
            return
        stall_s = self._app.settings["web_stall"].total_seconds()
        connection = _Connection(receive, send, stall_s)
        self._open.add(connection)
        watch = self._watch(connection, scope, headers, matched.route, caller.identity)
        watching = asyncio.create_task(watch, name="websocket log-in")
        try:
            await connection.run(
                matched.route.handle, self._app, caller.identity, caller.origin, matched.parameters, query
            )
        finally:
            watching.cancel()
            self._open.discard(connection)

    async def _watch(
        self, connection: _Connection, scope: Scope, headers: Headers, route: WebSocketRoute, identity: Identity
    ) -> None:
        """End it when who opened it no longer may, or sees other studies than before."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(PROVE_EVERY_S):
                    await self._callers.changed.wait()
            try:
                caller = await self._callers.admit(scope, headers, route)
                if caller.identity != identity:
                    raise HttpError(401, "what this account may see has changed: open it again")
            except CharruaError as error:
                connection.end(OF_STATUS + error.http_status, str(error))
                return
            except Exception:
                log.exception("whether a WebSocket may stay open could not be told")

    def stop(self) -> None:
        """Close all, because the server ends."""
        for connection in self._open:
            connection.end(GOING_AWAY, "the server ends")


class _Connection:
    """One open WebSocket: what came in and was not read yet, and why it ends."""

    def __init__(self, receive: Receive, send: Send, stall_s: float) -> None:
        self._receive = receive
        self._send = send
        self._stall_s = stall_s
        self._unread: asyncio.Queue[str | None] = asyncio.Queue()
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def run(self, handle: Any, *asked: Any) -> None:
        """Accept it and run the handler until either side ends it; then say why."""
        await self._send({"type": "websocket.accept"})
        app, identity, origin, parameters, query = asked
        handling = asyncio.create_task(
            handle(WebSocket(app, identity, origin, parameters, query, self.receive, self.send)), name="websocket"
        )
        reading = asyncio.create_task(self._read(), name="websocket reader")
        handling.add_done_callback(lambda done: self.end(*_reason(done)))
        try:
            code, reason = await self._ended
        finally:
            reading.cancel()
            handling.cancel()
            await asyncio.gather(reading, handling, return_exceptions=True)
        if code:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._stall_s):
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def end(self, code: int, reason: str = "") -> None:
        """End it with a close code (RFC 6455 7.4), 0 where the client has ended it; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result((code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore")))
            self._unread.put_nowait(None)

    async def receive(self) -> str:
        """Give the next message; Gone when it is closed."""
        text = await self._unread.get()
        if text is None:
            self._unread.put_nowait(None)
            raise Gone
        return text

    async def send(self, text: str) -> None:
        """Send a message; Gone when it is closed, or the client takes nothing any more."""
        if self._ended.done():
            raise Gone
        try:
            async with asyncio.timeout(self._stall_s):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self.end(0)
            raise Gone from None

    async def _read(self) -> None:
        while not self._ended.done():
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.end(0)
            elif message.get("text") is None:
                self.end(NO_TEXT, "messages are text")
            elif self._unread.qsize() >= MOST_UNREAD:
                self.end(TOO_FAST, "messages come faster than they are read")
            else:
                self._unread.put_nowait(message["text"])


def _reason(handled: asyncio.Task[None]) -> tuple[int, str]:
    """Why the end of its handler ends a WebSocket."""
    if handled.cancelled():
        return 0, ""
    error = handled.exception()
    if error is None or isinstance(error, Gone):
        return NORMAL, ""
    if isinstance(error, CharruaError):
        return OF_STATUS + error.http_status, str(error)
    log.error("the handler of a WebSocket failed", exc_info=error)
    return FAILED, "the archive failed; its log says why"


async def _refuse(send: Send, response: Response) -> None:
    fields = sending.fields_of(response)
    await send({"type": "websocket.http.response.start", "status": response.status, "headers": fields})
    await send({"type": "websocket.http.response.body", "body": response.body})
