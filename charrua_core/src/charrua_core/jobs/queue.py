"""The queue of jobs: adding to it, looking at it, and having a say in it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import changes, tables
from charrua_core.db import Database, notify
from charrua_core.jobs.kinds import CLOCK, Clock, Job, JobType, Lane, NewJob, State

CHANNEL = "charrua_job"
SETTLED_POLL_S = 0.05


class Jobs:
    """The archive's jobs."""

    def __init__(self, db: Database, clock: Clock = CLOCK) -> None:
        self._db = db
        self.clock = clock

    async def enqueue(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        lane: str = "",
        run_at: datetime | None = None,
        dedup_key: str | None = None,
        priority: int = 0,
        tx: AsyncConnection | None = None,
    ) -> int | None:
        """Add a job, in the transaction given or in one of its own, and give its number.

        Jobs of one lane (by default one for the kind) run one after another, higher priorities first. None says that a job
        of this kind with the same `dedup_key` is already waiting or running.
        """
        if tx is None:
            async with self._db.transaction() as own:
                return await self.enqueue(
                    kind, payload, lane=lane, run_at=run_at, dedup_key=dedup_key, priority=priority, tx=own
                )
        row = {"kind": kind, "payload": payload, "lane": lane or kind, "dedup_key": dedup_key, "priority": priority}
        added = await tx.execute(_ADD.values(**row, run_at=run_at or self.clock.now(), created_at=self.clock.now()))
        notify(tx, CHANNEL)
        number: int | None = added.scalar()
        return number

    async def enqueue_all(self, kind: str, several: Sequence[NewJob], tx: AsyncConnection) -> dict[str, int]:
        """Add jobs of a kind in this order, by one statement in the transaction; give their numbers by `dedup_key`.

        Those of which the same is waiting or running are left out.
        """
        given = orjson.dumps([asdict(one) for one in several]).decode()
        added = await tx.execute(_ADD_ALL, {"kind": kind, "several": given, "now": self.clock.now()})
        notify(tx, CHANNEL)
        return {row.dedup_key: row.id for row in added}

    async def run(self, kinds: Sequence[JobType]) -> None:
        """Do due jobs of these kinds, until cancelled."""
        from charrua_core.jobs.worker import Worker

        await Worker(self._db, kinds, clock=self.clock).run()

    async def lanes(self, kind: str) -> list[Lane]:
        """Count those of a kind that are not done, by their lanes."""
        async with self._db.driver(reading=True) as connection:
            return [Lane(**row) for row in await connection.fetch(_LANES, kind)]

    async def list(
        self,
        *,
        state: State | None = None,
        kind: str | None = None,
        lane: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Give jobs, newest first; `before` is the number of the last one of the page before."""
        async with self._db.driver(reading=True) as connection:
            rows = await connection.fetch(_LIST, state, kind, lane, before, limit)
        return [_job(row) for row in rows]

    async def some(self, numbers: Collection[int]) -> Sequence[Job]:
        """Give the jobs of these numbers that there still are."""
        async with self._db.driver(reading=True) as connection:
            rows = await connection.fetch(_SOME, list(numbers))
        return [_job(row) for row in rows]

    async def counts(self) -> dict[tuple[str, State], int]:
        """Count the jobs by kind and state."""
        async with self._db.driver(reading=True) as connection:
            return {(kind, state): number for kind, state, number in await connection.fetch(_COUNTS)}

    async def unfinished(self) -> dict[tuple[str, State], int]:
        """Count those that are not done, which takes no look at the many that are."""
        async with self._db.driver(reading=True) as connection:
            return {(kind, state): number for kind, state, number in await connection.fetch(_UNFINISHED)}

    async def resend(self, number: int) -> bool:
        """Have a job done now, with its whole schedule of tries before it again; false where it runs or waits twice."""
        try:
            async with self._db.driver() as connection:
                found = await connection.fetchval(_RESEND, number, self.clock.now())
        except asyncpg.UniqueViolationError:
            return False  # the same is waiting already
        self._db.announce(CHANNEL)
        return found is not None

    async def remove(self, number: int) -> bool:
        """Take a job out of the queue; false where it runs or is not there."""
        async with self._db.driver() as connection:
            return await connection.fetchval(_REMOVE, number) is not None

    async def due(self) -> bool:
        """Whether a job runs, or is to run by now."""
        async with self._db.driver(reading=True) as connection:
            return bool(await connection.fetchval(_DUE, self.clock.now()))


def _job(row: Mapping[str, Any]) -> Job:
    return Job(**{**row, "payload": orjson.loads(row["payload"])})


async def settled(db: Database, followers: Collection[str], timeout_s: float, jobs: Jobs | None = None) -> bool:
    """Wait until the followers have been told all changes and no job is due; false after the timeout."""
    jobs = jobs or Jobs(db)
    deadline = asyncio.get_running_loop().time() + timeout_s
    # In this order: telling a change may add a job.
    while await changes.waiting(db, followers) or await jobs.due():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(SETTLED_POLL_S)
    return True


_ADD = (
    insert(tables.job)
    .on_conflict_do_nothing(index_elements=["kind", "dedup_key"], index_where=text("state IN ('due', 'running')"))
    .returning(tables.job.c.id)
)

_ADD_ALL = text("""
INSERT INTO core.job (kind, payload, lane, dedup_key, run_at, created_at)
SELECT :kind, one.payload, one.lane, one.dedup_key, :now, :now
FROM ROWS FROM (jsonb_to_recordset(CAST(:several AS jsonb)) AS (payload jsonb, lane text, dedup_key text))
    WITH ORDINALITY AS one(payload, lane, dedup_key, place)
ORDER BY one.place
ON CONFLICT (kind, dedup_key) WHERE state IN ('due', 'running') DO NOTHING
RETURNING id, dedup_key
""").bindparams(bindparam("now", type_=DateTime(timezone=True)))

_LIST = """
SELECT id, kind, lane, payload, state, priority, run_at, attempts, crashes, last_error, created_at, finished_at
FROM core.job
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR lane = $3)
    AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5
