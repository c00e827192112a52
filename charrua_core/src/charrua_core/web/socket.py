"""WebSocket routes: admitted as requests are, then messages of text both ways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from charrua_core.types import Identity, Origin
from charrua_core.web.headers import Query

if TYPE_CHECKING:
    from charrua_core.app import App


class Gone(Exception):
    """The other side has closed the WebSocket."""


@dataclass(slots=True)
class WebSocket:
    """An open WebSocket; `receive` raises Gone when the client closes it, and so does `send` afterwards."""

    app: App
    identity: Identity
    origin: Origin
    parameters: Mapping[str, str]
    query: Query
    receive: Callable[[], Awaitable[str]]
    send: Callable[[str], Awaitable[None]]
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """A path at which a WebSocket is opened; `handle` runs as long as it is open, and is cancelled when it ends.

    Who may not open it gets an HTTP status instead. When `handle` returns, the WebSocket is closed with 1000; a CharruaError
    of it closes with 4000 and its HTTP status (4404), anything else with 1011; the end of the server with 1001.
    """

    path: str
    handle: Callable[[WebSocket], Awaitable[None]]
    permission: str
    summary: str
    tag: str
    bases: Sequence[str] = ("",)
    method: ClassVar[str] = "WEBSOCKET"
