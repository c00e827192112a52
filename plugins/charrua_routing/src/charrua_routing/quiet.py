"""Studies and series that go once nothing has come for them for a while, each time with what is new.

A row has the moment at which it will have been quiet long enough; every object moves it on. One job waits for each row: if
the moment has moved when the job runs, another waits for the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.jobs import JobType
from charrua_core.sending import send_new
from charrua_core.types import StoredObject
from charrua_routing import priors
from charrua_routing.errors import RuleNotFound
from charrua_routing.rule import Rule
from charrua_routing.rules import find

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "routing.quiet"
SLACK_S = 1.0
"""A moment is moved on when it would move by so much: not for each of many objects that come in one second."""
_AT_ONCE = 4


def quiet_job(app: App) -> JobType:
    """The kind of jobs that sends what has become quiet."""

    async def run(payload: dict[str, Any]) -> None:
        await send_if_quiet(app, payload)

    return JobType(KIND, run, lane_concurrency=_AT_ONCE)


async def touch(app: App, rule: Rule, stored: StoredObject) -> None:
    """Note that something has come for the object's study, or series, which the rule takes."""
    row = {
        "rule_id": rule.number,
        "study_uid": stored.study_uid,
        "series_uid": stored.series_uid if rule.level == "series" else "",
    }
    due = app.jobs.clock.now() + timedelta(seconds=rule.quiet_s)
    late_enough = due - timedelta(seconds=min(SLACK_S, rule.quiet_s / 10))
    async with app.db.reading() as connection:
        if await connection.scalar(_WAITS, {**row, "late_enough": late_enough}):
            return
    async with app.db.transaction() as tx:
        is_new = await tx.scalar(_TOUCH, {**row, "due_at": due})
        if is_new:
            await app.jobs.enqueue(KIND, row, run_at=due, tx=tx)


async def send_if_quiet(app: App, row: Mapping[str, Any]) -> None:
    """Send what is new of a study or series that has been quiet long enough, and its priors after it; wait on otherwise."""
    try:
        rule = (await find(app, str(row["rule_id"]))).rule
    except RuleNotFound:
        rule = None
    found = await priors.of_study(app, row["study_uid"], rule.priors) if rule and rule.enabled else []
    async with app.db.transaction() as tx:
        due = await tx.scalar(_DUE, row)
        if due is None:
            return
        if due > app.jobs.clock.now():
            await app.jobs.enqueue(KIND, row, run_at=due, tx=tx)
            return
        if rule is not None and rule.enabled:
            await _send(app, tx, rule, row, found)
        await tx.execute(_DONE, row)


async def _send(
    app: App, tx: AsyncConnection, rule: Rule, row: Mapping[str, Any], prior_studies: Sequence[str]
) -> None:
    now = app.jobs.clock.now()
    for destination in rule.destinations:
        if rule.level != "object":
            await send_new(app, tx, rule.route(destination, now), row["study_uid"], row["series_uid"])
        for study_uid in prior_studies:
            await send_new(app, tx, rule.route(destination, now, later=True), study_uid)


_THE_ROW = "rule_id = :rule_id AND study_uid = :study_uid AND series_uid = :series_uid"

_WAITS = text(f"SELECT due_at >= :late_enough FROM routing.quiet WHERE {_THE_ROW}")  # noqa: S608

_TOUCH = text("""
    INSERT INTO routing.quiet AS known (rule_id, study_uid, series_uid, due_at)
    VALUES (:rule_id, :study_uid, :series_uid, :due_at)
    ON CONFLICT (rule_id, study_uid, series_uid) DO UPDATE SET due_at = greatest(known.due_at, excluded.due_at)
    RETURNING xmax = 0
""")

_DUE = text(f"SELECT due_at FROM routing.quiet WHERE {_THE_ROW} FOR UPDATE")  # noqa: S608

_DONE = text(f"DELETE FROM routing.quiet WHERE {_THE_ROW}")  # noqa: S608
