"""What the objects of a series add up to, read from the index in one statement for all series of some studies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.datasets.header import unpack_json
from charrua_core.types import DicomJson


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """A series, the sums over its objects, and the object that speaks for it."""

    id: int
    study_uid: str
    received_study_uid: str
    series_uid: str
    objects: int
    """All files of it, also those of other versions and deleted ones."""
    shown: int
    """Objects that are current and not deleted: what follows is about these."""
    size_bytes: int
    sop_classes: frozenset[str]
    first_received_at: datetime | None
    """Of all files, like `last_received_at`."""
    last_received_at: datetime | None
    spoken_for_at: datetime | None
    """When the object came that speaks for the series: the first shown one, if there is any."""
    deleted_by: frozenset[str]
    """The edits that deleted objects of it."""
    header: DicomJson
    """Of the first object by arrival, a shown one if there is any, with what it was given on arrival."""
    precedence: tuple[bool, bool, datetime | None, str]
    """Sorts first the series whose first object speaks for the study: shown, then live ones, then by arrival."""

    @property
    def key(self) -> list[str]:
        """How a record of an edit names the series."""
        return [self.received_study_uid, self.series_uid]


_SUMMARIES = text("""
    WITH wanted AS (
        SELECT s.id, t.study_uid, s.received_study_uid, s.series_uid
        FROM core.series s JOIN core.study t ON t.id = s.study_id WHERE t.study_uid = ANY(:uids)
        UNION
        SELECT s.id, t.study_uid, s.received_study_uid, s.series_uid
        FROM core.series s JOIN core.study t ON t.id = s.study_id WHERE s.received_study_uid = ANY(:uids)
    ), object AS (
        SELECT i.id, i.series_id, i.current AND i.deleted_by IS NULL AS shown, i.deleted_by IS NULL AS live,
            i.deleted_by::text AS deleted_by, i.size_bytes, i.sop_class_uid, i.received_at, i.arrival_id
        FROM wanted JOIN core.instance i ON i.series_id = wanted.id
    ), sums AS (
        SELECT series_id, count(*) AS objects, count(*) FILTER (WHERE shown) AS shown,
            coalesce(sum(size_bytes) FILTER (WHERE shown), 0)::bigint AS size_bytes,
            array_agg(DISTINCT sop_class_uid) FILTER (WHERE shown) AS sop_classes,
            min(received_at) AS first_received_at, max(received_at) AS last_received_at,
            array_agg(DISTINCT deleted_by) FILTER (WHERE NOT live) AS deleted_by
        FROM object GROUP BY series_id
    ), first AS (
        SELECT DISTINCT ON (series_id) * FROM object
        ORDER BY series_id, shown DESC, live DESC, received_at, arrival_id
    )
    SELECT wanted.*, sums.objects, sums.shown, sums.size_bytes, sums.sop_classes, sums.first_received_at,
        sums.last_received_at, sums.deleted_by, first.shown AS first_shown, first.live AS first_live,
        first.received_at AS first_at, first.arrival_id::text AS first_arrival, i.header, i.overlay
    FROM wanted LEFT JOIN sums ON sums.series_id = wanted.id
    LEFT JOIN first ON first.series_id = wanted.id LEFT JOIN core.instance i ON i.id = first.id
    ORDER BY wanted.received_study_uid, wanted.series_uid
""").columns(overlay=tables.instance.c.overlay.type)


async def summaries(tx: AsyncConnection, study_uids: Iterable[str]) -> list[SeriesSummary]:
    """The series that are in these studies or were received for them."""
    rows = (await tx.execute(_SUMMARIES, {"uids": sorted(study_uids)})).mappings()
    return [_summary(row) for row in rows]


def _summary(row: RowMapping) -> SeriesSummary:
    return SeriesSummary(
        id=row["id"],
        study_uid=row["study_uid"],
        received_study_uid=row["received_study_uid"],
        series_uid=row["series_uid"],
        objects=row["objects"] or 0,
        shown=row["shown"] or 0,
        size_bytes=row["size_bytes"] or 0,
        sop_classes=frozenset(row["sop_classes"] or ()),
        first_received_at=row["first_received_at"],
        last_received_at=row["last_received_at"],
        spoken_for_at=row["first_at"],
        deleted_by=frozenset(row["deleted_by"] or ()),
        header=_header(row),
        precedence=(not row["first_shown"], not row["first_live"], row["first_at"], row["first_arrival"] or ""),
    )


def _header(row: RowMapping) -> DicomJson:
    if row["header"] is None:
        return {}
    attributes = unpack_json(row["header"]) | (row["overlay"] or {})
    return {tag: element for tag, element in attributes.items() if element is not None}
