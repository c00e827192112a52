"""Searching the worklist: one meaning for modalities and for pages (PS3.4 K.2.2.2, K.4.1.3.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, cast, func, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.search import AnyItem, Between, Match, dates, read_keys
from charrua_core.archive.search.asked import keys_only
from charrua_core.archive.search.conditions import Clause
from charrua_core.archive.search.matching import has_all, tests_of
from charrua_core.archive.search.sight import Sight, sight, stated_in
from charrua_core.archive.search.terms import Condition, conditions, moment_is, name_is, text_is, within
from charrua_core.errors import NotPermitted, TooManyResults
from charrua_core.tables import C
from charrua_core.types import DicomJson, Identity
from charrua_hl7.tables import IS_OPEN, entry
from charrua_hl7.worklist.entries import COLUMNS, START_DATE, START_TIME, STATUS, STEP, Entry, of_row, start_of, step_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

BATCH = 200
_PATIENT_NAME = tag_of("PatientName")
NO_LEVEL = frozenset({"00080052"})
"""Query/Retrieve Level, which some send and this model does not have."""
_NO_KEYS = NO_LEVEL | {tag_of("PertinentDocumentsSequence"), tag_of("ProtocolContextSequence")}
"""What is never matched (PS3.4 table K.6-1)."""
_LOOKED_UP: Mapping[str, Condition] = {
    tag_of("AccessionNumber"): text_is(entry.c.accession_number),
    tag_of("PatientID"): text_is(entry.c.patient_id),
    tag_of("IssuerOfPatientID"): text_is(entry.c.issuer),
    tag_of("StudyInstanceUID"): text_is(entry.c.study_uid),
    _PATIENT_NAME: name_is(entry.c.patient_name_key),
    f"{STEP}.{tag_of('Modality')}": text_is(entry.c.modality),
    f"{STEP}.{STATUS}": text_is(entry.c.status),
    f"{STEP}.{START_DATE}": moment_is(entry.c.start_moment, "DA"),
}
"""The keys that have columns of their own, by path."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: entries that may still be performed, unless a key asks for Scheduled Procedure Step Status.

    With more than `at_most` matches (0: no limit) it ends with TooManyResults.
    """

    keys: Mapping[str, Match] = field(default_factory=dict)
    fuzzy: bool = False
    station: str = ""
    """The AE title whose entries are told, and those that name no station; "" for all."""
    at_most: int = 0


def keys_of(identifier: DicomJson) -> dict[str, Match]:
    """Give how the keys of an identifier match. Raises QueryInvalid."""
    return read_keys(_matched(identifier))


def _matched(identifier: Mapping[str, Any]) -> DicomJson:
    keys = keys_only(dict(identifier), _NO_KEYS)
    return {
        tag: {**one, "Value": [_matched(item or {}) for item in one.get("Value", ())]} if one["vr"] == "SQ" else one
        for tag, one in keys.items()
    }


async def search(app: App, asked: Search, identity: Identity) -> AsyncGenerator[DicomJson, None]:
    """Give what Modality Worklist tells of the entries that match and that the identity may see, by their start.

    Raises NotPermitted, QueryInvalid, TooManyResults.
    """
    if not identity.may("query"):
        raise NotPermitted("this AE may not query here")
    found = 0
    async with app.db.reading() as connection:
        async for one in matching(connection, asked, identity):
            found += 1
            if asked.at_most and found > asked.at_most:
                raise TooManyResults(f"more than {asked.at_most} entries match; ask for less")
            yield one.attributes


async def matching(connection: AsyncConnection, asked: Search, identity: Identity) -> AsyncGenerator[Entry, None]:
    """Give all entries that match and that the identity may see, whatever it may do, by their start."""
    fits, seen = _test(asked), seen_by(identity)
    async for one in in_order(connection, select(*COLUMNS, entry.c.start_moment).where(*_clauses(asked))):
        if fits(one.attributes) and seen(one.attributes):
            yield one


async def in_order(
    connection: AsyncConnection,
    statement: Select[Any],
    after: tuple[str, int] | None = None,
    *,
    ascending: bool = True,
    batch: int = BATCH,
) -> AsyncGenerator[Entry, None]:
    """Give the entries of a statement by their start, those after a place (start, id)."""
    place = tuple_(entry.c.start_moment, entry.c.id)
    order = [column.asc() if ascending else column.desc() for column in (entry.c.start_moment, entry.c.id)]
    statement = statement.order_by(*order).limit(batch)
    while True:
        beyond = [] if after is None else [place > after if ascending else place < after]
        rows = (await connection.execute(statement.where(*beyond))).all()
        for row in rows:
            yield of_row(row)
        if len(rows) < batch:
            return
        after = (rows[-1].start_moment, rows[-1].id)


# -- sight ---------------------------------------------------------------------------------------------------------------
def may_see(identity: Identity, attributes: DicomJson) -> bool:
    """Whether the row filters of an identity let it see an entry of these attributes."""
    try:
        return seen_by(identity)(attributes)
    except NotPermitted:
        return False


def seen_by(identity: Identity) -> Sight:
    """Give a function that says whether the identity may see an entry. NotPermitted for filters that cannot be applied."""
    return sight(identity.row_filters, _stated)


def _stated(attributes: DicomJson, tag: str) -> Iterator[str]:
    return stated_in((attributes, step_of(attributes)), tag)


# -- matching ------------------------------------------------------------------------------------------------------------
def _test(asked: Search) -> Callable[[DicomJson], bool]:
    span = _span(asked.keys)
    tests = tests_of(_without_start(asked.keys) if span else asked.keys, ignore_case=False, fuzzy=asked.fuzzy)
    if span is None:
        return lambda attributes: has_all(attributes, tests)
    first, last = span
    return lambda attributes: has_all(attributes, tests) and first <= start_of(step_of(attributes)) <= last


def _clauses(asked: Search) -> list[Clause]:
    """Give what the database can tell: at least what matches is selected."""
    span = _span(asked.keys)
    keys = _without_start(asked.keys) if span else asked.keys
    keys = {tag: match for tag, match in keys.items() if not (asked.fuzzy and tag == _PATIENT_NAME)}
    clauses = conditions(keys, _LOOKED_UP, entry.c.terms)
    if span:
        clauses.append(within(entry.c.start_moment, span[0][:14], span[1][:14]))
    if not _asks_status(asked.keys):
        clauses.append(text(IS_OPEN))  # type: ignore[arg-type]
    if asked.station:
        own = entry.c.stations.op("&&")(cast([asked.station], ARRAY(C)))
        clauses.append(or_(own, func.cardinality(entry.c.stations) == 0))
    return clauses


def _of_step(keys: Mapping[str, Match]) -> Mapping[str, Match]:
    asked = keys.get(STEP)
    return asked.keys if isinstance(asked, AnyItem) else {}


def _asks_status(keys: Mapping[str, Match]) -> bool:
    return STATUS in _of_step(keys)


def _span(keys: Mapping[str, Match]) -> tuple[str, str] | None:
    """The time from and to which steps start, where both date and time are ranges of one form (PS3.4 C.2.2.2.5, K.6-1)."""
    date, time = _of_step(keys).get(START_DATE), _of_step(keys).get(START_TIME)
    if not isinstance(date, Between) or not isinstance(time, Between):
        return None
    if (bool(date.low), bool(date.high)) != (bool(time.low), bool(time.high)):
        return None
    days, times = dates.between("DA", date.low, date.high), dates.between("TM", time.low, time.high)
    return days[0] + times[0], days[1] + times[1]


def _without_start(keys: Mapping[str, Match]) -> Mapping[str, Match]:
    step = {tag: match for tag, match in _of_step(keys).items() if tag not in (START_DATE, START_TIME)}
    return {**keys, STEP: AnyItem(step)}
