"""The page `/docs`: what this archive answers over HTTP, for people, from the same routes as the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charrua_core.accounts import PERMISSIONS
from charrua_core.web import PUBLIC, Page, Request, Shown, WebRoute, WebSocketRoute
from charrua_web.openapi import AnyRoute, path_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A route as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    who: str
    also: Sequence[str] = ()
    """Other paths of the same."""
    query: Sequence[tuple[str, str, str]] = ()
    """Name, what it may be, what it is for."""
    consumes: Sequence[str] = ()
    produces: Sequence[str] = ()
    statuses: Sequence[tuple[int, str]] = ()
    example: str = ""


def entries_of(routes: Sequence[AnyRoute]) -> dict[str, list[Entry]]:
    """Give the routes by tag, in their order."""
    told: dict[str, list[Entry]] = {}
    for route in routes:
        if isinstance(route, WebSocketRoute):
            told.setdefault(route.tag, []).append(_websocket(route))
        elif not route.hidden:
            told.setdefault(route.tag, []).append(_entry(route))
    return told


def api_page(routes: Sequence[AnyRoute]) -> Page:
    """Give the page about these routes."""
    entries = entries_of(routes)

    async def show(_request: Request) -> Shown:
        return {"entries": entries}

    return Page("/docs", "charrua_web/api.html", show, PUBLIC, "Services over HTTP", scripts=())


def _who(route: AnyRoute) -> str:
    return "anybody" if route.permission == PUBLIC else PERMISSIONS[route.permission]


def _websocket(route: WebSocketRoute) -> Entry:
    path, *also = (path_of(route, base) for base in route.bases)
    return Entry("SOCKET", path, route.summary, "", _who(route), also)


def _entry(route: WebRoute) -> Entry:
    path, *also = (path_of(route, base) for base in route.bases)
    return Entry(
        route.method,
        path,
        route.summary,
        route.description,
        _who(route),
        also,
        [
            (one.name, _values(one.schema) + (", several times" if one.repeated else ""), one.help)
            for one in route.query
        ],
        route.consumes,
        route.produces,
        sorted(route.statuses.items()),
        " ".join(_curl(route, path)),
    )


def _values(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words: `integer, 0 to 5`."""
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = f"{least} to {most}" if None not in (least, most) else f"at least {least}" if least is not None else ""
    kind = str(schema.get("type", "text")).replace("string", "text")
    return f"{kind}, {bounds}" if bounds else kind


def _curl(route: WebRoute, path: str) -> Iterator[str]:
    yield "curl"
    if route.method != "GET":
        yield f"-X {route.method}"
    if route.permission != PUBLIC:
        yield '-H "Authorization: Bearer $TOKEN"'
    if route.produces and route.method == "GET":
        yield f"-H 'Accept: {route.produces[0]}'"
    if route.consumes:
        yield f"-H 'Content-Type: {route.consumes[0]}' --data-binary @body"
    yield f'"$CHARRUA{_filled(path)}"'


def _filled(path: str) -> str:
    """The path with shell variables in place of its variable parts."""
    return "/".join(f"${part[1:-1].upper()}" if part.startswith("{") else part for part in path.split("/"))
