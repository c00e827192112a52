"""Where a series is, as a function of the study it was received for and of the moves in force.

A series follows its own assignments, and the merges of the study in which it is at that moment, in the order in which they
were made. So a series that comes after a merge goes where the others went, and undoing a merge brings all of them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.edit.effective import in_force, lock
from charrua_core.archive.edit.record import Record


def is_move(record: Record) -> bool:
    """Whether the record moves series from one study to another."""
    return record.kind == "assign_series" or (record.kind == "merge" and "into" in record.targets)


def destination(received_study_uid: str, series_uid: str | None, moves: Iterable[Record]) -> str:
    """The study in which a series is after these moves, oldest first; without `series_uid`, one that comes only now."""
    study_uid = received_study_uid
    for move in moves:
        if move.kind == "merge":
            study_uid = move.targets["into"] if move.targets["from"] == study_uid else study_uid
        elif [received_study_uid, series_uid] in move.targets["series"]:
            study_uid = move.after["study_uid"]
    return study_uid


async def relocate(tx: AsyncConnection, study_uids: Iterable[str]) -> set[str]:
    """Put the series of these studies, and of those they are moved to and from, where they belong.

    Gives all studies whose rows may have to be refreshed.
    """
    uids, moves = await _moves_about(tx, set(study_uids))
    ids = await _rows_for(tx, uids)
    await _move_series(tx, uids, moves, ids)
    merged = [{"row": ids[uid], "target": _merged_into(uid, moves, ids)} for uid in sorted(uids)]
    study = tables.study
    await tx.execute(
        study.update().where(study.c.id == bindparam("row")).values(merged_into=bindparam("target")), merged
    )
    return uids


async def lock_about(tx: AsyncConnection, study_uids: Iterable[str]) -> None:
    """Lock these studies and all that a move among them may touch, before anything is written."""
    uids, _ = await _moves_about(tx, set(study_uids))
    await lock(tx, uids)


async def _moves_about(tx: AsyncConnection, uids: set[str]) -> tuple[set[str], list[Record]]:
    """The moves that touch these studies or others that those touch, and all these studies."""
    while True:
        moves = [record for record in await in_force(tx, uids) if is_move(record)]
        received = await tx.scalars(_RECEIVED, {"uids": sorted(uids)})
        reached = uids | {uid for move in moves for uid in move.study_uids} | set(received)
        if reached == uids:
            return uids, moves
        uids = reached


_RECEIVED = text("""
    SELECT DISTINCT s.received_study_uid FROM core.series s JOIN core.study t ON t.id = s.study_id
    WHERE t.study_uid = ANY(:uids)
    UNION SELECT DISTINCT t.study_uid FROM core.series s JOIN core.study t ON t.id = s.study_id
    WHERE s.received_study_uid = ANY(:uids)
""")


async def _rows_for(tx: AsyncConnection, uids: set[str]) -> dict[str, int]:
    """The studies' rows, locked in the order of their UIDs, made where a study has no object of its own any more."""
    study = tables.study
    await tx.execute(insert(study).on_conflict_do_nothing(), [{"study_uid": uid} for uid in sorted(uids)])
    rows = select(study.c.study_uid, study.c.id).where(study.c.study_uid.in_(uids))
    found = await tx.execute(rows.order_by(study.c.study_uid).with_for_update(key_share=True))
    return {row.study_uid: row.id for row in found}


async def _move_series(tx: AsyncConnection, uids: set[str], moves: Sequence[Record], ids: dict[str, int]) -> None:
    series = tables.series
    columns = (series.c.id, series.c.received_study_uid, series.c.series_uid, series.c.study_id)
    found = await tx.execute(select(*columns).where(series.c.received_study_uid.in_(uids)))
    places = [(row, ids[destination(row.received_study_uid, row.series_uid, moves)]) for row in found]
    moved = [{"row": row.id, "target": place} for row, place in places if row.study_id != place]
    if moved:
        await tx.execute(
            series.update().where(series.c.id == bindparam("row")).values(study_id=bindparam("target")), moved
        )


def _merged_into(uid: str, moves: Sequence[Record], ids: dict[str, int]) -> int | None:
    final = destination(uid, None, moves)
    return None if final == uid else ids[final]
