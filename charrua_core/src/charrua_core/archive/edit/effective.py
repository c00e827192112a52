"""What the index says of a study, as a function of its objects and of the edits in force.

Every edit, its undoing, a rare arrival and the regeneration from the volumes end in `refresh`, so that all of them give the
same rows. The object that leaves is its bytes with layers over them, innermost first: what the object was given on arrival
and by edits of its own; for a series that was moved, the patient and study attributes of the study where it now is; the
edits of the series; the edits of the study.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.edit import record as edit_record
from charrua_core.archive.edit.record import Overlay, Record
from charrua_core.archive.index.levels import STUDY_INSTANCE_UID, TAGS, attributes_at, column_values
from charrua_core.archive.index.summary import SeriesSummary, summaries
from charrua_core.archive.index.versions import settle_versions
from charrua_core.types import DicomJson, Level

UNREAD = "UNREAD"
"""The status of a study that was given none."""
SUPERSEDED = "00000000-0000-0000-0000-000000000000"
"""`deleted_by` of a row that no edit emptied: a later version of its objects came in another series."""

# A row stays while an edit in force is about it, also without an object: what comes again is edited again, and goes where
# the others went.
NAMING: frozenset[str] = frozenset({"edit", "assign_series"})
KEEPING: frozenset[str] = NAMING | {"assign_study", "merge", "status"}
_EMPTYING = frozenset({"assign_series", "merge", "delete"})
_OVER_STUDY = frozenset({"PATIENT", "STUDY"})


def laid(over: Mapping[str, Any], attributes: Mapping[str, Any]) -> DicomJson:
    """The attributes with an overlay laid over them."""
    merged = {**attributes, **over}
    return {tag: element for tag, element in merged.items() if element is not None}


def laid_over(study: Mapping[str, Any], series: Mapping[str, Any], instance: Mapping[str, Any]) -> Overlay:
    """All that is laid over one object, from the rows of its study, its series and itself; empty when nothing is.

    The rows need `study_uid`, `attributes`, `overlay`; `received_study_uid`, `overlay`; `overlay`.
    """
    over: Overlay = dict(instance["overlay"] or {})
    if series["received_study_uid"] != study["study_uid"]:
        over |= dict.fromkeys(TAGS[Level.STUDY])
        over |= study["attributes"]
    return over | (series["overlay"] or {}) | (study["overlay"] or {})


def overlay_of(records: Iterable[Record]) -> Overlay:
    """The sum of these edits, the later over the earlier."""
    over: Overlay = {}
    for record in records:
        over |= record.after.get("attributes", {})
    return over


def status_of(records: Iterable[Record]) -> str:
    """The status that these edits, oldest first, give to a study."""
    given = [record.after["status"] for record in records if record.kind == "status"]
    return str(given[-1]) if given else UNREAD


async def in_force(tx: AsyncConnection, study_uids: Iterable[str]) -> list[Record]:
    """The edits on these studies that were not undone, oldest first; coercions left out."""
    records = await edit_record.touching(tx, sorted(study_uids))
    return [record for record in records if record.undone_by is None and record.kind != "undo"]


async def refresh(tx: AsyncConnection, study_uids: Iterable[str]) -> None:
    """Bring the rows of these studies, and of the series in them, to what their objects and the edits in force say."""
    uids = await lock(tx, study_uids)
    uids |= await lock(tx, await settle_versions(tx, uids))
    series = await summaries(tx, uids)
    records = await in_force(tx, uids | {one.received_study_uid for one in series})
    rows = {one.id: _series_row(one, records) for one in series}
    await _write_series(tx, [one for one in series if one.study_uid in uids], rows)
    for uid in sorted(uids):
        row = _study_row(uid, [one for one in series if one.objects], records, rows)
        await _write_study(tx, uid, row)


async def lock(tx: AsyncConnection, study_uids: Iterable[str]) -> set[str]:
    """Lock these studies, and those that share series with them, in the order of their UIDs; gives all of them.

    Two studies share a series when it was received for the one and is in the other. Lock before anything is written, and
    no object on its way in waits for this transaction while that waits for the object's.
    """
    uids = set(study_uids)
    if uids:
        uids |= set(await tx.scalars(_SHARING, {"uids": sorted(uids)}))
        await tx.execute(_LOCK, {"uids": sorted(uids)})
    return uids


async def original_attributes(tx: AsyncConnection, study_uid: str) -> DicomJson:
    """The patient and study attributes of a study before any edit on it."""
    own = [one for one in await summaries(tx, [study_uid]) if one.received_study_uid == study_uid and one.objects]
    return _original(study_uid, own, await in_force(tx, [study_uid]))


_SHARING = text("""
    WITH RECURSIVE reached(study_uid) AS (
        SELECT unnest(CAST(:uids AS text[])) COLLATE "C"
        UNION
        SELECT other.study_uid FROM reached JOIN LATERAL (
            SELECT s.received_study_uid AS study_uid FROM core.study t JOIN core.series s ON s.study_id = t.id
            WHERE t.study_uid = reached.study_uid
            UNION ALL
            SELECT t.study_uid FROM core.series s JOIN core.study t ON t.id = s.study_id
            WHERE s.received_study_uid = reached.study_uid
        ) other ON true
    )
    SELECT study_uid FROM reached
