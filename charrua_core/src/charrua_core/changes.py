"""The change feed: what has happened in the archive, told at least once to each follower in the order of commit.

A change is written in the transaction of the fact. Numbers alone do not give that order: a transaction that took a lower
number may commit later. So followers read by (transaction, number), and only what is older than every transaction still
running; nothing can come to lie behind their cursor (DESIGN §8).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import faults, tables
from charrua_core.db import Database, connection_lost, lock_key, notify

CHANNEL = "charrua_change"
POLL_S = 5.0  # notifications make it faster; this is for those that were missed
SAVE_S = 1.0  # at most so much is told again after a crash
RETRY_S = (1.0, 4.0, 15.0, 60.0, 120.0)  # then the change is set aside
AGAIN = "again"
"""A change that tells one follower once more what was set aside."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened: `kind` is `object` for a stored object, `edited`, `deleted`, `restored` …"""

    xid: int
    seq: int
    kind: str
    payload: dict[str, Any]
    at: datetime
    again: bool = False
    """It was set aside, and somebody asked that it be told once more."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A change that a follower could not take; `seq` is its number, `kind` as of `Change`."""

    follower: str
    seq: int
    kind: str
    payload: dict[str, Any]
    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FollowerState:
    """How far a follower is."""

    name: str
    waiting: int
    """Changes not yet told, counted up to 1,000."""
    behind_s: float
    """Age of the oldest of them in seconds."""
    failures: int
    last_error: str
    set_aside: int


Deliver = Callable[[Change], Awaitable[None]]
Place = tuple[int, int]
"""Where a reader of the feed is: transaction and number of the last change that it has seen."""
MOST_READ = 1_000


async def append(tx: AsyncConnection, kind: str, payload: Any) -> None:
    """Write a change in the transaction of its fact; followers hear of it after the commit."""
    await tx.execute(insert(tables.change).values(kind=kind, payload=payload))
    notify(tx, CHANNEL)


async def append_many(connection: asyncpg.Connection, kind: str, payloads: Sequence[Any]) -> None:
    """Write changes in the transaction that is open on an asyncpg connection.

    The caller calls `db.announce(changes.CHANNEL)` after its commit.
    """
    await connection.execute(
        "INSERT INTO core.change (kind, payload) SELECT $1, payload FROM unnest($2::jsonb[]) AS payload", kind, payloads
    )


