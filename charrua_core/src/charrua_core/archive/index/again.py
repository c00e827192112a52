"""An object whose SOP Instance UID the index has, or that revives what was deleted: looked at alone, in one transaction.

Same bytes change nothing; other bytes become a version, of which the setting `duplicate_policy` says which one is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import text

from charrua_core import changes, faults
from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.edit import effective, journal
from charrua_core.archive.edit.record import Record
from charrua_core.archive.index.patience import doubted_transaction, patiently
from charrua_core.archive.index.rows import Filed, dumped, instance_row, parent_rows
from charrua_core.archive.index.store import Index

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.db import Database

Policy = Literal["keep both", "first", "refuse"]
AgainOutcome = Literal["stored", "duplicate", "kept beside", "refused", "stale"]

_STUDIES = text("""
    SELECT t.study_uid FROM core.instance i JOIN core.series s ON s.id = i.series_id JOIN core.study t ON t.id = s.study_id
    WHERE i.sop_instance_uid = :instance
""")
_VERSIONS = text("""
    SELECT i.version, i.arrival_id, i.dataset_digest, i.transfer_syntax_uid, i.received_digest, i.received_syntax_uid,
        i.deleted_by IS NULL AS live, t.study_uid
    FROM core.instance i JOIN core.series s ON s.id = i.series_id JOIN core.study t ON t.id = s.study_id
    WHERE i.sop_instance_uid = :instance ORDER BY i.version
""")
_OPEN_SERIES = text("SELECT core.open_series(CAST(:study_row AS jsonb), CAST(:series_row AS jsonb), :seen)")
_SERIES = text("""
    SELECT s.id, t.study_uid, core.identity_of(r) AS seen
    FROM core.series s JOIN core.study t ON t.id = s.study_id LEFT JOIN core.study r ON r.study_uid = :study
    WHERE s.received_study_uid = :study AND s.series_uid = :series
""")
_INSERT = text("""
    INSERT INTO core.instance (
        series_id, sop_instance_uid, version, current, sop_class_uid, transfer_syntax_uid, instance_number, "rows",
        "columns", bits_allocated, number_of_frames, content_date, content_time, volume_id, path, size_bytes,
        dataset_offset, meta_digest, dataset_digest, header, pixel_data_offset, frame_offsets, unparsed, arrival_id,
        received_at, origin, overlay
    )
    SELECT :series_id, o.sop_instance_uid, :version, :current, o.sop_class_uid, o.transfer_syntax_uid, o.instance_number,
        o."rows", o."columns", o.bits_allocated, o.number_of_frames, o.content_date, o.content_time, o.volume_id, o.path,
        o.size_bytes, o.dataset_offset, decode(:meta_digest, 'hex'), decode(:dataset_digest, 'hex'), :header,
        o.pixel_data_offset, :frames, o.unparsed, o.arrival_id, o.received_at, o.origin, o.overlay
    FROM jsonb_populate_record(NULL::core.instance, CAST(:row AS jsonb)) o
""")


async def store_again(db: Database, index: Index, filed: Filed, policy: Policy) -> AgainOutcome:
    """Index the object, or find that nothing is to be done; raises like `Index.store`'s errors.

    "refused" means other bytes under a policy that takes none; "stale" that the judge has not seen the study as it is.
    """
    return await patiently(lambda: _Again(db, index, filed, policy).run())


class _Again:
    """One attempt."""

    def __init__(self, db: Database, index: Index, filed: Filed, policy: Policy) -> None:
        self._db = db
        self._index = index
        self._filed = filed
        self._policy = policy
        header = filed.header
        self._uids = {
            "study": header.study_instance_uid,
            "series": header.series_instance_uid,
            "instance": header.sop_instance_uid,
        }
        self._written: list[tuple[int, list[Record]]] = []

    async def run(self) -> AgainOutcome:
        try:
            async with doubted_transaction(self._db) as tx:
                outcome = await self._decide(tx)
                faults.passing("before_commit")
        except BaseException:
            await self._index.settle_journal(self._written)
            raise
        faults.passing("after_commit")
        return outcome

    async def _decide(self, tx: AsyncConnection) -> AgainOutcome:
        await effective.lock(tx, {self._uids["study"], *await tx.scalars(_STUDIES, self._uids)})
        versions = list((await tx.execute(_VERSIONS, self._uids)).mappings())
        live = [version for version in versions if version["live"]]
        if any(version["arrival_id"] == UUID(self._filed.arrival.arrival_id) for version in versions):
            return "stored"
        if any(self._is_same(version) for version in live):
            return "duplicate"
        if live and self._policy == "refuse":
            return "refused"
        return await self._insert(tx, versions, live)

    def _is_same(self, version: Any) -> bool:
        """The same bytes in the same encoding, as they came or as the archive has transcoded them since."""
        this = (self._filed.dataset_digest, self._filed.transfer_syntax_uid)
        return this in (
            (version["dataset_digest"], version["transfer_syntax_uid"]),
            (version["received_digest"], version["received_syntax_uid"]),
        )

    async def _insert(self, tx: AsyncConnection, versions: Sequence[Any], live: Sequence[Any]) -> AgainOutcome:
        rows = {name: dumped(row) for name, row in parent_rows(self._filed).items()}  # type: ignore[arg-type]
        made = await tx.scalar(_OPEN_SERIES, rows | {"seen": self._filed.seen})
        series = (await tx.execute(_SERIES, self._uids)).mappings().first()
        if series is None or (made != "study" and series["seen"] != self._filed.seen):
            return "stale"
        number = max((version["version"] for version in versions), default=0) + 1
        await tx.execute(_INSERT, self._row(series["id"], number, current=not live))
        kept_beside = bool(live) and self._policy == "first"
        await self._record(tx, kept_beside)
        change = instance_row(self._filed)["change"] | {"study_uid": series["study_uid"], "version": number}
        await changes.append(tx, "object", change)
        studies = {self._uids["study"], series["study_uid"], *(version["study_uid"] for version in versions)}
        await effective.refresh(tx, studies)
        return "kept beside" if kept_beside else "stored"

    def _row(self, series_id: int, number: int, *, current: bool) -> dict[str, Any]:
        row = instance_row(self._filed)
        return {
            "series_id": series_id,
            "version": number,
            "current": current,
            "meta_digest": row.pop("meta_digest"),
            "dataset_digest": row.pop("dataset_digest"),
            "header": pack_json(self._filed.header.json),
            "frames": self._filed.header.frame_offsets,
            "row": dumped(row),  # type: ignore[arg-type]
        }

    async def _record(self, tx: AsyncConnection, kept_beside: bool) -> None:
        """Write down what the bytes do not say: coercions, and that an earlier version stays the one that is shown."""
        records = list(self._filed.records)
        if kept_beside:
            targets = {
                "study_uids": [self._uids["study"]],
                "series_uid": self._uids["series"],
                "sop_instance_uid": self._uids["instance"],
                "arrivals": [self._filed.arrival.arrival_id],
            }
            records.append(Record.new("keep", "duplicate_policy", targets, reason="the first version stays"))
        if records:
            await journal.insert(tx, records)
            self._written = [(self._filed.volume_id, records)]
            await self._index.write_journal(self._written)
