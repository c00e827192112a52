"""What goes on by itself: entries that nobody performs are discontinued, and those whose study came before them completed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, exists, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.edit.record import find
from charrua_core.archive.index.levels import tag_of
from charrua_core.services.service import Background
from charrua_hl7.performed import in_progress
from charrua_hl7.tables import IS_OPEN, entry, entry_study, performed_entry
from charrua_hl7.worklist import trail
from charrua_hl7.worklist.arrivals import ARRIVED, TIMED_OUT, look_for_entries
from charrua_hl7.worklist.correcting import correction_job, is_ours
from charrua_hl7.worklist.entries import OPEN, Status, set_status, step_of, value

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.services import Service
    from charrua_core.types import StudyEdited

EVERY_S = 60.0
BATCH = 500
NOT_BEGUN = (Status.SCHEDULED, Status.ARRIVED, Status.READY)
"""What times out. What was started ends when its modality says so."""
_TIME = tag_of("ScheduledProcedureStepStartTime")


def worklist_services(app: App) -> Sequence[Service]:
    """Give the timer."""
    return [Background("worklist", "jobs", partial(_keep, app))]


def worklist_jobs(app: App) -> Sequence[JobType]:
    """Give the job that corrects a study that has arrived."""
    return [correction_job(app)]


async def _keep(app: App) -> None:
    while True:
        async with app.db.singleton("charrua worklist") as alone:
            if alone:
                await discontinue_what_is_late(app)
                await complete_what_came_first(app)
                await complete_what_is_silent(app)
        await asyncio.sleep(EVERY_S)


async def discontinue_what_is_late(app: App) -> int:
    """Discontinue what nobody has begun `worklist_timeout` after its scheduled start; give how many entries."""
    timeout: timedelta = app.settings["worklist_timeout"]
    if not timeout:
        return 0
    before, changed, place = app.jobs.clock.now() - timeout, 0, ("", 0)
    while True:
        async with app.db.transaction() as tx:
            rows = await _candidates(tx, before, place)
            changed += await _discontinue(app, tx, [row.id for row in rows if _counts_from(row) <= before])
        if len(rows) < BATCH:
            return changed
        place = (rows[-1].start_moment, rows[-1].id)


async def _candidates(tx: AsyncConnection, before: datetime, after: tuple[str, int]) -> Sequence[Any]:
    """Those that may be late: by the index of what is open, of which little is old.

    What a message is changing at this moment is looked at the next time: two that wait for each other would both fail.
    """
    here = f"{before.astimezone():%Y%m%d%H%M%S}"
    place = (entry.c.start_moment, entry.c.id)
    is_open: Any = text(IS_OPEN)
    waiting = (is_open, entry.c.status.in_(NOT_BEGUN), entry.c.start_moment <= here, tuple_(*place) > after)
    columns = (entry.c.id, entry.c.start_moment, entry.c.created_at, entry.c.reopened_at, entry.c.attributes)
    found = select(*columns).where(*waiting).order_by(*place).limit(BATCH)
    return (await tx.execute(found.with_for_update(skip_locked=True))).all()


def _counts_from(row: Any) -> datetime:
    """From when its time runs: its start, in the local time of the archive, or when somebody had it begin again.

    One with a day and no time runs from the end of that day, one without a day from when it was made.
    """
    start = _start(row) or row.created_at
    return max(start, row.reopened_at) if row.reopened_at else start


def _start(row: Any) -> datetime | None:
    try:
        start = datetime.strptime(row.start_moment, "%Y%m%d%H%M%S").astimezone()
    except ValueError:
        return None
    return start if value(step_of(row.attributes), _TIME) else start + timedelta(days=1)


async def _discontinue(app: App, tx: AsyncConnection, numbers: Sequence[int]) -> int:
    changed = await set_status(app, tx, numbers, Status.DISCONTINUED, TIMED_OUT, of=NOT_BEGUN) if numbers else []
    for one in changed:
        await trail.record(tx, trail.ITSELF, "D", one, status=str(one.status))
    return len(changed)


async def complete_what_came_first(app: App) -> None:
    """Complete open entries whose study was here before them."""
    await _complete(app, await _came_first(app))


async def complete_what_was_moved(app: App, edited: StudyEdited) -> None:
    """Complete open entries under whose UID an edit has brought images; an assignment to an entry does so itself."""
    found = await _came_first(app, tables.study.c.study_uid.in_(edited.study_uids))
    if found and not await _is_ours(app, edited.edit):
        await _complete(app, found)


async def _came_first(app: App, *where: ColumnElement[bool]) -> Sequence[Any]:
    async with app.db.reading() as connection:
        return (await connection.execute(_CAME_FIRST.where(*where))).all()


async def _is_ours(app: App, edit: str) -> bool:
    async with app.db.reading() as connection:
        record = await find(connection, edit)
    return record is not None and is_ours(record.reason)


async def _complete(app: App, found: Sequence[Any]) -> None:
    for uid, modality in _each_modality(found):
        await look_for_entries(app, uid, modality)


def _each_modality(found: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for row in found:
        yield from ((row.study_uid, modality) for modality in row.modalities or [""])


async def complete_what_is_silent(app: App) -> int:
    """Complete entries whose study is here, and of which the modality that began them says nothing more (MPPS)."""
    async with app.db.transaction() as tx:
        numbers = (await tx.scalars(_BEGUN_AND_HERE)).all()
        over = set(numbers) - await in_progress(tx, numbers)
        changed = await set_status(app, tx, sorted(over), Status.COMPLETED, ARRIVED) if over else []
        for one in changed:
            await trail.record(tx, trail.ITSELF, "U", one, status=str(one.status))
    return len(changed)


_BEGUN_AND_HERE = (
    select(entry.c.id)
    .where(
        entry.c.status == Status.STARTED,
        entry.c.arrived_study_uid != "",
        exists().where(performed_entry.c.entry_id == entry.c.id),
    )
    .limit(BATCH)
)
_CAME_FIRST = (
    select(tables.study.c.study_uid, tables.study.c.modalities)
    .join(entry, entry.c.study_uid == tables.study.c.study_uid)
    .where(
        entry.c.status.in_(sorted(OPEN)),
        entry.c.study_uid != "",
        tables.study.c.deleted_by.is_(None),
        tables.study.c.instance_count > 0,
        ~exists().where(entry_study.c.entry_id == entry.c.id, entry_study.c.study_uid == tables.study.c.study_uid),
    )
    .distinct()
    .limit(BATCH)
)
