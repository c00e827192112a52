"""Looking for performed procedure steps as people do: the newest first, by words, by state, and those without an entry."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, ColumnElement, Text, any_, cast, exists, select

from charrua_core.archive.index.levels import STUDY_INSTANCE_UID, text_of
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.archive.search.columns import SERIES_UID, STUDY_UID
from charrua_core.types import Identity, Level
from charrua_core.web import HttpError
from charrua_core.web import Query as Given
from charrua_hl7.performed.known import described, entries_of
from charrua_hl7.performed.model import ACCESSION_NUMBER, PATIENT_ID, PATIENT_NAME, SCHEDULED, State, items, text
from charrua_hl7.performed.rights import sight
from charrua_hl7.tables import entry, performed, performed_entry
from charrua_hl7.worklist.entries import COLUMNS, Entry, of_row
from charrua_hl7.worklist.listing import has_words
from charrua_hl7.worklist.searching import seen_by

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

PAGE = 50
BATCH = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; empty fields ask nothing. `after` is where the page before has ended."""

    search: str = ""
    state: str = ""
    without_entry: bool = False
    after: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """A step as people see it: what `charrua_hl7.performed.known` tells of it, and whose it is."""

    number: int
    told: dict[str, Any]
    patient_name: str
    patient_id: str
    accession_number: str
    study_uids: Sequence[str]
    entries: Sequence[Entry] = ()
    """Those of its entries that may be seen."""
    has_entry: bool = False
    study_here: str = ""
    """Of a step without an entry a study that is here and may be seen, "" where there is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of steps, and where the next one begins, 0 where there is none."""

    steps: list[Shown]
    next: int = 0


@dataclass(slots=True)
class _Around:
    """What belongs to the steps of a page: entries by number, those of each step, and studies here by series and by UID."""

    entries: dict[int, Entry]
    of_step: dict[int, list[int]]
    studies: dict[str, str] = field(default_factory=dict)


def asked_of(query: Given) -> Asked:
    """Read what the query of a URL asks for. HttpError 400."""
    state, entries, after = query.first("state"), query.first("entry"), query.first("after", "0")
    if state and state not in list(State):
        raise HttpError(400, f"state: {state[:80]!r} is none of {', '.join(State)}")
    if entries not in ("", "none"):
        raise HttpError(400, f"entry: {entries[:80]!r} is not none")
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise HttpError(400, "after: what `next` of the page before says is expected")
    return Asked(query.first("search").strip()[:200], state, bool(entries), int(after))


async def listed(app: App, identity: Identity, asked: Asked) -> Listed:
    """Give a page of the steps that match and that the identity may see. NotPermitted for filters that cannot be applied."""
    async with app.db.reading() as connection:
        rows = await _page(connection, identity, asked)
        shown = rows[:PAGE]
        around = await _entries(connection, identity, shown)
    around.studies = await _studies(app, identity, [row for row in shown if not around.of_step.get(row.id)])
    told = await described(app, identity, shown, around.of_step)
    steps = [_shown(row, one, around) for row, one in zip(shown, told, strict=True)]
    return Listed(steps, shown[-1].id if len(rows) > PAGE else 0)


async def _page(connection: AsyncConnection, identity: Identity, asked: Asked) -> list[Any]:
    """Give the rows of a page, and one more where there are more."""
    sees, found = sight(identity.row_filters), list[Any]()
    async for row in _newest(connection, asked):
        if sees(row.attributes):
            found.append(row)
        if len(found) > PAGE:
            break
    return found


async def _newest(connection: AsyncConnection, asked: Asked) -> AsyncGenerator[Any, None]:
    statement = select(performed).where(*_conditions(asked)).order_by(performed.c.id.desc()).limit(BATCH)
    before = asked.after
    while True:
        beyond = [performed.c.id < before] if before else []
        rows = (await connection.execute(statement.where(*beyond))).all()
        for row in rows:
            yield row
        if len(rows) < BATCH:
            return
        before = rows[-1].id


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    found = has_words(performed.c.words, performed.c.pieces, asked.search)
    if asked.state:
        found.append(performed.c.status == asked.state)
    if asked.without_entry:
        linked = exists().where(performed_entry.c.performed_id == performed.c.id)
        assigned = exists().where(entry.c.arrived_study_uid == any_(performed.c.study_uids))
        found += [~linked, ~assigned]
    return found


async def _entries(connection: AsyncConnection, identity: Identity, rows: Sequence[Any]) -> _Around:
    """Give the entries that the steps perform, and those that their studies were assigned to by hand."""
    of_step = await entries_of(connection, [row.id for row in rows])
    studies = sorted({uid for row in rows for uid in row.study_uids})
    assigned = select(entry.c.id, entry.c.arrived_study_uid).where(
        entry.c.arrived_study_uid == any_(cast(studies, ARRAY(Text)))
    )
    for number, uid in (await connection.execute(assigned)).all():
        for row in rows:
            if uid in row.study_uids and number not in of_step.get(row.id, ()):
                of_step.setdefault(row.id, []).append(number)
    numbers = sorted({number for several in of_step.values() for number in several})
    sees = seen_by(identity)
    found = await connection.execute(select(*COLUMNS).where(entry.c.id.in_(numbers)))
    return _Around({row.id: of_row(row) for row in found if sees(row.attributes)}, of_step)


async def _studies(app: App, identity: Identity, rows: Sequence[Any]) -> dict[str, str]:
    """Give the studies of steps that are here and that the identity may see, by their own UID and by those of their series."""
    studies = sorted({uid for row in rows for uid in row.study_uids})
    series = sorted({uid for row in rows for uid in row.series_uids})
    of_study = Query(Level.STUDY, keys={STUDY_UID: OneOf("UI", tuple(studies))}, limit=len(studies))
    of_series = Query(Level.SERIES, keys={SERIES_UID: OneOf("UI", tuple(series))}, relational=True, limit=len(series))
    found: dict[str, str] = {}
    for query, uids, tag in ((of_study, studies, STUDY_UID), (of_series, series, SERIES_UID)):
        if uids:
            found |= await _by(app, identity, query, tag)
    return found


async def _by(app: App, identity: Identity, query: Query, tag: str) -> dict[str, str]:
    return {
        text_of(one.attributes.get(tag)): text_of(one.attributes.get(STUDY_INSTANCE_UID))
        async for one in search(app, query, identity)
    }


def _shown(row: Any, told: dict[str, Any], around: _Around) -> Shown:
    numbers = around.of_step.get(row.id, [])
    return Shown(
        row.id,
        told,
        text(row.attributes, PATIENT_NAME),
        text(row.attributes, PATIENT_ID),
        _first([text(item, ACCESSION_NUMBER) for item in items(row.attributes, SCHEDULED)]),
        row.study_uids,
        [around.entries[number] for number in numbers if number in around.entries],
        bool(numbers),
        _first([around.studies.get(uid, "") for uid in (*row.study_uids, *row.series_uids)]),
    )


def _first(texts: Collection[str]) -> str:
    return next(filter(None, texts), "")
