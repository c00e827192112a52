"""Whose study an object would join: what this process knows of the index, and asks it for in batches.

What is known may be old: the statement that stores compares it with the row it has locked (`core.identity_of`), and the
object is judged again where they differ.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.edit.effective import laid
from charrua_core.archive.index.levels import column_values
from charrua_core.archive.index.patience import patiently
from charrua_core.errors import CommitUnknown, DatabaseUnavailable
from charrua_core.types import Level, StudyIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.db import Database

KEPT_STUDIES = 20_000
KEPT_SERIES = 50_000

_LOOK_UP = """
    SELECT t.study_uid, core.identity_of(t) AS seen, t.patient_id, t.issuer, t.patient_name, first.header, first.overlay
    FROM core.study t
    LEFT JOIN LATERAL (
        SELECT i.header, i.overlay FROM core.series s JOIN core.instance i ON i.series_id = s.id
        WHERE s.received_study_uid = t.study_uid AND t.overlay ?| ARRAY['00100010', '00100020', '00100021']
        ORDER BY i.received_at, i.arrival_id LIMIT 1
    ) first ON true
    WHERE t.study_uid = ANY ($1::text[])
"""


@dataclass(frozen=True, slots=True)
class KnownStudy:
    """A study of the index: what `core.identity_of` gives for it, and whose it is by the objects that were received."""

    seen: str
    identity: StudyIdentity


class Studies:
    """The studies and series that this process has seen, the least used forgotten first."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: OrderedDict[str, KnownStudy] = OrderedDict()
        self._series: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._asked: dict[str, asyncio.Future[KnownStudy | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None

    async def close(self) -> None:
        """Give up the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be gone already
                await connection.close(timeout=2)

    async def find(self, study_uid: str) -> KnownStudy | None:
        """Give the study as last seen, asking the index if it was not; None if it is not there."""
        known = self._known.get(study_uid)
        if known is not None:
            self._known.move_to_end(study_uid)
            return known
        return await self._ask(study_uid)

    def has_series(self, study_uid: str, series_uid: str) -> bool:
        """Whether the series is known to be in the index."""
        return (study_uid, series_uid) in self._series

    def keep(self, study_uid: str, series_uid: str, known: KnownStudy | None) -> None:
        """Remember a series that has an object in the index, and its study."""
        self._series[study_uid, series_uid] = None
        self._series.move_to_end((study_uid, series_uid))
        if known is not None and study_uid not in self._known:
            self._known[study_uid] = known
        for kept, most in ((self._known, KEPT_STUDIES), (self._series, KEPT_SERIES)):
            while len(kept) > most:
                kept.popitem(last=False)

    def forget(self, study_uid: str, series_uid: str) -> None:
        """Look at the index again before the next object of this study."""
        self._known.pop(study_uid, None)
        self._series.pop((study_uid, series_uid), None)

    async def _ask(self, study_uid: str) -> KnownStudy | None:
        """Questions that come while one is under way go together in the next."""
        answer = self._asked.get(study_uid)
        if answer is None:
            answer = self._asked[study_uid] = asyncio.get_running_loop().create_future()
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._answer_all(), name="study look-up")
        return await asyncio.shield(answer)

    async def _answer_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                found = await self._look_up(list(asked))
            except Exception as error:
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()  # whoever asked may be gone
                continue
            self._known.update(found)
            for study_uid, answer in asked.items():
                answer.set_result(found.get(study_uid))

    async def _look_up(self, study_uids: Sequence[str]) -> dict[str, KnownStudy]:
        try:
            return await patiently(lambda: self._query(study_uids), self._lose)
        except CommitUnknown as error:  # nothing was to be committed
            raise DatabaseUnavailable from error

    async def _query(self, study_uids: Sequence[str]) -> dict[str, KnownStudy]:
        connection = await self._connected()
        rows = await connection.fetch(_LOOK_UP, study_uids)
        return {row["study_uid"]: KnownStudy(row["seen"], _identity(row)) for row in rows}

    async def _connected(self) -> asyncpg.Connection:
        """A connection of its own: a look-up is in the way of every first object, and the pool's way is longer."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._db.connect()
        return self._connection

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _identity(row: Any) -> StudyIdentity:
    """By the row, or by the first object where an edit has changed whose study it is."""
    if row["header"] is None:
        return StudyIdentity(row["study_uid"], row["patient_id"], row["issuer"], row["patient_name"])
    attributes = laid(orjson.loads(row["overlay"] or "{}") or {}, unpack_json(row["header"]))
    values = column_values(Level.STUDY, attributes)
    return StudyIdentity(row["study_uid"], values["patient_id"], values["issuer"], values["patient_name"])
