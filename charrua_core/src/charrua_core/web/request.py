"""An HTTP request as a handler gets it: who asks, what is asked, and its body as a stream that waits for its reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core.types import Identity, Origin
from charrua_core.web.errors import HttpError
from charrua_core.web.headers import Headers, Query

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.web.route import WebRoute

WHOLE_BODY = 1 << 20
"""Bytes of a body that is read as one, where a handler names no other limit."""

Receive = Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class Request:
    """One request, already admitted: its identity has the route's permission."""

    app: App
    route: WebRoute
    identity: Identity
    origin: Origin
    path: str
    """Percent-decoded, from the root of the server."""
    parameters: Mapping[str, str]
    """What the variable parts of the route's path are; UIDs among them are valid."""
    query: Query
    headers: Headers
    base: str
    """The absolute URL of the route's base, without slash at its end: `https://pacs.example/dicom-web`."""
    receive: Receive
    context: dict[str, Any] = field(default_factory=dict)
    """What the server adds: the session that a cookie named."""
    ended: bool = False
    """Whether the body was read to its end."""

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the body in pieces, none read ahead of who asks. HttpError 400 where the client goes away before its end."""
        while not self.ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise HttpError(400, "the connection ended before the request did")
            self.ended = not message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def body(self, at_most: int = WHOLE_BODY) -> bytes:
        """Give the whole body. HttpError 413 where it is longer than `at_most` bytes."""
        declared = self.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > at_most:
            raise HttpError(413, f"the body may have {at_most} bytes at most")
        parts, length = [], 0
        async for part in self.stream():
            length += len(part)
            if length > at_most:
                raise HttpError(413, f"the body may have {at_most} bytes at most")
            parts.append(part)
        return b"".join(parts)
