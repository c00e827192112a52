"""All pages of this plugin, from the modules that show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.web import Page
from charrua_web import entrance
from charrua_web.people import pages as people
from charrua_web.setup import pages as setup
from charrua_web.sharing import pages as sharing
from charrua_web.studies import pages as studies
from charrua_web.uploads import page as upload
from charrua_web.viewer import page as viewer

if TYPE_CHECKING:
    from charrua_core.app import App


def own_pages(app: App) -> Sequence[Page]:  # noqa: ARG001 -- pages of parts that know the archive's settings
    """Give them."""
    return [
        *entrance.PAGES,
        *setup.PAGES,
        *sharing.PAGES,
        *upload.PAGES,
        *viewer.PAGES,
        *people.PAGES,
        *studies.PAGES,
    ]
