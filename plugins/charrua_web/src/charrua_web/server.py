"""The service that serves HTTP and HTTPS, and the port that leads from the one to the other."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from charrua_core.accounts import CHANNEL as ACCOUNTS_CHANGED
from charrua_core.services import Service
from charrua_core.services.sockets import bind
from charrua_web.asgi import Application
from charrua_web.callers import Callers
from charrua_web.catalogue import make_table
from charrua_web.certificates import Certificate, in_force
from charrua_web.choices import check_anonymous
from charrua_web.connection import PING_EVERY_S, Connection, Patience
from charrua_web.front import Front
from charrua_web.listening import Listening, Make
from charrua_web.networks import Networks
from charrua_web.redirect import Redirect

if TYPE_CHECKING:
    from charrua_core.app import App

FINISH_WITHIN_S = 10.0
"""How long answers that are being sent when the server ends may take to their end."""
HEAD_BYTES = 1 << 16
WEBSOCKET_BYTES = 1 << 20


class WebServer(Service):
    """Accepts connections and serves them until it is stopped."""

    name = "web server"
    role = "web"

    def __init__(self, app: App) -> None:
        self._app = app
        self._listening: Listening | None = None
        self._following: asyncio.Task[None] | None = None
        self.certificate: Certificate | None = None

    async def start(self) -> str:
        """Listen; give the addresses."""
        app, settings = self._app, self._app.settings
        check_anonymous(settings)
        self._context = WorkerContext(None)
        self.certificate = await Certificate.of(settings)
        self._front = await self._make_front()
        proxies = Networks.of(settings, "web_trusted_proxies")
        most = settings["web_max_connections"], settings["web_max_connections_per_address"]
        self._listening = Listening(*most, proxies)
        listening = bind(settings["web_host"], settings["web_port"], "the web server")
        tls = self.certificate.context if self.certificate else None
        self._listening.listen(listening, tls, self._maker(self._front))
        told = [_shown("https" if tls else "http", listening)]
        if tls and settings["web_redirect_port"] is not None:
            plain = bind(settings["web_host"], settings["web_redirect_port"], "the redirection to https")
            self._listening.listen(plain, None, self._maker(Redirect(listening.getsockname()[1], app)))
            told.append(_shown("http", plain))
        if self.certificate:
            in_force[app] = self.certificate
            self._following = asyncio.create_task(self.certificate.follow(), name="web certificate")
        self._listening.watch()
        return f"web {' '.join(told)}"

    async def stop(self) -> None:
        """Accept nothing more; let requests that are answered be answered to their end."""
        if self._following is not None:
            self._following.cancel()
        if self._listening is not None:
            self._front.stop()
            await self._context.terminated.set()
            await self._listening.stop(FINISH_WITHIN_S)

    async def _make_front(self) -> Front:
        app = self._app
        table, pages = make_table(app)
        callers = Callers(app)
        await app.db.listen(ACCOUNTS_CHANGED, lambda _: callers.forget())
        insist = self.certificate is not None and not self.certificate.own
        return Front(app, table, callers, pages, insists_on_tls=insist)

    def _maker(self, front: Application) -> Make:
        config = _config()
        wrapped = wrap_app(cast(ASGIFramework, front), config.wsgi_max_body_size, "asgi")
        patience = Patience(self._app.settings["web_stall"].total_seconds())

        def make(streams: tuple[Any, Any]) -> Connection:
            return Connection(wrapped, config, self._context, patience, streams)

        return make


def _shown(scheme: str, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _config() -> Config:
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = config.h2_max_header_list_size = HEAD_BYTES
    config.h2_max_concurrent_streams = 32
    config.keep_alive_max_requests = 100_000
    config.websocket_max_message_size = WEBSOCKET_BYTES
    config.websocket_ping_interval = PING_EVERY_S
    return config