"""

_SOME = """
SELECT id, kind, lane, payload, state, priority, run_at, attempts, crashes, last_error, created_at, finished_at
FROM core.job WHERE id = ANY($1::bigint[]) ORDER BY id
"""

_COUNTS = "SELECT kind, state, count(*) FROM core.job GROUP BY kind, state ORDER BY kind, state"

# By the partial indexes job_due, job_running and job_dead.
_UNFINISHED = """
SELECT kind, 'due', count(*) FROM core.job WHERE state = 'due' GROUP BY kind
UNION ALL SELECT kind, 'running', count(*) FROM core.job WHERE state = 'running' GROUP BY kind
UNION ALL SELECT kind, 'dead', count(*) FROM core.job WHERE state = 'dead' GROUP BY kind
"""

# By the same indexes.
_LANES = """
SELECT lane, count(*) FILTER (WHERE state = 'due' AND attempts = 0) AS waiting,
    count(*) FILTER (WHERE state = 'due' AND attempts > 0) AS trying, count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state = 'dead') AS dead, min(run_at) FILTER (WHERE state = 'due') AS next_at
FROM (SELECT lane, state, attempts, run_at FROM core.job WHERE state = 'due' AND kind = $1
    UNION ALL SELECT lane, state, attempts, run_at FROM core.job WHERE state = 'running' AND kind = $1
    UNION ALL SELECT lane, state, attempts, run_at FROM core.job WHERE state = 'dead' AND kind = $1) AS unfinished
GROUP BY lane ORDER BY lane
"""

_RESEND = """
UPDATE core.job SET state = 'due', run_at = $2, attempts = 0, crashes = 0, first_tried_at = NULL,
    finished_at = NULL
WHERE id = $1 AND state <> 'running' RETURNING id
"""

_REMOVE = "DELETE FROM core.job WHERE id = $1 AND state <> 'running' RETURNING id"

_DUE = """
SELECT EXISTS (SELECT FROM core.job WHERE state = 'running')
    OR EXISTS (SELECT FROM core.job WHERE state = 'due' AND run_at <= $1)
"""
