"""All routes of this plugin, from the modules that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.web import WebRoute, WebSocketRoute
from charrua_web import sessions, status
from charrua_web.actions import assigning, attaching, deleting, editing, manual, sending
from charrua_web.dicomweb import deletion, qido_routes, stow, wado
from charrua_web.documents import key_objects, measurements
from charrua_web.media import routes as media
from charrua_web.people import key_calls, user_calls
from charrua_web.setup import routes as setup
from charrua_web.sharing import entrance, links
from charrua_web.studies import routes as studies
from charrua_web.uploads import routes as uploads

if TYPE_CHECKING:
    from charrua_core.app import App


def own_routes(app: App) -> Sequence[WebRoute | WebSocketRoute]:
    """Give them."""
    return [
        *status.ROUTES,
        *sessions.ROUTES,
        *user_calls.ROUTES,
        *key_calls.ROUTES,
        *qido_routes.ROUTES,
        *wado.routes(app),
        *stow.ROUTES,
        *deletion.ROUTES,
        *setup.ROUTES,
        *links.ROUTES,
        *entrance.ROUTES,
        *studies.ROUTES,
        *editing.ROUTES,
        *assigning.ROUTES,
        *deleting.ROUTES,
        *sending.ROUTES,
        *attaching.ROUTES,
        *manual.ROUTES,
        *measurements.ROUTES,
        *key_objects.ROUTES,
        *uploads.ROUTES,
        *media.ROUTES,
    ]