async def newest(db: Database) -> Place:
    """Give the place behind which comes what happens from now on."""
    async with db.driver(reading=True) as connection:
        return int(await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")) - 1, 2**62


async def behind(
    db: Database, place: Place, limit: int = MOST_READ, kinds: Collection[str] | None = None
) -> list[Change]:
    """Give the changes behind a place, in the order of commit: for who looks on, and need not be told again.

    Where kinds are named, those of others come without what they tell.
    """
    async with db.driver(reading=True) as connection:
        rows = await connection.fetch(_NEXT, *place, limit, None if kinds is None else list(kinds))
    return [Change(row["xid"], row["seq"], row["kind"], orjson.loads(row["payload"]), row["at"]) for row in rows]


class Follower:
    """Tells every change to one subscriber, from the first one on; of several processes, one at a time does."""

    def __init__(
        self,
        db: Database,
        name: str,
        deliver: Deliver,
        *,
        kinds: Collection[str] = ("object",),
        batch: int = 200,
        retry_after: Sequence[float] = RETRY_S,
        from_now: bool = False,
    ) -> None:
        """Follow under this name; changes of other kinds are passed by, one that fails is set aside after the retries.

        `from_now` has one who follows for the first time begin with what happens from then on.
        """
        self.name = name
        self._db = db
        self._deliver = deliver
        self._kinds = frozenset(kinds)
        self._batch = batch
        self._retry_after = tuple(retry_after)
        self._from_now = from_now
        self._wake = asyncio.Event()
        self._cursor = self._saved = (0, 0)
        self._saved_at = 0.0
        self._failures = 0

    async def run(self) -> None:
        """Follow until cancelled; a database that goes away is waited for."""
        stop_listening = await self._db.listen(CHANNEL, lambda _: self._wake.set())
        try:
            while True:
                self._wake.clear()  # where another process follows, a wake is answered by one look at the lock
                await self._follow_while_held()
                await self._sleep()
        finally:
            stop_listening()

    async def _follow_while_held(self) -> None:
        try:
            async with self._db.singleton(f"follower {self.name}") as held:
                if held:
                    await _renumber_if_moved(self._db)
                    await self._load()
                while held:
                    await self._follow_once()
        except Exception as error:
            if not connection_lost(error):
                raise
            logger.warning("follower %s waits for the database", self.name, extra={"follower": self.name})

    async def _follow_once(self) -> None:
        self._wake.clear()
        changes = await self._next()
        try:
            for change in changes:
                told = _of_before(change, self.name) if change.kind == AGAIN else change
                if told is not None and told.kind in self._kinds:
                    await self._tell(told)
                self._cursor = (change.xid, change.seq)
                if time.monotonic() - self._saved_at > SAVE_S:
                    await self._save()
        finally:
            await self._save()
        if len(changes) < self._batch:
            await self._sleep()

    async def _tell(self, change: Change) -> None:
        while True:
            try:
                faults.passing("event_dispatch")
                await self._deliver(change)
                return
            except Exception as error:
                if connection_lost(error):
                    raise
                if await self._failed(change, error):
                    return

    async def _failed(self, change: Change, error: Exception) -> bool:
        """Wait for the next try, or set the change aside: whether it is done with."""
        fields = {"follower": self.name, "change": change.seq, "kind": change.kind}
        logger.warning("a change could not be told", exc_info=error, extra=fields)
        self._failures += 1
        if self._failures > len(self._retry_after):
            await self._set_aside(change, error)
            return True
        pause_s = self._retry_after[self._failures - 1]
        await self._note(error, pause_s)
        await asyncio.sleep(pause_s)
        return False

    # -- the cursor ------------------------------------------------------------------------------------------------------
    async def _load(self) -> None:
        async with self._db.driver() as connection:
            row = await connection.fetchrow(_LOAD, self.name, self._from_now)
        self._cursor = self._saved = (row["xid"], row["seq"])
        self._failures = row["failures"]
        if row["pause_s"] > 0:
            await asyncio.sleep(min(row["pause_s"], max(self._retry_after, default=0)))

    async def _next(self) -> list[Change]:
        return await behind(self._db, self._cursor, self._batch, [*self._kinds, AGAIN])

    async def _save(self) -> None:
        self._saved_at = time.monotonic()
        if self._cursor != self._saved:
            async with self._db.driver() as connection:
                await connection.execute(_SAVE, self.name, *self._cursor)
            self._saved, self._failures = self._cursor, 0

    async def _note(self, error: Exception, pause_s: float) -> None:
        """Keep what was told so far, and that the next change failed."""
        async with self._db.driver() as connection:
            await connection.execute(_NOTE, self.name, *self._cursor, self._failures, _named(error), pause_s)

    async def _set_aside(self, change: Change, error: Exception) -> None:
        async with self._db.driver() as connection, connection.transaction():
            await connection.execute(_SET_ASIDE, self.name, change.xid, change.seq, _named(error))
            await connection.execute(_SAVE, self.name, change.xid, change.seq)
        self._cursor = self._saved = (change.xid, change.seq)
        self._failures = 0

    async def _sleep(self) -> None:
        with suppress(TimeoutError):
            # Not `wait_for`: in Python 3.11 it forgets that it was cancelled when what it waits for comes at that moment.
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()


async def follower_states(db: Database) -> list[FollowerState]:
    """Say of each follower there ever was how far it is."""
    async with db.driver(reading=True) as connection:
        return [FollowerState(**row) for row in await connection.fetch(_STATES)]


async def set_aside(db: Database, limit: int = 100) -> list[SetAside]:
    """Give what was set aside, the newest first."""
    async with db.driver(reading=True) as connection:
        rows = await connection.fetch(_ALL_SET_ASIDE, AGAIN, limit)
    return [SetAside(**{**row, "payload": orjson.loads(row["payload"])}) for row in rows]


async def tell_again(db: Database, follower: str, seqs: Collection[int] | None = None) -> int:
    """Have a follower be told once more what was set aside for it, all or these numbers; gives how many changes.

    They come behind what waits already, and are set aside again should they fail again.
    """
    async with db.driver() as connection, connection.transaction():
        numbers = None if seqs is None else list(seqs)
        told = await connection.fetch(_TELL_AGAIN, AGAIN, follower, numbers)
    db.announce(CHANNEL)
    return len(told)


def _of_before(change: Change, follower: str) -> Change | None:
    """Give the change as it was before it was set aside, None where another follower is meant."""
    told = change.payload
    if told["follower"] != follower:
        return None
    return Change(change.xid, change.seq, told["kind"], told["payload"], change.at, again=True)


async def waiting(db: Database, followers: Collection[str]) -> bool:
    """Whether a change is not yet told to one of these followers."""
    async with db.driver(reading=True) as connection:
        return bool(await connection.fetchval(_WAITING, list(followers)))


async def _renumber_if_moved(db: Database) -> None:
    """Begin transaction numbers anew after the database was restored into another server.

    That server counts its transactions from a number of its own: new changes would come to lie before the old ones, behind
    all cursors.
    """
    async with db.driver() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key("charrua renumber"))
        if await connection.fetchval(_MOVED):
            logger.warning("the database was moved to another server: the change feed is renumbered")
            await connection.execute(_MOVE_CURSORS)
            await connection.execute("UPDATE core.change SET xid = '0'")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


