"""The Quart application: what the web server shows to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Quart
from quart import Response as Page
from werkzeug.exceptions import HTTPException

from charrua_core.web import HttpError, Table, problem
from charrua_web.api_page import api_page

if TYPE_CHECKING:
    from charrua_core.app import App


SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every page: a page runs nothing, and loads nothing from elsewhere."""


def make_pages(app: App, table: Table) -> Quart:
    """Give the application."""
    pages = Quart("charrua_web", static_folder=None)
    pages.config["charrua"] = app
    pages.register_blueprint(api_page(table.routes))

    @pages.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Page:
        reason = "there is nothing at this path" if error.code == 404 else error.description or error.name
        told = problem(HttpError(error.code or 500, reason))
        return Page(told.body, status=told.status, content_type=told.content_type)

    @pages.after_request
    async def secured(page: Page) -> Page:
        page.headers.update(SECURITY)
        return page

    return pages
