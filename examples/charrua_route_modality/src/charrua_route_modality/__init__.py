"""An example of a vendor's plugin: it sends the objects of each modality to a workstation of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl
from charrua_core.types import Route, StoredObject

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.settings import Setting
    from charrua_core.web import Page


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare which modality goes where."""
    from charrua_core.settings import Setting

    help_ = "Where the objects of each modality go, such as MR=NEURO CT=THORAX."
    return [Setting("modality_routes", tuple, (), help=help_, since="0.1", effect="now")]


@hookimpl
def route_destination(app: App, stored: StoredObject) -> Sequence[Route]:
    """Send an object to the workstation of its modality."""
    routes = (word.partition("=") for word in app.settings["modality_routes"])
    return [Route(destination) for modality, _, destination in routes if modality == stored.modality]


@hookimpl
def web_pages() -> Sequence[Page]:
    """Give the page that shows the routes."""
    from charrua_route_modality.pages import ROUTES

    return [ROUTES]
