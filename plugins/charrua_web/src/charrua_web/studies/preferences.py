"""What people have chosen for themselves, over HTTP: everybody sees and changes the own alone."""

from __future__ import annotations

import orjson

from charrua_core import preferences
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response

_TAG = "Preferences"


async def tell(request: Request) -> Response:
    """Answer with a value."""
    value = await preferences.preference_of(request.app.db, request.identity.name, request.parameters["name"])
    if value is None:
        raise HttpError(404, "nothing was chosen under this name")
    return json_response(value)


async def keep(request: Request) -> Response:
    """Keep the JSON of the body."""
    try:
        value = orjson.loads(await request.body(preferences.LARGEST))
    except orjson.JSONDecodeError:
        raise HttpError(400, "the body is not JSON") from None
    await preferences.keep_preference(request.app.db, request.identity.name, request.parameters["name"], value)
    return Response(204)


async def forget(request: Request) -> Response:
    """Forget a value."""
    if not await preferences.forget_preference(request.app.db, request.identity.name, request.parameters["name"]):
        raise HttpError(404, "nothing was chosen under this name")
    return Response(204)


_NONE = {404: "Nothing was chosen under this name"}
ROUTES = (
    WebRoute(
        "GET",
        "/preferences/{name}",
        tell,
        "query",
        "Tell what the caller has chosen",
        _TAG,
        statuses={200: "The value, any JSON", **_NONE},
    ),
    WebRoute(
        "PUT",
        "/preferences/{name}",
        keep,
        "query",
        "Keep what the caller has chosen",
        _TAG,
        consumes=("application/json",),
        produces=(),
        statuses={204: "Kept", 400: "It is no JSON, or too many names", 413: "It has more than 64 KiB"},
    ),
    WebRoute(
        "DELETE",
        "/preferences/{name}",
        forget,
        "query",
        "Forget what the caller has chosen",
        _TAG,
        produces=(),
        statuses={204: "Forgotten", **_NONE},
    ),
)
