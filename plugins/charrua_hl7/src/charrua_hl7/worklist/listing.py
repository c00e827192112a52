"""The worklist as people look through it: by words, day, status, modality and station, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from charrua_core.archive.index.names import text_key
from charrua_core.archive.search import dates, patterns
from charrua_core.archive.search.conditions import Clause, like
from charrua_core.archive.search.terms import within
from charrua_core.errors import QueryInvalid
from charrua_core.tables import C
from charrua_core.types import Identity
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import COLUMNS, Entry, Status, start_of
from charrua_hl7.worklist.searching import in_order, seen_by

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

_PLACE = re.compile(r"(\d{0,14})-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which entries are looked at; what is empty chooses nothing."""

    words: str = ""
    """Each of them stands somewhere in patient, IDs, procedure or referring physician; `*` and `?` stand for text."""
    statuses: frozenset[Status] = frozenset()
    first_day: str = ""
    last_day: str = ""
    """Days as DA, of their scheduled start."""
    modality: str = ""
    station: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries in the order of their start, and the place after which the next page begins: "" where there is none."""

    entries: tuple[Entry, ...]
    next: str


async def list_entries(
    app: App, identity: Identity, chosen: Chosen, *, count: int, after: str = "", ascending: bool = True
) -> Listed:
    """Give a page of the entries that the identity may see.

    `after` is `next` of the page before. Raises QueryInvalid for a day or a place that is none, NotPermitted for row filters
    that cannot be applied.
    """
    seen, place, found = seen_by(identity), _place(after), list[Entry]()
    async with app.db.reading() as connection:
        entries = in_order(connection, _statement(chosen), place, ascending=ascending, batch=max(count + 1, 50))
        async for one in entries:
            if seen(one.attributes):
                found.append(one)
            if len(found) > count:
                break
    return Listed(tuple(found[:count]), _place_of(found[count - 1]) if len(found) > count else "")


async def count_entries(app: App, identity: Identity, chosen: Chosen, at_most: int) -> int:
    """Give how many entries the identity may see, counted up to `at_most`; raises as `list_entries`."""
    async with app.db.reading() as connection:
        if identity.row_filters:
            return await _counted(connection, chosen, identity, at_most)
        some = select(entry.c.id).where(*_clauses(chosen)).limit(at_most).subquery("some")
        return await connection.scalar(select(func.count()).select_from(some)) or 0


async def _counted(connection: AsyncConnection, chosen: Chosen, identity: Identity, at_most: int) -> int:
    """Count one by one: filters are told by all that an entry states."""
    seen, number = seen_by(identity), 0
    async for one in in_order(connection, _statement(chosen)):
        number += seen(one.attributes)
        if number >= at_most:
            break
    return number


def _statement(chosen: Chosen) -> Select[Any]:
    return select(*COLUMNS, entry.c.start_moment).where(*_clauses(chosen))


def _clauses(chosen: Chosen) -> list[Clause]:
    clauses = [clause for word in text_key(chosen.words).split() for clause in _said(word)]
    if chosen.statuses:
        clauses.append(entry.c.status.in_(sorted(chosen.statuses)))
    if chosen.first_day or chosen.last_day:
        clauses.append(within(entry.c.start_moment, *dates.between("DA", chosen.first_day, chosen.last_day)))
    if chosen.modality:
        clauses.append(entry.c.modality == chosen.modality)
    if chosen.station:
        clauses.append(entry.c.stations.op("&&")(cast([chosen.station], ARRAY(C))))
    return clauses


def _said(word: str) -> list[Clause]:
    """Index entry_by_words finds the pieces of a word; one of one or two letters is looked for alone."""
    pieces = patterns.grams(word)
    found = [func.core.grams(entry.c.words).op("@>")(cast(pieces, ARRAY(Text)))] if pieces else []
    return [*found, like(entry.c.words, f"*{word}*")]


def _place_of(one: Entry) -> str:
    return f"{start_of(one.step)[:14]}-{one.id}"


def _place(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    if not (found := _PLACE.fullmatch(text)):
        raise QueryInvalid("after: it is no place in the worklist")
    return found[1], int(found[2])
