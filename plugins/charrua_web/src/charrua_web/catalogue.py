"""The routes of all plugins in one table: what they answer, their pages, and what describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.web import Page, StudyAction, Table, WebRoute, WebSocketRoute
from charrua_web.api_page import api_page
from charrua_web.dicomweb.capabilities import capability_routes
from charrua_web.openapi import openapi_route
from charrua_web.rendering import Pages

if TYPE_CHECKING:
    from charrua_core.app import App


def make_table(app: App) -> tuple[Table, Pages]:
    """Give it, and the pages that are in it. PluginFailed where a plugin cannot give its own, or two are the same."""
    routes = app.hooks.gather_of(WebRoute | WebSocketRoute, "web_routes", app=app)  # type: ignore[arg-type]
    routes += capability_routes(routes)
    routes.append(openapi_route(routes))
    given = app.hooks.gather_of(Page, "web_pages", app=app)
    pages = Pages(app, [*given, api_page(routes)], app.hooks.gather_of(StudyAction, "study_actions", app=app))
    return Table([*routes, *pages.routes]), pages
