"""Stored objects into the index: a group in one statement and one commit, whatever happens to the database meanwhile.

The rows are written while the files are being placed, and committed when all lie where the rows say. A commit whose
outcome is unknown is done again: what was committed is known by its arrival id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import asyncpg

from charrua_core import faults, metrics
from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.edit import journal
from charrua_core.archive.index.patience import PATIENCE_S, doubted_transaction, patiently
from charrua_core.archive.index.rows import Filed, dumped, instance_row, parent_rows
from charrua_core.errors import CharruaError, DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from charrua_core.archive.edit.record import Record
    from charrua_core.archive.index.studies import Studies
    from charrua_core.archive.ingest.writer import Places
    from charrua_core.db import Database
    from charrua_core.storage import Volumes

_LOCK_TIMEOUT = "5s"
_HELD_AT_MOST = "2s"
"""Rows wait so long for their files with the study locked; then the server ends it, and they are written again after them."""
_BEGIN_S = 3.0
WORTH_BEGINNING_BYTES = 1 << 17
"""Files that have fewer are flushed before the two more round trips of an open transaction are through."""

_STORE = "SELECT n, outcome FROM core.store_objects($1::text::jsonb, $2::bytea[], $3::bytea[], $4::text::jsonb)"

_COMMIT_SECONDS = metrics.histogram(
    "charrua_ingest_commit_seconds", "From when the files of a group lie in their places until its rows are committed."
)

Outcome = Literal["stored", "duplicate", "again", "stale"]
"""See `core.store_objects`."""

Place = str | CharruaError
"""The relative path at which an object's file lies, or why it lies nowhere."""

log = logging.getLogger(__name__)


