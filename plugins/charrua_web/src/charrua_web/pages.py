"""The Quart application: what the web server shows to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Quart
from quart import Response as Page

from charrua_core.web import HttpError, problem

if TYPE_CHECKING:
    from charrua_core.app import App


def make_pages(app: App) -> Quart:
    """Give the application."""
    pages = Quart("charrua_web", static_folder=None)
    pages.config["charrua"] = app

    @pages.errorhandler(404)
    async def not_found(_error: Exception) -> Page:
        told = problem(HttpError(404, "there is nothing at this path"))
        return Page(told.body, status=404, content_type=told.content_type)

    return pages
