"""Sending an answer: pieces are read as the client takes them, and nothing more once it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing

from charrua_core.web import Response
from charrua_core.web.response import Body
from charrua_web.asgi import Receive, Send
from charrua_web.chunks import chunks_of

_CUT = 32 * 1024
"""Bytes that even a slow client of HTTP/2 takes before its time is over."""


class Gone(Exception):
    """The client has closed its connection, or takes nothing any more."""


async def send_response(send: Send, response: Response, *, head: bool, stall_s: float | None = None) -> None:
    """Send an answer.

    With `stall_s`, of HTTP/2 where a client may stop a single answer: Gone where it takes nothing of it for so long.
    """
    await _within(
        stall_s, send({"type": "http.response.start", "status": response.status, "headers": fields_of(response)})
    )
    if not head:
        await _send_body(send, response.body, stall_s)
    await _within(stall_s, send({"type": "http.response.body", "body": b""}))


async def _send_body(send: Send, body: Body, stall_s: float | None) -> None:
    chunks = _once(body) if isinstance(body, bytes) else chunks_of(body)
    async with aclosing(chunks):
        async for chunk in chunks:
            for part in [chunk] if stall_s is None else _cut(chunk):
                await _within(stall_s, send({"type": "http.response.body", "body": part, "more_body": True}))


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _cut(chunk: bytes) -> Iterator[bytes]:
    return (chunk[at : at + _CUT] for at in range(0, len(chunk), _CUT))


async def closed(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _within(stall_s: float | None, sending: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(stall_s):
            await sending
    except TimeoutError:
        raise Gone("takes nothing") from None


def fields_of(response: Response) -> list[tuple[bytes, bytes]]:
    """Give the header fields of an answer."""
    fields = [(name.lower().encode("latin_1"), value.encode("latin_1")) for name, value in response.headers]
    if response.content_type:
        fields.append((b"content-type", response.content_type.encode("latin_1")))
    if response.length is not None:
        fields.append((b"content-length", b"%d" % response.length))
    return fields
