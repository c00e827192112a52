"""All routes of WADO-RS and WADO-URI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.web import WebRoute
from charrua_web.dicomweb import (
    wado_bulk,
    wado_frames,
    wado_instances,
    wado_metadata,
    wado_rendered,
    wado_thumbnails,
    wado_uri,
)
from charrua_web.dicomweb.wado_lookup import Lookup

if TYPE_CHECKING:
    from charrua_core.app import App


def routes(app: App) -> Sequence[WebRoute]:
    """Give them."""
    lookup = Lookup(app)
    return [
        *wado_instances.ROUTES,
        *wado_metadata.ROUTES,
        *wado_frames.routes(lookup),
        *wado_bulk.routes(lookup),
        *wado_rendered.routes(lookup),
        *wado_thumbnails.routes(lookup),
        *wado_uri.routes(lookup),
    ]
