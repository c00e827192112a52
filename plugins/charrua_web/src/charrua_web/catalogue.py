"""The routes of all plugins in one table, with those that describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.web import Table, WebRoute, WebSocketRoute
from charrua_web.dicomweb.capabilities import capability_routes
from charrua_web.openapi import openapi_route

if TYPE_CHECKING:
    from charrua_core.app import App


def make_table(app: App) -> Table:
    """Give it. PluginFailed where a plugin cannot give its routes, or two are the same."""
    routes = app.hooks.gather_of(WebRoute | WebSocketRoute, "web_routes", app=app)  # type: ignore[arg-type]
    routes += capability_routes(routes)
    return Table([*routes, openapi_route(routes)])
