"""The calls on destinations: what there is, adding, removing, and looking whether one is there."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from charrua_core.errors import CharruaError
from charrua_core.sending import DestinationKind
from charrua_core.settings.declaration import MASK
from charrua_core.types import Destination
from charrua_core.web import SMALL_BODY, HttpError, Request, Response, WebRoute, json_response, object_of

PATH = "/routing/destinations"
TAG = "Routing"
_OWN: dict[str, Any] = {
    "kind": str,
    "options": dict,
    "enabled": bool,
    "concurrency": int,
    "window": str,
    "timeout_s": (int, float),
}
"""What a body may hold, with its type."""


async def list_all(request: Request) -> Response:
    """Give all destinations, the peers among them."""
    return json_response([shown(request, one) for one in request.app.destinations.all()])


async def list_kinds(request: Request) -> Response:
    """Give the kinds of destinations, with what each is told."""
    return json_response([_kind(one) for one in request.app.destinations.kinds.values()])


async def show(request: Request) -> Response:
    """Give a destination."""
    return json_response(shown(request, await _named(request)))


async def put(request: Request) -> Response:
    """Add the destination of the path, or change it: what the body leaves out is as it was."""
    name = request.parameters["destination"]
    known = request.app.destinations.find(name)
    body = await _body(request)
    if known is None and "kind" not in body:
        raise HttpError(400, "kind: it is missing")
    start = known or Destination(name, body["kind"])
    options = {**(start.options if body.get("kind", start.kind) == start.kind else {}), **body.pop("options", {})}
    options = {option: start.options.get(option) if value == MASK else value for option, value in options.items()}
    given = {option: value for option, value in options.items() if value is not None}
    new = await request.app.destinations.add(replace(start, options=given, **body), by=request.identity.name)
    return json_response(shown(request, await _named(request)), 201 if new else 200)


async def remove(request: Request) -> Response:
    """Remove a destination that is no peer."""
    await request.app.destinations.remove(request.parameters["destination"], by=request.identity.name)
    return Response(204)


async def check(request: Request) -> Response:
    """Look whether the destination is there: an echo, a search, a file that is written and removed."""
    destination = await _named(request)
    try:
        told = await request.app.destinations.kind_of(destination).probe(request.app, destination)
    except CharruaError as error:
        return json_response({"works": False, "told": str(error)})
    return json_response({"works": True, "told": told})


async def _named(request: Request) -> Destination:
    return await request.app.destinations.get(request.parameters["destination"])


def shown(request: Request, one: Destination) -> dict[str, Any]:
    """Give a destination as it is answered: its secrets stay hidden."""
    return {**asdict(one), "options": request.app.destinations.shown(one)}


def _kind(kind: DestinationKind) -> dict[str, Any]:
    options = [
        {
            "name": one.name,
            "help": one.help,
            "default": one.plain(one.default),
            "required": one.name in kind.required,
            "secret": one.secret,
            "choices": one.choices,
        }
        for one in kind.options
    ]
    return {"name": kind.name, "help": kind.help, "options": options, "heeds": sorted(kind.heeds)}


async def _body(request: Request) -> dict[str, Any]:
    body = await object_of(request, SMALL_BODY)
    for name, value in body.items():
        if name not in _OWN:
            raise HttpError(400, f"a destination has no {name[:80]}")
        if not isinstance(value, _OWN[name]) or (isinstance(value, bool) and _OWN[name] is not bool):
            raise HttpError(400, f"{name}: its value is of another type")
    return body


_JSON = ("application/json",)
_NONE = {404: "There is no such destination"}
_ONE = f"{PATH}/{{destination}}"

ROUTES = (
    WebRoute("GET", PATH, list_all, "configure", "List the destinations, the peers among them", TAG),
    WebRoute("GET", "/routing/kinds", list_kinds, "configure", "List the kinds of destinations", TAG),
    WebRoute("GET", _ONE, show, "configure", "Show a destination", TAG, statuses={200: "The destination", **_NONE}),
    WebRoute(
        "PUT",
        _ONE,
        put,
        "configure",
        "Add or change a destination",
        TAG,
        consumes=_JSON,
        statuses={200: "Changed", 201: "Added", 400: "The body will not do", 409: "Something of it will not do"},
        description="What is left out stays as it was; an option of null is taken away. Secrets are written, never read.",
    ),
    WebRoute(
        "DELETE",
        _ONE,
        remove,
        "configure",
        "Remove a destination",
        TAG,
        produces=(),
        statuses={204: "It is removed", **_NONE},
    ),
    WebRoute(
        "POST",
        f"{_ONE}/check",
        check,
        "configure",
        "Look whether a destination is there",
        TAG,
        statuses={200: "Whether it works, and a sentence", **_NONE},
    ),
)
