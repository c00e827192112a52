"""The pages of sharing: where a link and the portal lead, what visitors see, and the links that somebody looks after."""

from __future__ import annotations

from typing import Any

from charrua_core import shares
from charrua_core.accounts import is_visitor
from charrua_core.errors import NotPermitted, ShareNotFound, StudyNotFound
from charrua_core.types import Identity
from charrua_core.web import PUBLIC, HttpError, Navigation, Page, Request, Response, Shown
from charrua_web.sharing.bodies import as_json
from charrua_web.sharing.entrance import VISIT
from charrua_web.studies.details import details_for

MOST_STUDIES = 20
"""Studies of a visit that are told with all their series."""
_NO_PICTURES = frozenset({"DOC", "SR", "KO", "PR"})
"""Modalities of series that are read, and stand among the documents, or are no images at all."""


async def show_entrance(request: Request) -> Shown | Response:
    """Show what a link asks for before it opens, or that it does not work; whoever has come by it already goes on."""
    token = request.parameters["token"]
    try:
        asked = await shares.asked(request.app, token, request.origin)
    except ShareNotFound:
        return {"state": "dead", "answer_status": 404}
    except NotPermitted as error:
        return {"state": "wait", "answer_status": error.http_status}
    if asked.name == request.identity.name and is_visitor(request.identity):
        return Response(303, headers=(("location", VISIT),))
    staff = bool(request.identity.name) and not is_visitor(request.identity)
    by_itself = not (asked.birth_date or asked.counts_uses or staff)
    return {"state": "works", "token": token, "asked": asked, "staff": staff, "by_itself": by_itself}


async def show_portal(request: Request) -> Shown | Response:
    """Show the two fields of the portal, where it is open."""
    if not request.app.settings["patient_portal"]:
        raise HttpError(404, "there is nothing at this path")
    return {}


async def show_visit(request: Request) -> Shown | Response:
    """Show a visitor the studies that they came for."""
    if not is_visitor(request.identity):
        if request.identity.may("query"):
            return Response(303, headers=(("location", "/"),))
        return {"over": True, "answer_status": 401}
    return {"over": False, "studies": await _studies(request), "fetches": request.identity.may("retrieve")}


async def _studies(request: Request) -> list[dict[str, Any]]:
    told = []
    for uid in studies_of_visit(request.identity)[:MOST_STUDIES]:
        try:
            study = await details_for(request, uid)
        except StudyNotFound:  # deleted, or hidden since
            continue
        told.append({**study, "series": [one for one in study["series"] if one["modality"] not in _NO_PICTURES]})
    return told


def studies_of_visit(identity: Identity) -> list[str]:
    """Give the studies that a visitor came for."""
    uids = (one.admits["StudyInstanceUID"] for one in identity.row_filters if "StudyInstanceUID" in one.admits)
    return list(next(uids, ()))


async def show_links(request: Request) -> Shown:
    """Show the links that one has made, and who manages users all of them."""
    found = await shares.listed(request.app, request.identity)
    return {"links": [{**as_json(one), "made": one.made_at, "until": one.expires_at} for one in found]}


_OWN = "charrua_web"
PAGES = (
    Page(
        "/share/{token}",
        f"{_OWN}/share.html",
        show_entrance,
        PUBLIC,
        "Images for you",
    ),
    Page("/portal", f"{_OWN}/portal.html", show_portal, PUBLIC, "Patient portal"),
    Page(VISIT, f"{_OWN}/visit.html", show_visit, PUBLIC, "Images for you"),
    Page(
        "/links",
        f"{_OWN}/links.html",
        show_links,
        "share",
        "Share links",
        Navigation("main", "Links", icon="link", order=60),
    ),
)
