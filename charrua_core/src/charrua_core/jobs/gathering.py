"""Objects that wait for the same thing to be done, gathered into jobs: while one job runs, the next takes what comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.jobs.queue import Jobs

OBJECTS_IN_JOB = 200
TOGETHER_S = 10.0
"""What is put off waits for the next full moment of so many seconds: what was put off to about the same time goes together."""


async def gather(
    jobs: Jobs,
    tx: AsyncConnection,
    kind: str,
    item: Sequence[Any],
    payload: Mapping[str, Any],
    *,
    lane: str,
    priority: int = 0,
    delay_s: float = 0.0,
    again: bool = False,
) -> None:
    """Put an item among the `objects` of the lane's newest job that waits for its first try, else into one of its own.

    `payload` is what a new job has beside its objects; its `options` are those of all of them. `again` says that this may
    have been asked before: what is in a job already, waiting or among what it has `sent`, is not put into another one. A
    delay puts it among what waits for the same moment, `TOGETHER_S` later at most.
    """
    about = {"kind": kind, "lane": lane, "this": orjson.dumps([item]).decode()}
    if again and await tx.scalar(_KNOWN, about):
        return
    run_at = _moment(jobs.clock.now(), delay_s)
    options = orjson.dumps(payload.get("options", {})).decode()
    since = run_at if delay_s else datetime.fromtimestamp(0, UTC)
    gathers = {"options": options, "priority": priority, "since": since, "until": run_at, "most": OBJECTS_IN_JOB}
    if (await tx.execute(_GATHER, {**about, **gathers})).rowcount:
        return
    await jobs.enqueue(kind, {**payload, "objects": [item]}, lane=lane, priority=priority, run_at=run_at, tx=tx)


def _moment(now: datetime, delay_s: float) -> datetime:
    if not delay_s:
        return now
    return datetime.fromtimestamp(ceil((now.timestamp() + delay_s) / TOGETHER_S) * TOGETHER_S, UTC)


_KNOWN = text("""
    SELECT EXISTS (SELECT FROM core.job WHERE kind = :kind AND lane = :lane
        AND (payload -> 'objects' @> CAST(:this AS jsonb) OR payload -> 'sent' @> CAST(:this AS jsonb)))
""")
# The newest job that waits for its first try; one that a worker is just taking is left alone.
_GATHER = text("""
    UPDATE core.job SET payload = jsonb_set(payload, '{objects}', (payload -> 'objects') || CAST(:this AS jsonb))
    WHERE id = (
        SELECT id FROM core.job
        WHERE kind = :kind AND lane = :lane AND state = 'due' AND attempts = 0 AND run_at BETWEEN :since AND :until
            AND priority = :priority AND coalesce(payload -> 'options', '{}') = CAST(:options AS jsonb)
            AND payload ? 'objects' AND jsonb_array_length(payload -> 'objects') < :most
        ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED
    )
""")
