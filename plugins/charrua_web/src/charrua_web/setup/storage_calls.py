"""The calls on storage: how it is, and having the archive checked."""

from __future__ import annotations

from dataclasses import asdict

from charrua_core.archive.check import job as checking
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response, typed_object_of
from charrua_web.setup.bodies import JSON
from charrua_web.setup.storage_facts import check_of, database_of, jobs_of, volumes_of

TAG = "Set-up"
PATH = "/storage"


async def show(request: Request) -> Response:
    """Give volumes, database and jobs."""
    app = request.app
    jobs = dict(await jobs_of(app))
    return json_response({"volumes": await volumes_of(app), "database": await database_of(app), "jobs": jobs})


async def show_check(request: Request) -> Response:
    """Give how far the last check is, or what it has found."""
    found = await check_of(request.app)
    if found is None:
        return json_response({"outcome": "never"})
    return json_response({**asdict(found), "under_way": found.under_way})


async def check(request: Request) -> Response:
    """Have the archive checked."""
    body = await typed_object_of(request, {"quick": bool})
    if "quick" not in body:
        raise HttpError(400, "quick: say whether only names and sizes are compared, or every byte is read")
    await checking.ask(request.app, quick=body["quick"], by=request.identity.name, origin=request.origin)
    return await show_check(request)


async def stop(request: Request) -> Response:
    """Have the check end."""
    if not await checking.stop(request.app):
        raise HttpError(404, "no check is under way")
    return Response(204)


ROUTES = (
    WebRoute("GET", PATH, show, "configure", "Tell how volumes, database and jobs are", TAG),
    WebRoute("GET", f"{PATH}/check", show_check, "configure", "Show the last check of the archive", TAG),
    WebRoute(
        "POST",
        f"{PATH}/check",
        check,
        "configure",
        "Have index and volumes compared",
        TAG,
        consumes=JSON,
        statuses={200: "It is asked for", 400: "`quick` is missing", 409: "A check is under way"},
        description="The body has `quick`: true compares names and sizes, false reads every byte.",
    ),
    WebRoute(
        "DELETE",
        f"{PATH}/check",
        stop,
        "configure",
        "Stop the check that is under way",
        TAG,
        produces=(),
        statuses={204: "It ends", 404: "None is under way"},
    ),
)