# The primary key (xid, seq) serves this and all below.
_NEXT = """
SELECT xid, seq, kind, CASE WHEN $4::text[] IS NULL OR kind = ANY($4) THEN payload ELSE '{}' END AS payload, at
FROM core.change WHERE (xid, seq) > ($1::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, seq LIMIT $3
"""

_LOAD = """
INSERT INTO core.follower AS known (name, xid)
VALUES ($1, CASE WHEN $2 THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE '0'::xid8 END)
ON CONFLICT (name) DO UPDATE SET name = known.name
RETURNING xid, seq, failures,
    CASE WHEN failures > 0 THEN extract(epoch FROM next_try_at - now())::float ELSE 0 END AS pause_s
"""

_SAVE = "UPDATE core.follower SET xid = $2::xid8, seq = $3, failures = 0, last_error = '' WHERE name = $1"

_NOTE = """
UPDATE core.follower
SET xid = $2::xid8, seq = $3, failures = $4, last_error = $5, next_try_at = now() + make_interval(secs => $6)
WHERE name = $1
"""

_SET_ASIDE = """
INSERT INTO core.set_aside (follower, change_seq, change_kind, payload, error)
SELECT $1, seq, kind, payload, $4 FROM core.change WHERE xid = $2::xid8 AND seq = $3
ON CONFLICT (follower, change_seq) DO UPDATE SET error = excluded.error, at = now()
"""

_STATES = """
SELECT name, failures, last_error,
    (SELECT count(*) FROM (
        SELECT FROM core.change WHERE (change.xid, change.seq) > (follower.xid, follower.seq) LIMIT 1000
    ) AS untold) AS waiting,
    coalesce((
        SELECT extract(epoch FROM now() - at)::float FROM core.change
        WHERE (change.xid, change.seq) > (follower.xid, follower.seq) ORDER BY xid, seq LIMIT 1
    ), 0) AS behind_s,
    (SELECT count(*) FROM core.set_aside WHERE set_aside.follower = follower.name) AS set_aside
FROM core.follower ORDER BY name
"""

_ALL_SET_ASIDE = """
SELECT follower, change_seq AS seq, error, at,
    CASE change_kind WHEN $1 THEN payload ->> 'kind' ELSE change_kind END AS kind,
    CASE change_kind WHEN $1 THEN payload -> 'payload' ELSE payload END AS payload
FROM core.set_aside ORDER BY at DESC, follower, change_seq DESC LIMIT $2
"""

# What was set aside a second time has been wrapped already.
_TELL_AGAIN = """
WITH taken AS (
    DELETE FROM core.set_aside WHERE follower = $2 AND ($3::bigint[] IS NULL OR change_seq = ANY($3::bigint[]))
    RETURNING follower, change_seq, change_kind, payload
)
INSERT INTO core.change (kind, payload)
SELECT $1, CASE change_kind WHEN $1 THEN payload
    ELSE jsonb_build_object('follower', follower, 'kind', change_kind, 'payload', payload) END
FROM taken ORDER BY change_seq
RETURNING seq
"""

_WAITING = """
SELECT EXISTS (
    SELECT FROM unnest($1::text[]) AS one(name) LEFT JOIN core.follower USING (name)
    WHERE EXISTS (
        SELECT FROM core.change
        WHERE (change.xid, change.seq) > (coalesce(follower.xid, '0'), coalesce(follower.seq, 0))
    )
)
"""

_MOVED = """
SELECT coalesce(
    (SELECT xid FROM core.change ORDER BY xid DESC LIMIT 1) >= pg_snapshot_xmax(pg_current_snapshot()), false
)
"""

_MOVE_CURSORS = """
UPDATE core.follower SET xid = '0', seq = coalesce(
    (SELECT min(seq) - 1 FROM core.change WHERE (change.xid, change.seq) > (follower.xid, follower.seq)),
    (SELECT max(seq) FROM core.change),
    0
)
"""
