"""A worker takes due jobs, does them, and notes how it went; any number of workers share the queue.

A job that is taken is leased: its worker renews the lease while it lives. Others judge a lease by how long it stayed as it
was on their own monotonic clock, so that no jump of a wall clock has a job done twice.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import orjson

from charrua_core import metrics
from charrua_core.db import Database, connection_lost, lock_key
from charrua_core.errors import DatabaseUnavailable
from charrua_core.jobs.kinds import CLOCK, Clock, GiveUp, JobType, PutOff
from charrua_core.jobs.queue import CHANNEL

GIVE_BACK_S = 2.0  # a worker that stops does not wait for a database that hangs
POLL_S = 5.0  # notifications make it faster
LEASE_S = 15.0
HEARTBEAT_S = 5.0
PAUSE_S = 1.0  # while the database is away
CRASHES = 5  # a job over which so many workers died is dead
KEEP_DONE = timedelta(days=7)

_ENDED = metrics.counter(
    "charrua_job_attempts_total",
    "Attempts at jobs that have ended; `failed` is tried again, `given up` is not, `cut off` is due again at once, and "
    "`put off` was none.",
    kind=metrics.Bound.JOBS,
    outcome=("done", "failed", "given up", "cut off", "put off"),
)
_SECONDS = metrics.histogram(
    "charrua_job_seconds", "How long an attempt at a job took.", (*metrics.SECONDS, 600.0), kind=metrics.Bound.JOBS
)

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Taken:
    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    first_tried_at: datetime


class Worker:
    """Does the jobs of the kinds that it is given, several beside one another."""

    def __init__(
        self,
        db: Database,
        kinds: Sequence[JobType],
        *,
        slots: int = 16,
        clock: Clock = CLOCK,
        on_dead: Callable[[str, Exception], None] = lambda _kind, _error: None,
    ) -> None:
        """Prepare to do up to `slots` jobs at the same time; jobs of other kinds are left to other workers.

        `on_dead` is told of each job that is given up.
        """
        self._db = db
        self._kinds = {kind.kind: kind for kind in kinds}
        self._slots = slots
        self._clock = clock
        self._on_dead = on_dead
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: dict[int, asyncio.Task[None]] = {}
        self._leases: dict[int, tuple[object, float]] = {}
        self._renewed = 0.0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; jobs that are cut off are due again at once."""
        stop_listening = await self._db.listen(CHANNEL, lambda _: self._wake.set())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat(), name="job leases")
                tasks.create_task(self._take_for_ever(), name="job queue")
        finally:
            stop_listening()
            await self._stop()

    async def _take_for_ever(self) -> None:
        while True:
            self._wake.clear()
            if not await self._patiently(self._take):
                with suppress(TimeoutError):
                    # Not `wait_for`: in Python 3.11 it forgets that it was cancelled when a wake comes at that moment.
                    async with asyncio.timeout(POLL_S):
                        await self._wake.wait()

    # -- taking ----------------------------------------------------------------------------------------------------------
    async def _take(self) -> bool:
        """Take what is due and for which there is room; whether there was any."""
        free = self._slots - len(self._running)
        if free <= 0 or not self._kinds:
            return False
        kinds = self._kinds.values()
        concurrency, most = [kind.lane_concurrency for kind in kinds], [kind.most() for kind in kinds]
        lanes = {lane: number for kind in kinds for lane, number in kind.lanes().items()}
        rooms = (concurrency, most, list(lanes), list(lanes.values()))
        in_order = [name for name, kind in self._kinds.items() if kind.in_order]
        async with self._db.driver() as connection, connection.transaction():
            # One at a time: two who count a lane's running jobs at the same moment would both find room.
            await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key("charrua jobs"))
            rows = await connection.fetch(
                _TAKE, self._clock.now(), list(self._kinds), *rooms, free, self._name, LEASE_S, in_order
            )
        for row in rows:
            self._begin(_Taken(**{**row, "payload": orjson.loads(row["payload"])}))
        return bool(rows)

    def _begin(self, job: _Taken) -> None:
        task = asyncio.create_task(self._do(job), name=f"job {job.id} {job.kind}")
        self._running[job.id] = task
        self._renewed = self._renewed if len(self._running) > 1 else self._clock.monotonic()
        task.add_done_callback(lambda _: self._ended(job.id))

    def _ended(self, number: int) -> None:
        self._running.pop(number, None)
        self._wake.set()

    # -- doing -----------------------------------------------------------------------------------------------------------
    async def _do(self, job: _Taken) -> None:
        kind = self._kinds[job.kind]
        try:
            with _SECONDS.labels(job.kind).time():
                async with asyncio.timeout(kind.timeout_s):
                    await kind.run(job.payload)
        except asyncio.CancelledError:
            _ENDED.labels(job.kind, "cut off").inc()
            with suppress(DatabaseUnavailable):  # then its lease runs out
                await asyncio.shield(self._note(_GIVE_BACK, job.id))
            raise
        except PutOff as later:
            _ENDED.labels(job.kind, "put off").inc()
            await self._patiently(partial(self._note, _PUT_OFF, job.id, later.until, str(later)[:500]))
        except Exception as error:
            is_last = job.attempts >= len(kind.retry_after) and not kind.for_ever
            is_dead = isinstance(error, GiveUp) or is_last
            _ENDED.labels(job.kind, "given up" if is_dead else "failed").inc()
            await self._patiently(partial(self._failed, job, kind, error, is_dead=is_dead))
        else:
            _ENDED.labels(job.kind, "done").inc()
            await self._patiently(partial(self._note, _DONE, job.id, self._clock.now()))

    async def _failed(self, job: _Taken, kind: JobType, error: Exception, *, is_dead: bool) -> None:
        fields = {"action": "job failed", "job": job.id, "kind": job.kind, "attempt": job.attempts + 1}
        logger.warning("a job failed", exc_info=error, extra=fields)
        said = f"{type(error).__name__}: {error}"[:500]
        if is_dead:
            await self._note(_DEAD, job.id, self._clock.now(), said)
            self._on_dead(job.kind, error)
        else:
            await self._note(_AGAIN, job.id, self._next_try(job, kind), said)

    def _next_try(self, job: _Taken, kind: JobType) -> datetime:
        now, pauses = self._clock.now(), kind.retry_after
        if not kind.from_first_try:
            return now + timedelta(seconds=pauses[min(job.attempts, len(pauses) - 1)])
        again = max(0, job.attempts + 1 - len(pauses)) * pauses[-1]
        return max(now, job.first_tried_at + timedelta(seconds=sum(pauses[: job.attempts + 1]) + again))

    async def _note(self, statement: str, *values: Any) -> None:
        async with self._db.driver() as connection:
            await connection.execute(statement, self._name, *values)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, waiting while the database is away."""
        while True:
            try:
                return await work()
            except Exception as error:
                if not connection_lost(error):
                    raise
                logger.warning("the jobs wait for the database")
                await asyncio.sleep(PAUSE_S)

    # -- leases ----------------------------------------------------------------------------------------------------------
    async def _beat(self) -> None:
        while True:
            try:
                await self._renew()
                await self._look_after_others()
            except Exception as error:
                if not connection_lost(error):
                    raise
                self._drop_if_lapsed()
            await asyncio.sleep(HEARTBEAT_S)

    async def _renew(self) -> None:
        async with self._db.driver() as connection:
            await connection.execute(_RENEW, self._name, self._clock.now() + timedelta(seconds=LEASE_S))
            await connection.execute(_FORGET, self._clock.now() - KEEP_DONE)
        self._renewed = self._clock.monotonic()

    def _drop_if_lapsed(self) -> None:
        """Stop doing what another worker may by now have taken for lost."""
        if self._clock.monotonic() - self._renewed > LEASE_S - HEARTBEAT_S:
            for task in self._running.values():
                task.cancel()

    async def _look_after_others(self) -> None:
        """Free the jobs of workers that no longer renew their leases."""
        now = self._clock.monotonic()
        async with self._db.driver() as connection:
            rows = await connection.fetch(_LEASES, self._name)
            leases = {row["id"]: row["lease_until"] for row in rows}
            self._leases = {
                number: self._leases[number] if self._leases.get(number, (None, 0.0))[0] == lease else (lease, now)
                for number, lease in leases.items()
            }
            lapsed = [number for number, (_, since) in self._leases.items() if now - since > LEASE_S]
            if lapsed:
                logger.warning("jobs of a dead worker are due again", extra={"jobs": lapsed})
                await connection.execute(
                    _FREE, lapsed, [leases[number] for number in lapsed], self._clock.now(), CRASHES
                )
                self._wake.set()

    async def _stop(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What was taken, or was about to be noted, at the very moment: nobody should wait until its lease runs out.
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_S):
                await self._note(_GIVE_ALL_BACK)


# Walks over the lanes by index job_due, then takes from each what its concurrency leaves free.
# A row that somebody puts one more object into is waited for: passed over, it would lie until the next poll.
# OFFSET 0 has the first of a lane looked for in that lane: the plan would otherwise walk over all that was ever done.
_TAKE = """
WITH RECURSIVE lane(name) AS (
    (SELECT lane FROM core.job WHERE state = 'due' ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT lane FROM core.job WHERE state = 'due' AND lane > lane.name ORDER BY lane LIMIT 1)
    FROM lane WHERE lane.name IS NOT NULL
), kind AS (
    SELECT kind.*, (SELECT count(*) FROM core.job WHERE state = 'running' AND job.kind = kind.name) AS running
    FROM unnest($2::text[], $3::int[], $4::int[]) AS kind(name, concurrency, most)
), candidate AS (
    SELECT job.id, job.priority, job.run_at, kind.most - kind.running AS left_of_kind,
        row_number() OVER (PARTITION BY job.kind ORDER BY job.priority DESC, job.run_at, job.id) AS place_in_kind
    FROM lane
    LEFT JOIN unnest($5::text[], $6::int[]) AS own(lane, concurrency) ON own.lane = lane.name
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM core.job WHERE state = 'running' AND job.lane = lane.name) AS running
    CROSS JOIN LATERAL (
        SELECT job.*, row_number() OVER (ORDER BY priority DESC, run_at, id) AS place
        FROM (
            SELECT id, kind, priority, run_at FROM core.job
            WHERE state = 'due' AND job.lane = lane.name AND run_at <= $1 AND kind = ANY ($2)
                AND (kind <> ALL ($10) OR id = (
                    SELECT min(id) FROM (
                        SELECT line.id FROM core.job AS line WHERE line.state = 'due' AND line.lane = lane.name OFFSET 0
                    ) AS first
                ))
            ORDER BY priority DESC, run_at, id LIMIT $7
        ) AS job
    ) AS job
    JOIN kind ON kind.name = job.kind
    WHERE job.place + running.n <= coalesce(own.concurrency, kind.concurrency)
), room AS (
    SELECT id FROM candidate WHERE left_of_kind IS NULL OR place_in_kind <= left_of_kind
    ORDER BY priority DESC, run_at, id LIMIT $7
)
UPDATE core.job SET state = 'running', leased_by = $8, lease_until = $1 + make_interval(secs => $9),
    first_tried_at = coalesce(first_tried_at, $1)
