"""Objects that wait for the same thing to be done, gathered into jobs: while one job runs, the next takes what comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.jobs.queue import Jobs

OBJECTS_IN_JOB = 200


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

    `payload` is what a new job has beside its objects. `again` says that this may have been asked before: what is in a job
    already, waiting or among what it has `sent`, is not put into another one. A delay makes a job of the item's own.
    """
    about = {"kind": kind, "lane": lane, "this": orjson.dumps([item]).decode()}
    if again and await tx.scalar(_KNOWN, about):
        return
    gathers = {**about, "priority": priority, "most": OBJECTS_IN_JOB}
    if not delay_s and (await tx.execute(_GATHER, gathers)).rowcount:
        return
    run_at = jobs.clock.now() + timedelta(seconds=delay_s)
    await jobs.enqueue(kind, {**payload, "objects": [item]}, lane=lane, priority=priority, run_at=run_at, tx=tx)


_KNOWN = text("""
    SELECT EXISTS (SELECT FROM core.job WHERE kind = :kind AND lane = :lane
        AND (payload -> 'objects' @> CAST(:this AS jsonb) OR payload -> 'sent' @> CAST(:this AS jsonb)))
""")
# The newest job that waits for its first try; one that a worker is just taking is left alone.
_GATHER = text("""
    UPDATE core.job SET payload = jsonb_set(payload, '{objects}', (payload -> 'objects') || CAST(:this AS jsonb))
    WHERE id = (
        SELECT id FROM core.job
        WHERE kind = :kind AND lane = :lane AND state = 'due' AND attempts = 0 AND run_at <= now()
            AND priority = :priority AND payload ? 'objects' AND jsonb_array_length(payload -> 'objects') < :most
        ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED
    )
""")
