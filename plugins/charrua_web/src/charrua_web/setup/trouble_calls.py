"""The calls on troubles: what went wrong, and marking it as seen."""

from __future__ import annotations

from typing import Any

from charrua_core.trouble import Trouble
from charrua_core.web import Parameter, Request, Response, WebRoute, json_response, number_in_query, typed_object_of
from charrua_web.setup.bodies import JSON, numbers_of
from charrua_web.setup.trouble_words import told

TAG = "Set-up"
PATH = "/troubles"
MOST = 500


async def list_all(request: Request) -> Response:
    """Give what went wrong, the latest first."""
    found = await request.app.troubles.all(number_in_query(request.query, "limit", 200, 1, MOST))
    return json_response([_shown(request, one) for one in found])


async def count(request: Request) -> Response:
    """Count what nobody has looked at."""
    return json_response({"count": await request.app.troubles.count_new()})


async def seen(request: Request) -> Response:
    """Mark some, or all, as seen."""
    body = await typed_object_of(request, {"ids": list, "all": bool})
    numbers = None if body.get("all") else numbers_of(body, "ids")
    return json_response({"count": await request.app.troubles.see(numbers, request.identity.name)})


async def mute(request: Request) -> Response:
    """Have some count as new no more, or again."""
    body = await typed_object_of(request, {"ids": list, "muted": bool})
    numbers, muted = numbers_of(body, "ids"), body.get("muted", True)
    return json_response({"count": await request.app.troubles.mute(numbers, request.identity.name, muted=muted)})


def _shown(request: Request, one: Trouble) -> dict[str, Any]:
    words = told(request.app, one)
    return {
        "id": one.id,
        "kind": one.kind,
        "who": one.who,
        "address": one.address,
        "facts": dict(one.facts),
        "sentence": words.sentence.for_reader(request),
        "mend": words.way.for_reader(request),
        "times": one.times,
        "first_at": one.first_at.isoformat(timespec="seconds"),
        "last_at": one.last_at.isoformat(timespec="seconds"),
        "new": one.is_new,
        "muted": one.muted,
    }


_LIMIT = Parameter("limit", "How many, 200 where nothing is said", {"type": "integer", "minimum": 1, "maximum": MOST})

ROUTES = (
    WebRoute(
        "GET",
        PATH,
        list_all,
        "configure",
        "List what was refused or failed, with the way to mend it",
        TAG,
        query=(_LIMIT,),
        description="What is alike is one of them, with a count. No patient data is among it.",
    ),
    WebRoute("GET", f"{PATH}/count", count, "configure", "Count the troubles that nobody has looked at", TAG),
    WebRoute(
        "POST",
        f"{PATH}/seen",
        seen,
        "configure",
        "Mark troubles as seen, until they happen again",
        TAG,
        consumes=JSON,
        description="The body has `ids`, or `all`.",
    ),
    WebRoute(
        "POST",
        f"{PATH}/mute",
        mute,
        "configure",
        "Have troubles not count as new",
        TAG,
        consumes=JSON,
        description="The body has `ids`, and `muted`: false has them count again.",
    ),
)