FROM (SELECT id FROM core.job WHERE id IN (SELECT id FROM room) AND state = 'due' FOR UPDATE) AS free
WHERE job.id = free.id
RETURNING job.id, job.kind, job.payload, job.attempts, job.first_tried_at
"""

_DONE = """
UPDATE core.job SET state = 'done', finished_at = $3, last_error = '' WHERE id = $2 AND leased_by = $1 AND state = 'running'
"""

_DEAD = """
UPDATE core.job SET state = 'dead', finished_at = $3, last_error = $4, attempts = attempts + 1
WHERE id = $2 AND leased_by = $1 AND state = 'running'
"""

_AGAIN = """
UPDATE core.job SET state = 'due', run_at = $3, last_error = $4, attempts = least(attempts + 1, 32767)
WHERE id = $2 AND leased_by = $1 AND state = 'running'
"""

_PUT_OFF = """
UPDATE core.job SET state = 'due', run_at = $3, last_error = $4,
    first_tried_at = CASE WHEN attempts > 0 THEN first_tried_at END
WHERE id = $2 AND leased_by = $1 AND state = 'running'
"""

_GIVE_BACK = "UPDATE core.job SET state = 'due' WHERE id = $2 AND leased_by = $1 AND state = 'running'"

_GIVE_ALL_BACK = "UPDATE core.job SET state = 'due' WHERE leased_by = $1 AND state = 'running'"

_RENEW = "UPDATE core.job SET lease_until = $2 WHERE state = 'running' AND leased_by = $1"

_LEASES = "SELECT id, lease_until FROM core.job WHERE state = 'running' AND leased_by <> $1"

_FREE = """
UPDATE core.job
SET state = CASE WHEN crashes + 1 >= $4 THEN 'dead' ELSE 'due' END, crashes = crashes + 1, run_at = $3::timestamptz,
    finished_at = CASE WHEN crashes + 1 >= $4 THEN $3 END, last_error = 'its worker died'
FROM unnest($1::bigint[], $2::timestamptz[]) AS lapsed(number, lease)
WHERE job.id = lapsed.number AND job.lease_until = lapsed.lease AND state = 'running'
"""

_FORGET = "DELETE FROM core.job WHERE state = 'done' AND finished_at < $1"
