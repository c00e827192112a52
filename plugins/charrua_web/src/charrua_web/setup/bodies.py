"""What requests of Set-up hold: JSON within limits, and numbers of the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from charrua_core.web import HttpError, Request

MOST_BYTES = 1 << 16
JSON = ("application/json",)


async def json_of(request: Request, known: Mapping[str, Any]) -> dict[str, Any]:
    """Give the body, a JSON object of these names and types; HttpError 400 says what else it is."""
    try:
        body = orjson.loads(await request.body(MOST_BYTES))
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise HttpError(400, "the body is a JSON object")
    for name, value in body.items():
        if name not in known:
            raise HttpError(400, f"{name[:80]}: there is no such field")
        if not _fits(value, known[name]):
            raise HttpError(400, f"{name}: its value is of another type")
    return body


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool or kind is object or (isinstance(kind, tuple) and bool in kind)
    return isinstance(value, kind)


def whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Give a number of the query; HttpError 400 where it is none within bounds."""
    given = request.query.first(name, str(default))
    if not given.isascii() or not given.isdigit() or len(given) > 18 or not least <= int(given) <= most:
        raise HttpError(400, f"{name}: a whole number from {least} to {most} is expected")
    return int(given)


def numbers_of(body: Mapping[str, Any], name: str) -> list[int]:
    """Give a list of numbers of a body; HttpError 400 where it holds something else, or too much."""
    given = body.get(name, [])
    if len(given) > 1000 or not all(isinstance(one, int) and not isinstance(one, bool) for one in given):
        raise HttpError(400, f"{name}: a list of at most 1000 numbers is expected")
    if any(not 0 < one < 1 << 62 for one in given):
        raise HttpError(400, f"{name}: there is no such number")
    return list(given)
