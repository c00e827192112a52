"""Looking for entries as pages and scripts do: words in any field, days, statuses; in the order of their start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, and_, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.names import text_key
from charrua_core.archive.search.conditions import like
from charrua_core.archive.search.patterns import grams
from charrua_core.tables import C
from charrua_core.types import Identity
from charrua_core.web import HttpError, Query, number_in_query
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import COLUMNS, OPEN, Entry, Status, start_of
from charrua_hl7.worklist.searching import in_order, seen_by

MOST, USUAL = 500, 100
MOST_WORDS = 10
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_PLACE = re.compile(r"(\d{0,14})-(\d{1,18})")

TABS: Mapping[str, frozenset[Status]] = {
    "SCHEDULED": OPEN,
    "COMPLETED": frozenset({Status.COMPLETED}),
    "DISCONTINUED": frozenset({Status.DISCONTINUED}),
    "all": frozenset(Status),
}
"""The manual's filters by status (7.7): what has arrived, is ready or was started counts as scheduled."""
DAYS: Mapping[str, tuple[int, int]] = {
    "today": (0, 0),
    "yesterday": (-1, -1),
    "tomorrow": (1, 1),
    "week": (0, 6),
}
"""First and last day, from today."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; empty fields ask nothing. Days as YYYYMMDD, both inclusive."""

    search: str = ""
    statuses: frozenset[Status] = frozenset(Status)
    first: str = ""
    last: str = ""
    modality: str = ""
    station: str = ""
    patient_id: str = ""
    accession_number: str = ""
    after: tuple[str, int] | None = None
    limit: int = USUAL


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of entries, and where the next one begins, "" where there is none."""

    entries: list[Entry]
    next: str = ""


def asked_of(query: Query, today: date, date_: str = "", tab: str = "all") -> Asked:
    """Read what the query of a URL asks for; `date_` and `tab` are taken where it names none. HttpError 400."""
    first, last = _days(query, today, date_)
    return Asked(
        search=query.first("search").strip()[:200],
        statuses=_statuses(query.first("status") or tab),
        first=first,
        last=last,
        modality=query.first("modality").strip().upper()[:16],
        station=query.first("station").strip()[:16],
        patient_id=query.first("patient_id").strip()[:64],
        accession_number=query.first("accession_number").strip()[:64],
        after=_place(query.first("after")),
        limit=number_in_query(query, "limit", USUAL, 1, MOST),
    )


def _statuses(given: str) -> frozenset[Status]:
    if given in TABS:
        return TABS[given]
    if given in Status.__members__:
        return frozenset({Status(given)})
    raise HttpError(400, f"status: {given[:80]!r} is none of {', '.join([*Status, 'all'])}")


def _days(query: Query, today: date, date_: str) -> tuple[str, str]:
    first, last = _day(query, "from"), _day(query, "to")
    given = query.first("date") or ("" if first or last else date_)
    if given in ("", "all", "range"):
        return ("", "") if given == "all" else (first, last)
    if given not in DAYS:
        raise HttpError(400, f"date: {given[:80]!r} is none of {', '.join([*DAYS, 'all'])}")
    begin, end = (today + timedelta(days=by) for by in DAYS[given])
    return f"{begin:%Y%m%d}", f"{end:%Y%m%d}"


def _day(query: Query, name: str) -> str:
    given = query.first(name)
    if not given:
        return ""
    found = _DAY.fullmatch(given)
    try:
        return f"{date(*map(int, found.groups())):%Y%m%d}" if found else _no_day(name, given)
    except ValueError:
        return _no_day(name, given)


def _no_day(name: str, given: str) -> str:
    raise HttpError(400, f"{name}: {given[:80]!r} is no day such as 2026-01-31")


def _place(given: str) -> tuple[str, int] | None:
    found = _PLACE.fullmatch(given)
    if given and not found:
        raise HttpError(400, "after: what `next` of the page before says is expected")
    return (found[1], int(found[2])) if found else None


async def listed(connection: AsyncConnection, identity: Identity, asked: Asked) -> Listed:
    """Give a page of the entries that match and that the identity may see."""
    seen, found = seen_by(identity), list[Entry]()
    async for one in in_order(
        connection, select(*COLUMNS, entry.c.start_moment).where(*_conditions(asked)), asked.after
    ):
        if not seen(one.attributes):
            continue
        if len(found) == asked.limit:
            return Listed(found, f"{start_of(found[-1].step)[:14]}-{found[-1].id}")
        found.append(one)
    return Listed(found)


def has_words(column: ColumnElement[Any], held: ColumnElement[Any], searched: str) -> list[ColumnElement[bool]]:
    """Give what holds where each word that is searched for stands anywhere in a folded text, whose pieces are indexed."""
    words = text_key(searched).replace("^", " ").replace(",", " ").split()[:MOST_WORDS]
    found: list[ColumnElement[bool]] = [like(column, f"*{word}*") for word in words]
    if pieces := sorted({piece for word in words for piece in grams(word)}):
        found.append(held.op("@>")(cast(pieces, ARRAY(C))))
    return found


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    found = has_words(entry.c.words, entry.c.pieces, asked.search)
    if asked.statuses != frozenset(Status):
        found.append(entry.c.status.in_(sorted(asked.statuses)))
    if asked.first or asked.last:
        found.append(_on_days(asked.first, asked.last))
    if asked.station:
        found.append(entry.c.stations.any(asked.station))
    exact = {"modality": asked.modality, "patient_id": asked.patient_id, "accession_number": asked.accession_number}
    return found + [entry.c[name] == value for name, value in exact.items() if value]


def _on_days(first: str, last: str) -> ColumnElement[bool]:
    """Those that start on these days; what has no start stands among the others of all days, so that nobody forgets it."""
    start = entry.c.start_moment
    between = [start >= first] * bool(first) + [start <= f"{last}999999"] * bool(last)
    open_ones = and_(start == "", entry.c.status.in_(sorted(OPEN)))
    return or_(and_(*between), open_ones)
