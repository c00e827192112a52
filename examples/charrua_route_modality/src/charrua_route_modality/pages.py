"""The page that shows where each modality's objects go."""

from __future__ import annotations

from charrua_core.web import Navigation, Page, Request, Shown


async def show_routes(request: Request) -> Shown:
    """Give the template what it shows."""
    routes = (word.partition("=") for word in request.app.settings["modality_routes"])
    return {"routes": [(modality, destination) for modality, _, destination in routes]}


PLACE = Navigation("setup", "Routes by modality", icon="route", order=200)
ROUTES = Page(
    "/setup/modality-routes",
    "charrua_route_modality/routes.html",
    show_routes,
    "configure",
    "Routes by modality",
    PLACE,
)
