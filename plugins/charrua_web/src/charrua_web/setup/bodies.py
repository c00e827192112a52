"""What requests of Set-up hold: JSON within limits, and numbers of the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_core.web import HttpError

JSON = ("application/json",)


def numbers_of(body: Mapping[str, Any], name: str) -> list[int]:
    """Give a list of numbers of a body; HttpError 400 where it holds something else, or too much."""
    given = body.get(name, [])
    if len(given) > 1000 or not all(isinstance(one, int) and not isinstance(one, bool) for one in given):
        raise HttpError(400, f"{name}: a list of at most 1000 numbers is expected")
    if any(not 0 < one < 1 << 62 for one in given):
        raise HttpError(400, f"{name}: there is no such number")
    return list(given)
