"""The OpenAPI 3.1 document of all routes: made from the routes themselves, so that it says what the server does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from charrua_core.web import PUBLIC, Parameter, Request, Response, WebRoute, WebSocketRoute, json_response
from charrua_core.web.errors import PROBLEM
from charrua_core.web.route import UIDS
from charrua_web.api_schemas import ANY_TEXT, SCHEMAS, UID, VARIABLES, schema_of

AnyRoute = WebRoute | WebSocketRoute

_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token: `charrua token create NAME`"},
    "basic": {"type": "http", "scheme": "basic", "description": "Name and password of an account"},
}
_NO_CONTENT = frozenset({204, 205, 304})
_REFUSALS = {401: "The caller is not known", 403: "The caller lacks the permission `{permission}`"}


def document(routes: Iterable[AnyRoute]) -> dict[str, Any]:
    """Give the document. Of a route's bases the first stands for all; WebSockets are beside the paths, as OpenAPI has none."""
    shown = [route for route in routes if isinstance(route, WebSocketRoute) or not route.hidden]
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        if isinstance(route, WebRoute):
            paths.setdefault(path_of(route, route.bases[0]), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Charrua",
            "version": version("charrua-core"),
            "summary": "DICOMweb (PS3.18) and the other calls of this archive",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in shown)],
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS), "securitySchemes": _SECURITY},
        "x-websockets": [_websocket(route) for route in shown if isinstance(route, WebSocketRoute)],
    }


def path_of(route: AnyRoute, base: str) -> str:
    """Give the path of a route below a base as OpenAPI writes it: `/dicom-web/studies/{study}`."""
    return (base + route.path).replace("...}", "}") or "/"


def description_of(route: AnyRoute) -> str:
    """Give what is to be said of a route beyond its summary, as sentences."""
    told = [route.description] if isinstance(route, WebRoute) and route.description else []
    others = [f"`{path_of(route, base)}`" for base in route.bases[1:]]
    told += [f"Also at {' and '.join(others)}."] if others else []
    told += [] if route.permission == PUBLIC else [f"Takes the permission `{route.permission}`."]
    return " ".join(told)


def openapi_route(routes: Sequence[AnyRoute]) -> WebRoute:
    """Give the route that answers with the document of these routes and of itself."""

    async def openapi(_request: Request) -> Response:
        return json_response(document([*routes, route]))

    route = WebRoute(
        "GET",
        "/openapi.json",
        openapi,
        PUBLIC,
        "Describe all routes as OpenAPI 3.1",
        tag="Server",
        statuses={200: "The document"},
    )
    return route


def _operation(route: WebRoute) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{path_of(route, route.bases[0])}").strip("_"),
        "tags": [route.tag],
        "summary": route.summary,
        "description": description_of(route),
        "parameters": [*_variables(route), *map(_query_parameter, route.query)],
        "responses": {str(status): answer for status, answer in sorted(_responses(route))},
        "security": [] if route.permission == PUBLIC else [{name: []} for name in _SECURITY],
        "x-permission": route.permission,
    }
    if route.consumes:
        told["requestBody"] = {"required": True, "content": {media: schema_of(media) for media in route.consumes}}
    return {name: value for name, value in told.items() if value != "" and (value or name == "security")}


def _variables(route: WebRoute) -> Iterator[dict[str, Any]]:
    for name in route.variables:
        schema = UID if name in UIDS else VARIABLES.get(name, ANY_TEXT)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema: Mapping[str, Any] = parameter.schema
    if parameter.repeated:
        schema = {"type": "array", "items": schema}
    return {"name": parameter.name, "in": "query", "description": parameter.help, "schema": schema}


def _responses(route: WebRoute) -> Iterator[tuple[int | str, dict[str, Any]]]:
    """The answers that the route names, those of the front door, and one shape for all other failures."""
    named = dict(route.statuses)
    if route.permission != PUBLIC:
        named = {status: text.format(permission=route.permission) for status, text in _REFUSALS.items()} | named
    if route.variables or route.query:
        named = {400: "The request cannot be read"} | named
    for status, text in named.items():
        yield str(status), {"description": text or HTTPStatus(status).phrase} | _content(route, status)
    yield "default", {"description": "It failed: the answer says why", "content": {PROBLEM: schema_of(PROBLEM)}}


def _content(route: WebRoute, status: int) -> dict[str, Any]:
    if status in _NO_CONTENT or status < 200:
        return {}
    media = route.produces if status < 400 else [*({} if status in (401, 403) else route.produces), PROBLEM]
    return {"content": {one: schema_of(one) for one in media}} if media else {}


def _websocket(route: WebSocketRoute) -> dict[str, str]:
    return {
        "path": path_of(route, route.bases[0]),
        "summary": route.summary,
        "tag": route.tag,
        "description": description_of(route),
        "permission": route.permission,
    }