""")
_LOCK = text("SELECT 1 FROM core.study WHERE study_uid = ANY(:uids) ORDER BY study_uid FOR NO KEY UPDATE")

Row = dict[str, Any]


async def _write_series(tx: AsyncConnection, series: Sequence[SeriesSummary], rows: Mapping[int, Row | None]) -> None:
    found = [(one.id, rows[one.id]) for one in series]
    kept = [{"row": id_} | {f"new_{name}": value for name, value in row.items()} for id_, row in found if row]
    gone = [id_ for id_, row in found if row is None]
    if kept:
        await tx.execute(_UPDATE_SERIES, kept)
    if gone:
        await tx.execute(tables.series.delete().where(tables.series.c.id.in_(gone)))


async def _write_study(tx: AsyncConnection, uid: str, row: Row | None) -> None:
    study = tables.study
    if row is None:
        await tx.execute(study.delete().where(study.c.study_uid == uid))
    else:
        await tx.execute(study.update().where(study.c.study_uid == uid).values(row))


def _series_row(one: SeriesSummary, records: Sequence[Record]) -> Row | None:
    """The values of a series; None when nothing is left that it could stand for."""
    naming = [r for r in records if r.kind in NAMING and one.key in r.targets.get("series", ())]
    if not one.objects and not naming:
        return None
    over = overlay_of(r for r in naming if r.kind == "edit")
    attributes = laid(over, attributes_at(Level.SERIES, one.header))
    return {
        "attributes": attributes,
        "instance_count": one.shown,
        "size_bytes": one.size_bytes,
        "first_received_at": one.spoken_for_at or naming[0].made_at,
        "last_received_at": one.last_received_at or naming[0].made_at,
        "overlay": over or None,
        "deleted_by": None if one.shown else _last_of(r for r in records if r.id in one.deleted_by),
        **column_values(Level.SERIES, attributes),
    }


_UPDATE_SERIES = (
    tables.series.update()
    .where(tables.series.c.id == bindparam("row"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "attributes",
                "instance_count",
                "size_bytes",
                "first_received_at",
                "last_received_at",
                "overlay",
                "deleted_by",
                *column_values(Level.SERIES, {}),
            )
        }
    )
)


def _study_row(
    uid: str, series: Sequence[SeriesSummary], records: Sequence[Record], rows: Mapping[int, Row | None]
) -> Row | None:
    """The study's values; None when nothing is left that it could stand for."""
    here = [one for one in series if one.study_uid == uid]
    own = [one for one in series if one.received_study_uid == uid]
    naming = [r for r in records if r.kind in KEEPING and uid in r.study_uids]
    if not here and not own and not naming:
        return None
    over = overlay_of(r for r in records if r.targets.get("level") in _OVER_STUDY and uid in r.study_uids)
    attributes = laid(over, _original(uid, own, records))
    shown = [one for one in here if one.shown]
    emptied_by = _last_of(r for r in records if r.kind in _EMPTYING and uid in r.study_uids)
    return {
        "attributes": attributes,
        "overlay": over or None,
        **column_values(Level.STUDY, attributes),
        "status": status_of(r for r in records if uid in r.study_uids),
        "modalities": sorted({row["modality"] for one in shown if (row := rows[one.id])} - {""}),
        "sop_classes": sorted({sop_class for one in shown for sop_class in one.sop_classes}),
        "series_count": len(shown),
        "instance_count": sum(one.shown for one in shown),
        "size_bytes": sum(one.size_bytes for one in shown),
        "deleted_by": None if shown else emptied_by,
        **_moments(uid, here, own, naming),
    }


def _original(uid: str, own: Sequence[SeriesSummary], records: Sequence[Record]) -> DicomJson:
    """The patient and study attributes before any edit: of the first object, else as the last move to here found them."""
    still_here = [one for one in own if one.study_uid == uid]
    if own:
        first = min(still_here or own, key=lambda one: one.precedence)
        return attributes_at(Level.STUDY, first.header)
    found = [r.after["original"] for r in records if r.after.get("study_uid") == uid]
    return found[-1] if found else {STUDY_INSTANCE_UID: {"vr": "UI", "Value": [uid]}}


def _moments(
    uid: str, here: Sequence[SeriesSummary], own: Sequence[SeriesSummary], naming: Sequence[Record]
) -> dict[str, datetime]:
    """When the object that speaks for the study came, and the last one.

    What is stored later than the first moment changes no attribute: ingest relies on it. An emptied study keeps to what no
    later arrival changes.
    """
    speaking = [one.spoken_for_at for one in here if one.shown and one.received_study_uid == uid]
    firsts = speaking or [one.first_received_at for one in here or own]
    lasts = [one.last_received_at for one in here] or firsts
    first = min((moment for moment in firsts if moment), default=None) or naming[0].made_at
    last = max((moment for moment in lasts if moment), default=first) if here else first
    return {"first_received_at": first, "last_received_at": last}


def _last_of(records: Iterable[Record]) -> str:
    """The last of the edits that took something out of sight."""
    return max(((record.made_at, record.id) for record in records), default=(None, SUPERSEDED))[1]
