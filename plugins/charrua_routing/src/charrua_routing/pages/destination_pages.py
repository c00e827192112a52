"""The pages of the destinations: all of them, and one with the options of its kind."""

from __future__ import annotations

from charrua_core.errors import DestinationUnknown
from charrua_core.sending.destinations import DICOM
from charrua_core.web import HttpError, Navigation, Page, Request, Shown
from charrua_routing.marking import N_
from charrua_routing.pages import words


async def show_destinations(request: Request) -> Shown:
    """Show all destinations, the peers among them, and the kinds that there are."""
    known = request.app.destinations
    return {"destinations": known.all(), "kinds": _kinds(request), "shown": known.shown, "DICOM": DICOM}


async def show_destination(request: Request) -> Shown:
    """Show the form of one destination, an empty one of the kind that the query names."""
    name, kind = request.query.first("name"), request.query.first("kind")
    try:
        destination = await request.app.destinations.get(name) if name else None
    except DestinationUnknown:
        raise HttpError(404, "there is no such destination") from None
    found = _kinds(request).get(destination.kind if destination else kind)
    if found is None:
        raise HttpError(404, "there is no such kind of destinations")
    shown = request.app.destinations.shown(destination) if destination else {}
    return {"destination": destination, "kind": found, "options": shown, "said": words}


def _kinds(request: Request) -> dict[str, object]:
    return {name: kind for name, kind in request.app.destinations.kinds.items() if name != DICOM}


PAGES = (
    Page(
        *("/setup/destinations", "charrua_routing/destinations.html", show_destinations, "configure", "Destinations"),
        navigation=Navigation("setup", "Destinations", icon="send", order=45),
    ),
    Page(
        *("/setup/destinations/destination", "charrua_routing/destination.html", show_destination, "configure"),
        title=N_("Destination"),
    ),
)
