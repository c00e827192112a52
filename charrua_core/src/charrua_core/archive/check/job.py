"""A check of the archive as a job: asked for on a page, left alone or stopped, its result kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, insert

from charrua_core import audit
from charrua_core.archive.check.check import Check, check
from charrua_core.errors import EditInvalid
from charrua_core.jobs import GiveUp, JobType
from charrua_core.tables import archive_check
from charrua_core.types import Origin

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "check"
TOLD_EVERY_S = 1.0
SILENT = timedelta(minutes=2)
MOST_FINDINGS = 200
KEPT = 20


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of the archive, running or done: how far it is, and the first of what it has found."""

    id: int
    asked_by: str
    quick: bool
    began_at: datetime
    told_at: datetime
    ended_at: datetime | None
    outcome: str
    """`waiting`, `running`, `done`, `stopped` or `failed`."""
    objects: int
    files: int
    size_bytes: int
    found: int
    findings: list[dict[str, Any]]

    @property
    def under_way(self) -> bool:
        """Whether it has not ended, and somebody has told of it of late."""
        return self.ended_at is None and datetime.now(UTC) - self.told_at < SILENT


class _Stopped(Exception):
    """Somebody asked that the check end."""


def check_job(app: App) -> JobType:
    """Give the kind of jobs that checks the archive; one that its process did not live to end begins anew."""

    async def run(payload: dict[str, Any]) -> None:
        await _run(app, payload["number"])

    return JobType(KIND, run, retry_after=())


async def ask(app: App, *, quick: bool, by: str, origin: Origin) -> int:
    """Have the archive checked; gives the number of the check. EditInvalid where one is under way."""
    async with app.db.transaction() as tx:
        row = insert(archive_check).values(asked_by=by, quick=quick, outcome="waiting").returning(archive_check.c.id)
        number = int((await tx.execute(row)).scalar_one())
        if await app.jobs.enqueue(KIND, {"number": number}, dedup_key=KIND, tx=tx) is None:
            raise EditInvalid("a check is under way: let it end, or stop it")
        await tx.execute(delete(archive_check).where(archive_check.c.id <= number - KEPT))
        await audit.record(tx, audit.Event.APPLICATION_ACTIVITY, "E", by, origin, type="check", quick=quick)
    return number


async def stop(app: App) -> bool:
    """Ask the check that is under way to end; false where there is none."""
    async with app.db.driver() as connection:
        return await connection.fetchval(_STOP) is not None


async def latest(app: App) -> Checked | None:
    """Give the last check, None where there was none."""
    async with app.db.driver(reading=True) as connection:
        row = await connection.fetchrow(_LATEST)
    return Checked(**{**row, "findings": orjson.loads(row["findings"])}) if row else None


async def _run(app: App, number: int) -> None:
    async with app.db.driver() as connection:
        quick = await connection.fetchval(_START, number)
    if quick is None:
        raise GiveUp("the check is forgotten, or has ended")
    progress = _Progress(app, number)
    work = asyncio.create_task(check(app, quick=quick, progress=progress.take), name="check")
    watch = asyncio.create_task(progress.tell_until_stopped(), name="progress of the check")
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        outcome = "stopped" if watch.done() else "failed" if work.exception() else "done"
        await _end(app, number, outcome, work.result() if outcome == "done" else progress.last)
        if outcome == "failed":
            work.result()
    finally:
        for task in (work, watch):
            task.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


class _Progress:
    def __init__(self, app: App, number: int) -> None:
        self.last = Check()
        self._app = app
        self._number = number
        self._told_at = time.monotonic()

    def take(self, so_far: Check) -> None:
        self.last = so_far

    async def tell_until_stopped(self) -> None:
        """Write how far it is, again and again; returns when somebody wants it to end."""
        stopped = False
        while not stopped:
            await asyncio.sleep(TOLD_EVERY_S)
            last = self.last
            async with self._app.db.driver() as connection:
                stopped = await connection.fetchval(_TELL, self._number, last.objects, last.files, last.size_bytes)


async def _end(app: App, number: int, outcome: str, done: Check) -> None:
    findings = [_shown(app, asdict(one)) for one in done.findings[:MOST_FINDINGS]]
    counts = (done.objects, done.files, done.size_bytes, len(done.findings))
    async with app.db.driver() as connection:
        await connection.execute(_END, number, outcome, *counts, findings)


def _shown(app: App, finding: Mapping[str, Any]) -> dict[str, Any]:
    return {**finding, "volume": str(app.volumes.by_id(finding["volume_id"]).root)}


_STOP = "UPDATE core.archive_check SET stop = true WHERE ended_at IS NULL RETURNING id"

_LATEST = """
SELECT id, asked_by, quick, began_at, told_at, ended_at, outcome, objects, files, size_bytes, found, findings
FROM core.archive_check ORDER BY id DESC LIMIT 1
"""

_START = "UPDATE core.archive_check SET outcome = 'running' WHERE id = $1 AND ended_at IS NULL RETURNING quick"

_TELL = """
UPDATE core.archive_check SET objects = $2, files = $3, size_bytes = $4, told_at = now() WHERE id = $1 RETURNING stop
"""

_END = """
UPDATE core.archive_check
SET outcome = $2, objects = $3, files = $4, size_bytes = $5, found = $6, findings = $7, ended_at = now() WHERE id = $1
"""
