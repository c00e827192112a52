"""Deleting over HTTP, at the resources of PS3.18 10.4.1 as other archives have it: out of sight at once, and to be undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from charrua_core.archive.remove import delete as remove
from charrua_core.types import Level
from charrua_core.web import Parameter, Request, Response, WebRoute
from charrua_web.choices import DICOMWEB
from charrua_web.dicomweb.wado_selection import query_below, the_object

_REASON = Parameter("reason", "Why, for the record of the deletion")


async def delete_study(request: Request) -> Response:
    """Delete the study of the path."""
    return await _deleted(request, Level.STUDY, request.parameters["study"])


async def delete_series(request: Request) -> Response:
    """Delete the series of the path."""
    return await _deleted(request, Level.SERIES, request.parameters["series"])


async def delete_instance(request: Request) -> Response:
    """Delete the object of the path, with its other versions."""
    await the_object(request.app, query_below(request.parameters), request.identity)
    return await _deleted(request, Level.IMAGE, request.parameters["instance"])


async def _deleted(request: Request, level: Level, uid: str) -> Response:
    await remove(
        request.app,
        request.identity,
        level,
        uid,
        study_uid=request.parameters["study"],
        reason=request.query.first("reason"),
        origin=request.origin,
    )
    return Response(204)


_STATUSES = {
    204: "It is out of sight, and its files are removed after `undo_days`",
    403: "Parts of the study are out of the caller's sight",
    404: "There is none, or none that the caller may see",
    409: "It cannot be deleted",
}


def _route(path: str, handle: Callable[[Request], Awaitable[Response]], what: str) -> WebRoute:
    return WebRoute(
        "DELETE",
        path,
        handle,
        "delete",
        f"Delete {what}",
        tag="Deletion",
        bases=(DICOMWEB,),
        query=(_REASON,),
        produces=(),
        statuses=_STATUSES,
    )


ROUTES = (
    _route("/studies/{study}", delete_study, "a study"),
    _route("/studies/{study}/series/{series}", delete_series, "a series"),
    _route("/studies/{study}/series/{series}/instances/{instance}", delete_instance, "an object"),
)
