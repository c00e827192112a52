"""What the DICOMweb services can do (PS3.18 8.9), told from the routes themselves: as WADL, or the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from charrua_core.web import PUBLIC, Request, Response, WebRoute, WebSocketRoute, choose, json_response
from charrua_web.choices import DICOMWEB

WADL = "application/vnd.sun.wadl+xml"
PRODUCES = (WADL, "application/json")
NAMESPACE = "http://wadl.dev.java.net/2009/02"

Node = tuple[str, dict[str, str], list[Any]]
"""An element: its name, its attributes, its content."""


def capability_routes(routes: Sequence[WebRoute | WebSocketRoute]) -> list[WebRoute]:
    """Give the routes that tell what these can do, each below its own base; the root of the server is the pages'."""
    shown = [route for route in routes if isinstance(route, WebRoute) and DICOMWEB in route.bases]
    bases = tuple(dict.fromkeys([DICOMWEB, *(base for route in shown for base in route.bases if base)]))

    async def capabilities(request: Request) -> Response:
        offer, _ = choose(request, PRODUCES)
        below = request.base[request.base.rindex("/") :]
        described = description([route for route in shown if below in route.bases], request.base)
        if offer.type == WADL:
            return Response(200, b'<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(_xml(described)).encode(), WADL)
        return json_response({described[0]: _json(described)})

    return [
        WebRoute(
            method,
            "/",
            capabilities,
            PUBLIC,
            "Tell what the services can do",
            tag="Capabilities",
            bases=bases,
            produces=PRODUCES,
            statuses={200: "The resources, their methods, parameters and media types"},
        )
        for method in ("OPTIONS", "GET")
    ]


def description(routes: Iterable[WebRoute], base: str) -> Node:
    """Give the description of routes below a base URL: a resource for each segment of their paths."""
    resources: Node = ("resources", {"base": f"{base}/"}, [])
    places: dict[tuple[str, ...], Node] = {(): resources}
    for route in routes:
        segments = tuple(route.path.strip("/").replace("...}", "}").split("/"))
        for length in range(1, len(segments) + 1):
            if segments[:length] not in places:
                place = places[segments[:length]] = _resource(segments[length - 1])
                places[segments[: length - 1]][2].append(place)
        places[segments][2].append(_method(route))
    return "application", {"xmlns": NAMESPACE}, [resources]


def _resource(segment: str) -> Node:
    content: list[Node] = []
    if segment.startswith("{"):
        content = [("param", {"name": segment.strip("{}"), "style": "template", "required": "true"}, [])]
    return "resource", {"path": segment}, content


def _method(route: WebRoute) -> Node:
    asked: list[Node] = [
        ("param", {"name": one.name, "style": "query", **({"repeating": "true"} if one.repeated else {})}, [])
        for one in route.query
    ]
    asked += _representations(route.consumes)
    answers: list[Node] = [
        (
            "response",
            {"status": str(status)},
            _representations(route.produces) if status < 300 and status != 204 else [],
        )
        for status in sorted(route.statuses)
    ]
    said: list[Node] = [("doc", {"title": route.summary}, [])]
    request: list[Node] = [("request", {}, asked)] if asked else []
    return "method", {"name": route.method}, [*said, *request, *answers]


def _representations(media_types: Iterable[str]) -> list[Node]:
    return [("representation", {"mediaType": one}, []) for one in media_types]


def _xml(node: Node) -> Iterator[str]:
    name, attributes, content = node
    opening = "".join([name, *(f" {key}={quoteattr(value)}" for key, value in attributes.items())])
    if not content:
        yield f"<{opening}/>"
        return
    yield f"<{opening}>"
    for child in content:
        yield from _xml(child)
    yield f"</{name}>"


def _json(node: Node) -> Mapping[str, Any]:
    """The attributes, and a list of each kind of content."""
    told: dict[str, Any] = dict(node[1])
    for child in node[2]:
        told.setdefault(child[0], []).append(_json(child))
    return told
