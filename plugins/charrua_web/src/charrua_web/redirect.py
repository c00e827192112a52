"""The port without TLS: it leads to the one with, and takes no request itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.errors import CharruaError
from charrua_core.web import Headers, HttpError, Response, problem
from charrua_web import sending
from charrua_web.asgi import Receive, Scope, Send
from charrua_web.networks import Networks
from charrua_web.proxies import seen

if TYPE_CHECKING:
    from charrua_core.app import App


class Redirect:
    """An ASGI application that answers with the address at `port`, by https."""

    def __init__(self, port: int, app: App) -> None:
        self._port = port
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- reads no body
        """Answer one request."""
        if scope["type"] == "http":
            await sending.send_response(send, self._answer(scope), head=scope["method"] == "HEAD", stall_s=None)

    def _answer(self, scope: Scope) -> Response:
        close = {"Connection": "close"}
        if scope["method"] not in ("GET", "HEAD"):
            # Led on, a client would send what it has already sent in the clear, and nobody would notice.
            return problem(HttpError(403, "this port leads to https; send requests there", close))
        try:
            target = self._root(scope) + scope["raw_path"].decode("ascii")
        except (CharruaError, UnicodeDecodeError):
            return problem(HttpError(400, "the request names no host, or no path", close))
        query = scope["query_string"].decode("latin_1")
        return Response(308, headers=[("location", f"{target}?{query}" if query else target)])

    def _root(self, scope: Scope) -> str:
        known: str = self._app.settings["web_url"]
        if known.startswith("https:"):
            return known.rstrip("/")
        host = seen(scope, Headers(scope["headers"]), Networks(())).host
        name = host.rpartition(":")[0] if host.rpartition("]")[2].count(":") else host
        return f"https://{name}{'' if self._port == 443 else f':{self._port}'}"
