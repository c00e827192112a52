"""The rows of the study list, and how many there are."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from charrua_core.archive.search import Found, Query, about, count, search
from charrua_core.audit import Event
from charrua_core.errors import CharruaError
from charrua_core.web import Request, Response, json_response
from charrua_web.studies.asked import is_open, read_asked
from charrua_web.studies.rows import BY_NAME, TOLD, row_of

if TYPE_CHECKING:
    from charrua_core.app import App

COUNTED = 10_000
"""How far matches are counted."""
NOTED_AGAIN_S = 60.0
"""The same question of the same person, as a list that looks for what is new asks it, is noted once in this time."""
COUNTED_AGAIN_S = 30.0
_noted: dict[tuple[str, str], float] = {}
_in_alls: WeakKeyDictionary[App, dict[str, tuple[float, tuple[int, bool]]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows of the list."""

    rows: list[dict[str, Any]]
    more: bool
    """Whether others follow."""


async def rows(request: Request) -> Response:
    """Answer with rows as JSON."""
    shown = await rows_for(request, read_asked(request.query, date.today()))
    return replace(json_response({"rows": shown.rows, "more": shown.more}), headers=[("Cache-Control", "no-store")])


async def number(request: Request) -> Response:
    """Answer with how many studies match, and how many the caller may see in all."""
    query = read_asked(request.query, date.today())
    studies, exact = await _in_all(request)
    told: dict[str, Any] = {"studies": studies, "exact": exact, "matches": None, "more": False}
    if not is_open(query):
        matches = await count(request.app, query, request.identity, COUNTED + 1)
        told |= {"matches": None if matches is None else min(matches, COUNTED), "more": (matches or 0) > COUNTED}
    return replace(json_response(told), headers=[("Cache-Control", "no-store")])


async def _in_all(request: Request) -> tuple[int, bool]:
    """Give how many studies the caller may see; with a filter, which may be a walk through all, as it was just now."""
    app, filters = request.app, request.identity.row_filters
    if not filters:
        return await about(app, request.identity)
    known = _in_alls.setdefault(app, {})
    key, now = repr(filters), time.monotonic()
    if key not in known or now - known[key][0] > COUNTED_AGAIN_S:
        known[key] = now, await about(app, request.identity)
    return known[key][1]


async def rows_for(request: Request, query: Query) -> Shown:
    """Give the rows of a page, and note in the audit trail that they were asked for."""
    asked = replace(query, limit=query.limit + 1)
    async with aclosing(found_for(request, asked, form="list")) as matches:
        found = [one async for one in matches]
    return Shown([row_of(one) for one in found[: query.limit]], len(found) > query.limit)


async def found_for(request: Request, query: Query, *, form: str) -> AsyncGenerator[Found, None]:
    """Give what matches, with all that rows tell; then note it (PS3.15 A.5.3.10): which keys were asked, not their values."""
    told, status = 0, 200
    try:
        async with aclosing(search(request.app, replace(query, return_keys=TOLD), request.identity)) as matches:
            async for one in matches:
                yield one
                told += 1
    except CharruaError as error:
        status = error.http_status
        raise
    finally:
        if form != "list" or status != 200 or _is_new(request):
            keys = sorted([*query.keys, *query.of_series, *(["Status"] if query.statuses else [])])
            request.app.audit.later(
                Event.QUERY,
                "E",
                request.identity.name,
                request.origin,
                succeeded=status == 200,
                level="STUDY",
                keys=keys,
                matches=told,
                status=str(status),
                form=form,
            )


def columns_of(names: Collection[str]) -> list[str]:
    """Give those of the names that are columns, or the usual ones where none is."""
    return [name for name in names if name in BY_NAME] or [name for name, column in BY_NAME.items() if column.shown]


def _is_new(request: Request) -> bool:
    """Whether the same was not asked by the same person just now."""
    now = time.monotonic()
    key = (request.identity.name, repr(sorted(request.query)))
    for old in [one for one, at in _noted.items() if now - at > NOTED_AGAIN_S]:
        del _noted[old]
    if key in _noted:
        return False
    if len(_noted) < 10_000:
        _noted[key] = now
    return True
