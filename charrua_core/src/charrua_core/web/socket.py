"""WebSocket routes: admitted as requests are, then messages of text one way."""

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
    """A path at which a WebSocket is opened; `handle` runs as long as it is open, and is cancelled when it ends."""

    path: str
    handle: Callable[[WebSocket], Awaitable[None]]
    permission: str
    summary: str
    tag: str
    bases: Sequence[str] = ("",)
    method: ClassVar[str] = "WEBSOCKET"
