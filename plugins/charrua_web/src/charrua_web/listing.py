"""The routes as `charrua routes` prints them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from charrua_core.web import WebRoute
from charrua_web.openapi import AnyRoute, document, path_of


def rows_of(routes: Sequence[AnyRoute]) -> list[tuple[str, str, str, str]]:
    """Give method, path, permission and summary of each route below each of its bases."""
    return [
        (route.method, path_of(route, base), route.permission, route.summary)
        for route in routes
        for base in route.bases
    ]


def as_openapi(routes: Sequence[AnyRoute]) -> str:
    """Give the OpenAPI document as JSON for people."""
    return orjson.dumps(document(routes), option=orjson.OPT_INDENT_2).decode()


def as_markdown(routes: Sequence[AnyRoute]) -> str:
    """Give a section for each service; pages and their files are left out."""
    shown = [route for route in routes if not (isinstance(route, WebRoute) and route.hidden)]
    return "\n".join(_section(tag, shown) for tag in dict.fromkeys(route.tag for route in shown)).rstrip()


def _section(tag: str, shown: Sequence[AnyRoute]) -> str:
    rows = rows_of([route for route in shown if route.tag == tag])
    lines = [f"| {method} | `{path}` | {permission} | {summary} |" for method, path, permission, summary in rows]
    head = "| Method | Path | Permission | What it does |\n| --- | --- | --- | --- |"
    return f"## {tag}\n\n{head}\n" + "\n".join(lines) + "\n"
