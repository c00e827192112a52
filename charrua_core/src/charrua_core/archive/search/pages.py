"""How the rows of a plan are read: page after page, each a statement or two of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import RowMapping, Select
from sqlalchemy.exc import DBAPIError

from charrua_core.archive.search import orders, statements
from charrua_core.archive.search.conditions import Clause
from charrua_core.archive.search.plan import Plan
from charrua_core.archive.search.statements import After
from charrua_core.db import Database
from charrua_core.errors import QueryInvalid, TooManyResults
from charrua_core.types import Level

FIRST_PAGE = 100
LARGEST_PAGE = {Level.PATIENT: 500, Level.STUDY: 2000, Level.SERIES: 2000, Level.IMAGE: 500}
GROWTH = 4
INDEX_WALK = 50_000
"""The newest studies among which a frequent text is looked for, in the index alone; a rarer one is looked up."""
ROW_WALK = 10_000
"""The same for texts that are in the rows only."""
QUERY_CANCELED = "57014"


def can_skip(plan: Plan) -> bool:
    """Whether the database can leave out the first rows: those of plain pages, which all match."""
    level = plan.query.level
    plain = level in (Level.SERIES, Level.IMAGE) or (level is Level.STUDY and plan.named is None)
    return plain and not plan.tests and not plan.query.after and not plan.query.order


async def rows_of(db: Database, plan: Plan, wanted: int = 0) -> AsyncIterator[RowMapping]:
    """Give the rows, which may be more than what matches: `plan.tests` are to be asked of each.

    Where `can_skip` says so, the query's offset is left out. `wanted` is how many will do, if that is known. Raises
    TooManyResults when a statement takes too long, QueryInvalid where nothing is that the rows are to come after.
    """
    count = min(wanted or FIRST_PAGE, LARGEST_PAGE[plan.query.level])
    after = await _position(db, plan) if plan.query.after else None
    while True:
        rows, last = await _READ[plan.query.level](db, plan, after, count)
        for row in rows:
            yield row
        if last is None:
            return
        after, count = last, min(count * GROWTH, LARGEST_PAGE[plan.query.level])


async def number_of(db: Database, plan: Plan, at_most: int) -> int:
    """Give how many rows there are, counted up to `at_most`. Raises as `rows_of`."""
    level = plan.query.level
    if level is Level.STUDY and plan.named is not None and plan.in_index and not plan.upper:
        named = [plan.named.clause, *plan.exactly.values()]
        (newest,) = await read(db, statements.number_of_newest(named, plan.dates, INDEX_WALK, at_most))
        if newest["number"] >= at_most:
            return at_most
    (found,) = await read(db, statements.number_of(level, plan.counting, plan.lower, at_most))
    return int(found["number"])


async def estimated(db: Database) -> int:
    """Give about how many studies there are, as PostgreSQL's statistics have it."""
    (row,) = await read(db, statements.estimated())
    return int(row["number"])


async def _position(db: Database, plan: Plan) -> After:
    query = plan.query
    if query.level is Level.PATIENT:
        raise QueryInvalid("patients have no UID that others come after")
    clauses = [*plan.scope, *([plan.of_study] if plan.of_study is not None else [])]
    if plan.order is not None:
        rows = await read(db, orders.position(plan.order, query.after, clauses))
    else:
        rows = await read(db, statements.position(query.level, query.after, clauses, query.by_number))
    if not rows:
        raise QueryInvalid(f"there is nothing {query.after[:64]!r} to come after")
    return tuple(rows[0].values())


Page = tuple[Sequence[RowMapping], After | None]


async def read(db: Database, statement: Select[Any]) -> Sequence[RowMapping]:
    """Run one statement of a search. Raises TooManyResults when it takes too long."""
    try:
        async with db.reading() as connection:
            rows: Sequence[RowMapping] = (await connection.execute(statement)).mappings().all()
            return rows
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
            raise TooManyResults("the search took too long; ask for less") from error
        raise


async def _studies(db: Database, plan: Plan, after: After | None, count: int) -> Page:
    if plan.order is not None:
        rows = await _ordered(db, plan, plan.order, after, count)
        return rows, _last(rows, count, *(f"place{number}" for number in range(len(plan.order.columns))))
    if plan.named is None:
        offset = plan.query.offset if after is None and can_skip(plan) else 0
        rows = await read(db, statements.study_page(plan.chosen, after, count, offset, plan.counted))
    else:
        rows = await _named_studies(db, plan, plan.named.clause, after, count)
    return rows, _last(rows, count, "study_date", "study_time", "study_id")