class Index:
    """The index as ingest writes it, over one connection of its own."""

    def __init__(self, db: Database, volumes: Volumes, studies: Studies) -> None:
        self._db = db
        self._volumes = volumes
        self._studies = studies
        self._connection: asyncpg.Connection | None = None
        self._statement: Any = None

    async def close(self) -> None:
        """Give up the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be gone already
                await connection.close(timeout=2)

    async def store(
        self, group: Sequence[Filed], places: Places, audits: Sequence[Mapping[str, Any]] = ()
    ) -> list[Outcome | CharruaError]:
        """Index the objects, with these rows of the audit trail; gives for each what became of it, or why it failed.

        Where the files do not lie yet, the rows are written meanwhile. An object without a place fails with the error that
        `places` has for it. DatabaseUnavailable: it is not in the index; CommitUnknown: it may be. An object that the
        database does not take fails alone, whatever stands beside it in the group.
        """
        begun = None if places.known else await self._begin(group, audits)
        placed = await places.wait()
        if begun is not None and not _as_expected(group, begun, placed):
            await self._roll_back()
            begun = None
        if begun is not None:
            begun = [outcome for outcome, place in zip(begun, placed, strict=True) if isinstance(place, str)]
        with _COMMIT_SECONDS.time():
            found = iter(await self._store_placed(_with_places(group, placed), audits, begun))
        return [place if isinstance(place, CharruaError) else next(found) for place in placed]

    async def _begin(self, group: Sequence[Filed], audits: Sequence[Mapping[str, Any]]) -> list[Outcome] | None:
        """Write the rows in a transaction that is left open; None where that fails, whyever: then nothing was written."""
        if any(filed.records for filed in group) or sum(filed.size_bytes for filed in group) < WORTH_BEGINNING_BYTES:
            return None
        try:
            async with asyncio.timeout(_BEGIN_S):
                statement = await self._prepared()
                await self._connection.execute("BEGIN")  # type: ignore[union-attr]  # `_prepared` has made it
                return _in_order(await statement.fetch(*self._given(group, audits)))
        except Exception as error:
            log.debug("rows are written after their files: %s", type(error).__name__)
            await self._roll_back()
            return None

    async def _roll_back(self) -> None:
        try:
            async with asyncio.timeout(_BEGIN_S):
                if self._connection is not None:
                    await self._connection.execute("ROLLBACK")
        except Exception:  # the server ends what a lost connection had begun
            self._lose()

    async def _store_placed(
        self, group: Sequence[Filed], audits: Sequence[Mapping[str, Any]], begun: list[Outcome] | None = None
    ) -> list[Outcome | CharruaError]:
        """Commit what was begun, or store objects whose files lie where they say."""
        open_now = [begun] if begun is not None else []

        async def attempt() -> list[Outcome]:
            return await self._commit(open_now.pop()) if open_now else await self._store(group, audits)

        try:
            return list(await patiently(attempt, self._lose)) if group else []
        except CharruaError as error:
            return [error] * len(group)
        except asyncpg.PostgresError as error:
            if len(group) > 1:
                return [outcome for filed in group for outcome in await self._store_placed([filed], audits)]
            log.exception("an object does not fit into the index", extra={"action": "refused"})
            return [CharruaError(f"the index did not take the object ({type(error).__name__})")]

    async def _commit(self, outcomes: list[Outcome]) -> list[Outcome]:
        connection = self._connection
        if connection is None:
            raise DatabaseUnavailable
        faults.passing("before_commit")
        if await connection.execute("COMMIT") != "COMMIT":  # a transaction that was aborted ends so, without an error
            raise DatabaseUnavailable("the transaction was not committed")
        faults.passing("after_commit")
        return outcomes

    async def _store(self, group: Sequence[Filed], audits: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        given = self._given(group, audits)
        if any(filed.records for filed in group):
            return await self._store_with_records(group, given)
        statement = await self._prepared()
        faults.passing("before_commit")
        rows = await statement.fetch(*given)
        faults.passing("after_commit")
        return _in_order(rows)

    def _given(self, group: Sequence[Filed], audits: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        rows = []
        for number, filed in enumerate(group):
            row = instance_row(filed) | {"n": number}
            header = filed.header
            if not self._studies.has_series(header.study_instance_uid, header.series_instance_uid):
                row |= parent_rows(filed)
            rows.append(row)
        headers = [pack_json(filed.header.json) for filed in group]
        frames = [filed.header.frame_offsets for filed in group]
        return dumped(rows), headers, frames, dumped(audits) if audits else None

    async def _store_with_records(self, group: Sequence[Filed], given: tuple[Any, ...]) -> list[Outcome]:
        """Store with coercions: their rows in the same transaction, their journal on disk before it commits."""
        written: list[tuple[int, list[Record]]] = []
        try:
            async with doubted_transaction(self._db) as tx:
                driver: Any = (await tx.get_raw_connection()).driver_connection
                outcomes = _in_order(await driver.fetch(_STORE, *given))
                stored = [filed for filed, outcome in zip(group, outcomes, strict=True) if outcome == "stored"]
                await journal.insert(tx, [record for filed in stored for record in filed.records])
                written = [(filed.volume_id, list(filed.records)) for filed in stored if filed.records]
                await self.write_journal(written)
                faults.passing("before_commit")
        except BaseException:
            await self.settle_journal(written)
            raise
        faults.passing("after_commit")
        return outcomes

    async def write_journal(self, written: Iterable[tuple[int, list[Record]]]) -> None:
        """Put records into the journals of their volumes."""
        for volume_id, records in _by_volume(written).items():
            await journal.append(self._volumes.by_id(volume_id), records)

    async def settle_journal(self, written: Iterable[tuple[int, list[Record]]]) -> None:
        """Mark those of the records whose transaction was not committed."""
        for volume_id, records in _by_volume(written).items():
            await asyncio.shield(journal.settle(self._db, self._volumes.by_id(volume_id), records))

    async def _prepared(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            try:
                async with asyncio.timeout(PATIENCE_S - 1):
                    self._connection = await self._db.connect(
                        lock_timeout=_LOCK_TIMEOUT, idle_in_transaction_session_timeout=_HELD_AT_MOST
                    )
            except TimeoutError as error:
                raise DatabaseUnavailable("the database does not answer") from error
            self._statement = await self._connection.prepare(_STORE)
        return self._statement

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _in_order(rows: Sequence[Any]) -> list[Outcome]:
    return [row["outcome"] for row in sorted(rows, key=lambda row: row["n"])]


def _as_expected(group: Sequence[Filed], outcomes: Sequence[Outcome], placed: Sequence[Place]) -> bool:
    """Whether every object that gets a row lies where the row says."""
    return all(
        place == filed.path
        for filed, outcome, place in zip(group, outcomes, placed, strict=True)
        if outcome == "stored"
    )


def _with_places(group: Sequence[Filed], placed: Sequence[Place]) -> list[Filed]:
    """Those of the objects that lie somewhere, with their paths."""
    return [
        filed if filed.path == place else replace(filed, path=place)
        for filed, place in zip(group, placed, strict=True)
        if isinstance(place, str)
    ]


def _by_volume(written: Iterable[tuple[int, list[Record]]]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for volume_id, records in written:
        found.setdefault(volume_id, []).extend(records)
    return found
