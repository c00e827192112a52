"""The service that serves HTTP: Hypercorn's protocols on connections that we accept ourselves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from charrua_core.accounts import CHANNEL as ACCOUNTS_CHANGED
from charrua_core.services import Service
from charrua_core.services.sockets import bind
from charrua_core.web import Table, WebRoute, WebSocketRoute
from charrua_web.asgi import Application
from charrua_web.callers import Callers
from charrua_web.front import Front
from charrua_web.pages import make_pages

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

FINISH_WITHIN_S = 15.0
WEBSOCKET_MESSAGE = 1 << 20
"""Bytes of the longest message that a client may send over a WebSocket."""
PING_EVERY_S = 20.0


class WebServer(Service):
    """Accepts connections and serves them until it is stopped."""

    name = "web server"
    role = "web"

    def __init__(self, app: App) -> None:
        self._app = app
        self._connections: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; give the address."""
        app = self._app
        routes = app.hooks.gather_of(WebRoute | WebSocketRoute, "web_routes", app=app)  # type: ignore[arg-type]
        callers = Callers(app)
        await app.db.listen(ACCOUNTS_CHANGED, lambda _: callers.forget())
        self._front = Front(app, Table(routes), callers, cast(Application, make_pages(app)))
        self._config = _config()
        self._wrapped = wrap_app(cast(ASGIFramework, self._front), self._config.wsgi_max_body_size, "asgi")
        self._context = WorkerContext(None)
        listening = bind(app.settings["web_host"], app.settings["web_port"], "the web server")
        self._server = await asyncio.start_server(self._serve, sock=listening, backlog=1024)
        host, port = listening.getsockname()[:2]
        return f"web http://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self) -> None:
        """Accept nothing more; let requests that are answered be answered to their end."""
        if self._server is None:
            return
        self._server.close()
        self._front.stop()
        await self._context.terminated.set()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=FINISH_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- start_server runs this in one
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        loop = asyncio.get_running_loop()
        await TCPServer(self._wrapped, loop, self._config, self._context, {}, reader, writer)


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.include_server_header = False
    config.h2_max_concurrent_streams = 32
    config.read_timeout = None
    config.keep_alive_timeout = 30
    config.websocket_max_message_size = WEBSOCKET_MESSAGE
    config.websocket_ping_interval = PING_EVERY_S
    return config
