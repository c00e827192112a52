"""What went wrong with the world outside: associations and objects refused, sendings and log-ins that failed.

Where something is refused, `Troubles.note` takes what an administrator needs to mend it. What is alike is one row with a
count, so that a device that tries every minute fills neither table nor page. Nothing here holds patient data, and nobody
waits for it: it is written in batches, by a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from charrua_core.db import Database

log = logging.getLogger(__name__)

KINDS: Mapping[str, str] = {
    "called_aet": "an association called an AE title that is not this archive's",
    "calling_aet": "an AE that is not known, where only known ones may open an association",
    "borrowed_aet": "a known AE title came from another address, or without its certificate",
    "not_admitted": "an association was rejected for another reason",
    "no_room": "an association was rejected because there are too many",
    "tls": "a TLS handshake of the DICOM listener failed",
    "protocol": "a peer broke the protocol, and its association was aborted",
    "contexts": "a peer asked for services, or transfer syntaxes, that are not offered here",
    "operation": "an operation of a peer was refused or failed: an object, a query, a retrieval",
    "sending": "objects could not be sent to a destination",
    "job": "a job was given up",
    "log_in": "a log-in was refused",
    "connection": "a connection to another listener than DICOM's was refused or cut: its sender, their number, its protocol",
    "message": "a message of another system was refused or failed",
    "receiver": "another system has not taken what it is sent for long",
    "order": "a study came with the number of an order, and is another patient's",
}
WRITE_AFTER_S = 1.0
MOST_WAITING = 500
"""Different troubles between two writings; past that, those of one kind count as one."""
MOST_KEPT = 2000
"""Rows of the table; the oldest go first."""
KEPT_DAYS = 90
LONGEST = 300
_NUMBERS = re.compile(r"\d[\d.,:]*")
_UID = re.compile(r"\d+(?:\.\d+){4,}")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong, as often as it did."""

    id: int
    kind: str
    who: str
    address: str
    facts: Mapping[str, Any]
    times: int
    first_at: datetime
    last_at: datetime
    seen_at: datetime | None
    seen_by: str
    muted: bool

    @property
    def is_new(self) -> bool:
        """Whether nobody has looked at it since it happened last."""
        return not self.muted and (self.seen_at is None or self.seen_at < self.last_at)


_Key = tuple[str, str, str, str]


@dataclass(slots=True)
class _Noted:
    facts: Mapping[str, Any]
    times: int = 0
    first_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Troubles:
    """Takes note of troubles and keeps them; `close` writes what is left."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[_Key, _Noted] = {}
        self._writer: asyncio.Task[None] | None = None

    def note(self, kind: str, who: str = "", address: str = "", reason: str = "", **facts: Any) -> None:
        """Take note of a trouble of one of `KINDS`; it is in the database within about `WRITE_AFTER_S`.

        `who` is an AE title, a destination or an account, `reason` a sentence without patient data, of which UIDs are not
        kept; `facts` is what else the way to mend it needs.
        """
        who, address, reason = _clean(who, 64), _clean(address, 64), _clean(_UID.sub("…", reason), LONGEST)
        alike = " ".join([_NUMBERS.sub("#", reason), *(str(facts[name]) for name in sorted(facts))])
        key = (kind, who, address, _clean(alike, LONGEST))
        if key not in self._waiting and len(self._waiting) >= MOST_WAITING:
            key, reason = (kind, "", "", "many"), ""
        told = {name: _clean(str(value), LONGEST) for name, value in facts.items()}
        noted = self._waiting.setdefault(key, _Noted({}))
        noted.facts = {**told, "reason": reason} if reason else told
        noted.times, noted.last_at = noted.times + 1, datetime.now(UTC)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="troubles")

    async def close(self) -> None:
        """Write what waits and end."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Write all that waits, and forget what is too old or too much."""
        batch, self._waiting = self._waiting, {}
        if not batch:
            return
        rows = [(*key, one.facts, one.times, one.first_at, one.last_at) for key, one in batch.items()]
        async with self._db.driver() as connection, connection.transaction():
            await connection.execute(_WRITE, *map(list, zip(*rows, strict=True)))
            await connection.execute(_FORGET, KEPT_DAYS, MOST_KEPT)

    async def _write_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(WRITE_AFTER_S)
            try:
                await self.flush()
            except Exception:  # what is lost here is in the log and in the audit trail all the same
                log.exception("troubles were not written: the database did not take them")

    async def all(self, limit: int = 500) -> list[Trouble]:
        """Give them, the latest first."""
        async with self._db.driver(reading=True) as connection:
            rows = await connection.fetch(_ALL, limit)
        return [Trouble(**{**row, "facts": orjson.loads(row["facts"])}) for row in rows]

    async def count_new(self) -> int:
        """Count those at which nobody has looked since they happened last."""
        async with self._db.driver(reading=True) as connection:
            return int(await connection.fetchval(_COUNT_NEW))

    async def see(self, numbers: Sequence[int] | None, by: str) -> int:
        """Mark these, or all, as seen until they happen again; gives how many."""
        return await self._mark(_SEE, numbers, by)

    async def mute(self, numbers: Collection[int], by: str, *, muted: bool = True) -> int:
        """Have these not count as new again, or again count; gives how many."""
        return await self._mark(_MUTE, numbers, by, muted)

    async def forget(self, numbers: Collection[int]) -> int:
        """Take these out; they come again should they happen again."""
        return await self._mark(_REMOVE, numbers)

    async def _mark(self, statement: str, numbers: Collection[int] | None, *more: Any) -> int:
        given = None if numbers is None else list(numbers)
        async with self._db.driver() as connection:
            return len(await connection.fetch(statement, given, *more))


def _clean(text: str, longest: int) -> str:
    """Text that PostgreSQL takes and a page may show."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:longest])


_WRITE = """
INSERT INTO core.trouble AS known (kind, who, address, alike, facts, times, first_at, last_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[],
    $7::timestamptz[], $8::timestamptz[])
ON CONFLICT (kind, who, address, alike) DO UPDATE
SET times = known.times + excluded.times, facts = excluded.facts,
    first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)
"""

# By the index on last_at: there are never many more than are kept.
_FORGET = """
DELETE FROM core.trouble WHERE last_at < now() - make_interval(days => $1)
    OR id IN (SELECT id FROM core.trouble ORDER BY last_at DESC OFFSET $2)
"""

_ALL = """
SELECT id, kind, who, address, facts, times, first_at, last_at, seen_at, seen_by, muted
FROM core.trouble ORDER BY last_at DESC, id DESC LIMIT $1
"""

_COUNT_NEW = "SELECT count(*) FROM core.trouble WHERE NOT muted AND (seen_at IS NULL OR seen_at < last_at)"

_SEE = """
UPDATE core.trouble SET seen_at = now(), seen_by = $2
WHERE ($1::bigint[] IS NULL OR id = ANY ($1)) AND NOT muted AND (seen_at IS NULL OR seen_at < last_at) RETURNING id
"""

_MUTE = "UPDATE core.trouble SET muted = $3, seen_at = now(), seen_by = $2 WHERE id = ANY ($1::bigint[]) RETURNING id"

_REMOVE = "DELETE FROM core.trouble WHERE id = ANY ($1::bigint[]) RETURNING id"
