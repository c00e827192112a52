"""All routes of this plugin, from the modules that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.web import WebRoute, WebSocketRoute
from charrua_web import sessions, status
from charrua_web.dicomweb import qido_routes, stow, wado_frames, wado_instances, wado_rendered, wado_thumbnails
from charrua_web import status
from charrua_web.dicomweb import (
    deletion,
    qido_routes,
    stow,
    wado_frames,
    wado_instances,
    wado_rendered,
    wado_thumbnails,
)
from charrua_web.dicomweb.wado_lookup import Lookup
from charrua_web import status
from charrua_web.dicomweb import qido_routes, stow, wado

if TYPE_CHECKING:
    from charrua_core.app import App


def own_routes(app: App) -> Sequence[WebRoute | WebSocketRoute]:
    """Give them."""
    lookup = Lookup(app)
    return [
        *status.ROUTES,
        *sessions.ROUTES,
        *qido_routes.ROUTES,
        *stow.ROUTES,
        *deletion.ROUTES,
        *wado_instances.ROUTES,
        *wado_frames.routes(lookup),
        *wado_rendered.routes(lookup),
        *wado_thumbnails.routes(lookup),
    ]
    return [*status.ROUTES, *qido_routes.ROUTES, *stow.ROUTES, *wado.routes(app)]
