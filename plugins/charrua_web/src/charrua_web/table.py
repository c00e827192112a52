"""All routes of this plugin, from the modules that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.web import WebRoute, WebSocketRoute
from charrua_web import sessions, status
from charrua_web.dicomweb import deletion, qido_routes, stow, wado
from charrua_web.setup import routes as setup

if TYPE_CHECKING:
    from charrua_core.app import App


def own_routes(app: App) -> Sequence[WebRoute | WebSocketRoute]:
    """Give them."""
    return [
        *status.ROUTES,
        *sessions.ROUTES,
        *qido_routes.ROUTES,
        *wado.routes(app),
        *stow.ROUTES,
        *deletion.ROUTES,
        *setup.ROUTES,
    ]