async def _ordered(
    db: Database, plan: Plan, order: orders.Order, after: After | None, count: int
) -> Sequence[RowMapping]:
    """Walk the order's index a while, unless so few match that sorting them is less work."""
    ascending = plan.query.ascending
    few = not await _more_than(db, plan, orders.MOST_SORTED) if plan.chosen or not order.index else False
    if not few and order.index:
        rows = await read(db, orders.walk_page(order, ascending, plan.plain, after, count, plan.counted))
        if len(rows) == count or not plan.plain:
            return rows
    elif not few:
        raise TooManyResults(
            f"more than {orders.MOST_SORTED} match, too many to be sorted by {plan.query.order}: name a date or a patient"
        )
    return await read(db, orders.chosen_page(order, ascending, plan.chosen, after, count, plan.counted))


async def _more_than(db: Database, plan: Plan, number: int) -> bool:
    return await number_of(db, plan, number + 1) > number


async def _named_studies(
    db: Database, plan: Plan, named: Clause, after: After | None, count: int
) -> Sequence[RowMapping]:
    """Look at the newest studies first, where a frequent text is soon found; then choose by the text's own index."""
    walk = INDEX_WALK if plan.in_index else ROW_WALK
    rows = await read(db, statements.newest_studies(named, plan.dates, plan.upper, after, walk, count, plan.counted))
    if len(rows) == count or (plan.dates and not plan.upper and await _are_all(db, plan, after, walk)):
        return rows
    return await read(db, statements.chosen_studies(plan.chosen, after, count, plan.counted))


async def _are_all(db: Database, plan: Plan, after: After | None, walk: int) -> bool:
    """Whether the walk came to the end of the dates that were asked for."""
    (left,) = await read(db, statements.dates_left(plan.dates, after, walk))
    return bool(left["number"] < walk)


async def _patients(db: Database, plan: Plan, after: After | None, count: int) -> Page:
    keys = await _patient_keys(db, plan, after, count)
    if not keys:
        return [], None
    found = {tuple(key.values()) for key in keys}
    rows = await read(db, statements.patient_rows(sorted(found), plan.scope, plan.plain, plan.counted))
    here = [row for row in rows if _patient_key(row) in found]
    return here, _last(keys, count, "patient_id", "issuer", "unnamed")


async def _patient_keys(db: Database, plan: Plan, after: After | None, count: int) -> Sequence[RowMapping]:
    if plan.named is None:
        return await read(db, statements.patient_page(plan.chosen, after, count))
    if plan.in_index and not plan.dates and not plan.upper:
        keys = await read(db, statements.next_patients(plan.named.clause, after, INDEX_WALK, count))
        if len(keys) == count:
            return keys
    return await read(db, statements.chosen_patients(plan.chosen, after, count))


def _patient_key(row: RowMapping) -> tuple[Any, ...]:
    return row["patient_id"], row["issuer"], row["unnamed"]


async def _series(db: Database, plan: Plan, after: After | None, count: int) -> Page:
    rows = await _lower(db, plan, after, count)
    return rows, _last(rows, count, *_numbered(plan, "series_number"), "series_id")


async def _images(db: Database, plan: Plan, after: After | None, count: int) -> Page:
    rows = await _lower(db, plan, after, count)
    of_series = (*_numbered(plan, "series_number"), "series_id")
    return rows, _last(rows, count, *of_series, *_numbered(plan, "instance_number"), "instance_id")


async def _lower(db: Database, plan: Plan, after: After | None, count: int) -> Sequence[RowMapping]:
    query = plan.query
    offset = query.offset if after is None and can_skip(plan) else 0
    of_plan = (query.level, plan.chosen, plan.lower, after, count, offset, plan.counted, query.by_number)
    return await read(db, statements.lower_page(*of_plan))


def _numbered(plan: Plan, name: str) -> tuple[str, ...]:
    return (name,) if plan.query.by_number else ()


def _last(rows: Sequence[RowMapping], count: int, *names: str) -> After | None:
    """Give where the next page begins, None if this one was the last."""
    return tuple(rows[-1][name] for name in names) if len(rows) == count else None


_READ = {Level.PATIENT: _patients, Level.STUDY: _studies, Level.SERIES: _series, Level.IMAGE: _images}
