"""Links over HTTP: made, listed, revoked; and the manual's call for a HIS (appendix 5.1)."""

from __future__ import annotations

from typing import Any

from charrua_core import shares
from charrua_core.errors import StudyNotFound
from charrua_core.shares import Wish
from charrua_core.shares.studies import studies_with
from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, choose, json_response
from charrua_web.callers import CALLER
from charrua_web.sharing.bodies import as_json, moment, wish_of

TAG = "Share links"
TEXT, JSON = "text/plain", "application/json"


async def make(request: Request) -> Response:
    """Make a link; it is told here and never again."""
    return json_response(await _made(request, await wish_of(request)), 201)


async def create_link(request: Request) -> Response:
    """Make a link to the study that has an Accession Number, as the settings say; for a HIS, by a plain GET.

    A browser's cookie does not do: any page could make its visitor's browser ask for this.
    """
    offer, _ = choose(request, (TEXT, JSON))
    if request.context[CALLER].session or "authorization" not in request.headers:
        raise HttpError(401, "this call takes a bearer token, or name and password, with the request itself")
    made = await _made(request, Wish([await _study(request)]))
    if offer.type == JSON:
        return json_response(made)
    return Response(200, made["link"].encode(), f"{TEXT}; charset=utf-8")


async def _study(request: Request) -> str:
    accession, uid = request.query.first("AccessionNumber").strip(), request.query.first("StudyInstanceUID").strip()
    if not accession:
        raise HttpError(400, "AccessionNumber is missing: /createlink?AccessionNumber=12345678")
    found = await studies_with(request.app, request.identity, accession)
    if uid:
        found = {one: study for one, study in found.items() if one == uid}
    if not found:
        raise StudyNotFound("there is no study with this Accession Number that you may see")
    if len(found) > 1:
        uids = ", ".join(sorted(found))
        raise HttpError(409, f"several studies have this Accession Number; add &StudyInstanceUID= and one of: {uids}")
    return next(iter(found))


async def _made(request: Request, wish: Wish) -> dict[str, Any]:
    token, made = await shares.make(request.app, wish, request.identity, request.origin)
    link = f"{request.base}/share/{token}"
    return {"id": str(made.id), "link": link, "expires_at": moment(made.expires_at), "dicom": made.dicom}


async def list_links(request: Request) -> Response:
    """List links, newest first."""
    uid = request.query.first("study")
    if uid and not is_valid_uid(uid):
        raise HttpError(400, f"study: {uid[:80]!r} is no UID")
    found = await shares.listed(request.app, request.identity, study_uid=uid)
    return json_response([as_json(one) for one in found])


async def tell_defaults(request: Request) -> Response:
    """Tell what a link is where who makes it says nothing else."""
    settings = request.app.settings
    unlimited, validity = settings["allow_unlimited_links"], settings["share_link_validity"]
    if validity == shares.FOR_EVER and not unlimited:
        validity = next(iter(shares.VALIDITIES))
    return json_response({"validity": validity, "dicom": settings["share_link_dicom"], "unlimited": unlimited})


async def revoke(request: Request) -> Response:
    """Revoke a link."""
    await shares.revoke(request.app, request.parameters["share"], request.identity, request.origin)
    return Response(204)


async def restore(request: Request) -> Response:
    """Have a link work again that was revoked a moment ago."""
    await shares.restore(request.app, request.parameters["share"], request.identity, request.origin)
    return Response(204)


_NONE = {404: "There is no such link that you look after"}
ROUTES = (
    WebRoute(
        "POST",
        "/shares",
        make,
        "share",
        "Make a link to studies for people outside",
        TAG,
        consumes=(JSON,),
        statuses={201: "The link", 400: "A field will not do", 404: "There is no such study"},
        description="The body has `studies`, a list of Study Instance UIDs, and may have `validity` (`1 day`, `2 days`, "
        "`30 days`, `for ever`), `dicom`, `uses` (how often it may be opened), `asks_birth_date` and `label`.",
    ),
    WebRoute(
        "GET",
        "/shares",
        list_links,
        "share",
        "List links, newest first",
        TAG,
        query=(Parameter("study", "Those to this study: its Study Instance UID"),),
        statuses={200: "The links", 400: "A parameter will not do"},
        description="Who manages users is told all links to studies that they may see, others those that they have made.",
    ),
    WebRoute("GET", "/shares/defaults", tell_defaults, "share", "Tell what links are like by default", TAG),
    WebRoute(
        "DELETE",
        "/shares/{share}",
        revoke,
        "share",
        "Revoke a link, and end the visits that it has begun",
        TAG,
        statuses={204: "It is revoked", **_NONE},
    ),
    WebRoute(
        "POST",
        "/shares/{share}/restore",
        restore,
        "share",
        "Have a link back that was revoked in the last ten minutes",
        TAG,
        statuses={204: "It works again", **_NONE},
    ),
    WebRoute(
        "GET",
        "/createlink",
        create_link,
        "share",
        "Make a link to the study that has an Accession Number",
        TAG,
        query=(
            Parameter("AccessionNumber", "That of the study"),
            Parameter("StudyInstanceUID", "Which one, where several studies have the number"),
        ),
        produces=(TEXT, JSON),
        statuses={
            200: "The link",
            400: "AccessionNumber is missing",
            401: "A cookie does not do: send a bearer token, or name and password",
            404: "There is no such study",
            409: "Several studies have the number",
        },
        description="As the manual has it (appendix 5.1): validity and form are those of the settings.",
    ),
)
