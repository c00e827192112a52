"""The audit trail: who did what to which study, by the events of PS3.15 A.5.

`record` writes in the caller's transaction, together with the fact. What changes nothing and so has no transaction (a
query, a rejected association) goes through `AuditTrail.later`, which writes in small batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import orjson
from sqlalchemy import ARRAY, ColumnElement, Text, cast, insert, select, text, tuple_

from charrua_core import metrics, tables
from charrua_core.db import driver_of
from charrua_core.types import Origin, without_nul

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.db import Database

log = logging.getLogger(__name__)

BATCH_DELAY = 0.2  # seconds: the most that a crash takes from the trail of queries
MAX_WAITING = 20_000  # records while the database is away: more would take the memory

_WAITING = metrics.gauge(
    "charrua_audit_waiting_records", "Records of the audit trail that are not yet in the database."
)
_WRITTEN = metrics.counter(
    "charrua_audit_records_total",
    "Records of the audit trail that belong to no transaction, by what became of them.",
    outcome=("written", "lost"),
)

Action = Literal["C", "R", "U", "D", "E"]
"""Create, read, update, delete, execute (PS3.15 A.5.1, EventActionCode)."""


class Event(StrEnum):
    """Event IDs and event type codes of PS3.15 A.5 (CID 400 and 401), DCM codes."""

    APPLICATION_ACTIVITY = "110100"
    AUDIT_LOG_USED = "110101"
    BEGIN_TRANSFERRING = "110102"
    INSTANCES_ACCESSED = "110103"
    INSTANCES_TRANSFERRED = "110104"
    STUDY_DELETED = "110105"
    EXPORT = "110106"
    IMPORT = "110107"
    NETWORK_ENTRY = "110108"
    ORDER_RECORD = "110109"
    PATIENT_RECORD = "110110"
    PROCEDURE_RECORD = "110111"
    QUERY = "110112"
    SECURITY_ALERT = "110113"
    USER_AUTHENTICATION = "110114"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the trail. `who` is the user, the AE title or `charrua`; `detail` holds no patient data."""

    event: Event
    action: Action
    who: str
    origin: Origin
    succeeded: bool = True
    study_uids: Sequence[str] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def row(self) -> dict[str, Any]:
        """Give the row of table core.audit."""
        origin = {name: value for name, value in asdict(self.origin).items() if value}
        return {
            "at": self.at,
            "event": str(self.event),
            "action": self.action,
            "succeeded": self.succeeded,
            "who": without_nul(self.who),
            "origin": without_nul(origin),
            "study_uids": without_nul(self.study_uids),
            "detail": without_nul(self.detail),
        }


async def record(
    tx: AsyncConnection,
    event: Event,
    action: Action,
    who: str,
    origin: Origin,
    *,
    succeeded: bool = True,
    study_uids: Sequence[str] = (),
    **detail: Any,
) -> None:
    """Write a record in the caller's transaction."""
    entry = AuditRecord(event, action, who, origin, succeeded, study_uids, detail)
    await tx.execute(insert(tables.audit).values(entry.row()))


async def record_all(tx: AsyncConnection, records: Sequence[AuditRecord]) -> None:
    """Write several records in the caller's transaction."""
    if records:
        driver = await driver_of(tx)
        await driver.execute(_WRITE_ALL, orjson.dumps([one.row() for one in records]))


# One statement, whose plan does not depend on how many there are.
_WRITE_ALL = """
INSERT INTO core.audit (at, event, action, succeeded, who, origin, study_uids, detail)
SELECT at, event, action, succeeded, who, origin, study_uids, detail FROM jsonb_to_recordset($1) AS given(at timestamptz,
    event text, action text, succeeded boolean, who text, origin jsonb, study_uids text[], detail jsonb)
"""


async def read(db: Database, *, event: Event | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Give the newest records, newest first."""
    statement = select(tables.audit).order_by(tables.audit.c.id.desc()).limit(limit)
    if event is not None:
        statement = statement.where(tables.audit.c.event == str(event))
    async with db.reading() as connection:
        return [dict(row) for row in (await connection.execute(statement)).mappings()]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for in the trail; empty fields ask nothing. `since` is inclusive, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None
    event: str = ""
    who: str = ""
    address: str = ""
    study_uid: str = ""
    succeeded: bool | None = None
    before: tuple[datetime, int] | None = None
    """Moment and number of the last record of the page before."""


async def find(db: Database, asked: Asked, limit: int) -> list[dict[str, Any]]:
    """Give the records, the latest first; each is found by an index of time, of the name, the address or the study."""
    table = tables.audit
    statement = select(table).where(*_conditions(asked)).order_by(table.c.at.desc(), table.c.id.desc())
    async with db.reading() as connection:
        return [dict(row) for row in (await connection.execute(statement.limit(limit))).mappings()]


def _conditions(asked: Asked) -> list[ColumnElement[bool]]:
    column, found = tables.audit.c, []
    for value, condition in (
        (asked.since, lambda: column.at >= asked.since),
        (asked.until, lambda: column.at < asked.until),
        (asked.event, lambda: column.event == asked.event),
        (asked.who, lambda: column.who == asked.who),
        (asked.address, lambda: column.origin["address"].astext == asked.address),
        (asked.study_uid, lambda: _touches(asked.study_uid)),
        (asked.succeeded is not None, lambda: column.succeeded.is_(asked.succeeded)),
        (asked.before, lambda: tuple_(column.at, column.id) < tuple_(*(asked.before or ()))),
    ):
        if value:
            found.append(condition())
    return found


def _touches(study_uid: str) -> ColumnElement[bool]:
    """In the words of the index, which leaves out the records of no study."""
    studies = tables.audit.c.study_uids
    return studies.op("@>")(cast([study_uid], ARRAY(Text))) & text("study_uids <> '{}'")


class AuditTrail:
    """Writes the records that belong to no transaction, in batches; `close` writes what is left."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[AuditRecord] = []
        self._writer: asyncio.Task[None] | None = None

    def later(
        self,
        event: Event,
        action: Action,
        who: str,
        origin: Origin,
        *,
        succeeded: bool = True,
        study_uids: Sequence[str] = (),
        **detail: Any,
    ) -> None:
        """Take a record; it is in the database within `BATCH_DELAY` seconds."""
        self._waiting.append(AuditRecord(event, action, who, origin, succeeded, tuple(study_uids), detail))
        _WAITING.inc()
        if len(self._waiting) > MAX_WAITING:
            dropped = self._waiting.pop(0)
            _WAITING.dec()
            _WRITTEN.labels("lost").inc()
            log.error("audit record lost: the database does not keep up", extra={"event": dropped.event})
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="audit")

    async def flush(self) -> None:
        """Write all that waits. A failing database keeps the records waiting."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            async with self._db.transaction() as tx:
                await record_all(tx, batch)
        except BaseException:
            self._waiting = batch + self._waiting
            raise
        _WAITING.dec(len(batch))
        _WRITTEN.labels("written").inc(len(batch))

    async def close(self) -> None:
        """Write what waits and end."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self.flush()

    async def _write_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(BATCH_DELAY)
            try:
                await self.flush()
            except Exception:
                log.exception(
                    "audit records wait: the database did not take them", extra={"waiting": len(self._waiting)}
                )
                await asyncio.sleep(5)
