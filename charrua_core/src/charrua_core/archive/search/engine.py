"""Search: the one way to find patients, studies, series and objects. Filters and `on_query` are applied here only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from charrua_core.archive.search import pages
from charrua_core.archive.search.answers import Facts, Found, chooser, supported, teller
from charrua_core.archive.search.matching import has_all
from charrua_core.archive.search.model import Query
from charrua_core.archive.search.plan import Plan, plan_of
from charrua_core.errors import NotPermitted, TooManyResults
from charrua_core.settings import Setting
from charrua_core.types import Identity, Level, Refuse

if TYPE_CHECKING:
    from charrua_core.app import App

SETTINGS = (
    Setting(
        "query_results",
        int,
        500,
        minimum=0,
        effect="now",
        help="The most results of a query: past it a DICOM query ends with an error status (A700H), and an answer over HTTP "
        "with a link to the next. 0 is no limit.",
        since="0.1",
    ),
    Setting(
        "search_ignores_case",
        bool,
        True,
        effect="now",
        help="Descriptions and other texts match in capital and small letters alike (names always do, identifiers never)",
        since="0.1",
    ),
)

COUNTED = 10_000
"""How far all studies are counted one by one."""
LOOKED_AT = 250_000
"""Rows that a search looks at in memory, for keys that no column holds, before it gives up."""


async def search(app: App, query: Query, identity: Identity) -> AsyncGenerator[Found, None]:
    """Give what matches and the identity may see, newest studies first.

    Raises QueryInvalid, NotPermitted, TooManyResults (also when the first `at_most` matches were given and there are more).
    """
    plan = planned(app, query, identity, query.level)
    query = plan.query
    choose, attributes_of = chooser(query), teller(query, plan.tests, app.settings["dicom_aet"])
    skipped = 0 if pages.can_skip(plan) else query.offset
    number = looked_at = 0
    async for row in pages.rows_of(app.db, plan, _wanted(plan)):
        looked_at += 1
        if not plan.tests and number < skipped:
            number += 1
            continue
        attributes = attributes_of(row)
        if plan.tests and not has_all(attributes, plan.tests):
            if looked_at > LOOKED_AT:
                raise TooManyResults("too much to look through: name a date, a patient or a study as well")
            continue
        number += 1
        if number <= skipped:
            continue
        if query.at_most and number - skipped > query.at_most:
            raise TooManyResults(f"more than {query.at_most} match")
        yield Found(
            query.level, choose(attributes), row.get("study_status", ""), Facts.of(row) if query.facts else None
        )
        if query.limit and number - skipped >= query.limit:
            return


async def count(app: App, query: Query, identity: Identity, at_most: int) -> int | None:
    """Give how many match and the identity may see, counted up to `at_most`, whatever the query's limits.

    None where each would have to be looked at. Raises QueryInvalid, NotPermitted, and TooManyResults when it takes too long.
    """
    plan = planned(app, query, identity, query.level)
    return await pages.number_of(app.db, plan, at_most) if plan.countable else None


async def about(app: App, identity: Identity) -> tuple[int, bool]:
    """Give how many studies the identity may see, and whether that is exact: many are estimated, or counted so far only."""
    plan = planned(app, Query(Level.STUDY), identity, Level.STUDY)
    number = await pages.number_of(app.db, plan, COUNTED)
    if number < COUNTED or plan.plain:
        return number, number < COUNTED
    return max(number, await pages.estimated(app.db)), False


def planned(app: App, query: Query, identity: Identity, rows: Level) -> Plan:
    """Give the plan of a query as plugins leave it, for rows of a level. Raises NotPermitted and QueryInvalid."""
    judged = app.hooks.judge_and_revise("on_query", "query", query=query, identity=identity)
    if isinstance(judged, Refuse):
        raise _refused(judged)
    narrowed = [tag for tag, match in judged.keys.items() if match != query.keys.get(tag)]
    if any(not supported(tag, rows) for tag in narrowed):  # also a key that was asked: it would count for nothing
        raise NotPermitted("a plugin narrows the query by what cannot be told at its level")
    return plan_of(judged, identity, app.settings.get("search_ignores_case", True), rows)


def _refused(refuse: Refuse) -> NotPermitted:
    error = NotPermitted(refuse.reason)
    error.dimse_status, error.http_status = refuse.dimse_status, refuse.http_status
    return error


def _wanted(plan: Plan) -> int:
    """Give how many rows will do, 0 if that is not known; of tested ones as many as will do if most pass."""
    query = plan.query
    end = query.limit or (query.at_most + 1 if query.at_most else 0)
    if plan.tests:
        return query.limit and query.limit + query.offset
    if not end:
        return 0
    return end if pages.can_skip(plan) else end + query.offset
