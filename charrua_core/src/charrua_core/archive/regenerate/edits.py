"""The journals of all volumes replayed over the objects: the edits as they were in force."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import journal
from charrua_core.archive.edit import record as edit_record
from charrua_core.archive.edit.effective import KEEPING, NAMING
from charrua_core.archive.edit.journal import Aborted, Damaged
from charrua_core.archive.edit.make import mark_deleted, overlay_objects
from charrua_core.archive.edit.moves import is_move, relocate
from charrua_core.archive.edit.record import Record
from charrua_core.archive.remove import plan_purge
from charrua_core.tables import edit, instance, series, study

if TYPE_CHECKING:
    from pathlib import Path

    from charrua_core.app import App

_AT_ONCE = 500
_LONGEST_ON_ITS_WAY = timedelta(hours=1)


async def replay(app: App) -> tuple[int, list[Damaged], list[str]]:
    """Put all edits back; gives their number, the damaged lines, and the files that are copies of others.

    It may be done again after it was broken off.
    """
    paths = [path for volume in app.volumes.all() for path in journal.files(volume.root)]
    aborted, undone, damaged = await asyncio.to_thread(_survey, paths)
    async with app.db.transaction() as tx:
        count = 0
        for records in _batches(paths, aborted):
            count += await _insert(tx, records, undone)
        await _overlay(tx)
        await _apply(app, tx)
        return count, damaged, await _drop_copies(tx)


def _survey(paths: Sequence[Path]) -> tuple[set[str], dict[str, str], list[Damaged]]:
    """What must be known before any record is taken: which were aborted and which undone, and by what."""
    aborted: set[str] = set()
    undone: dict[str, str] = {}
    damaged: list[Damaged] = []
    for path in paths:
        for line in journal.read(path):
            if isinstance(line, Aborted):
                aborted.add(line.id)
            elif isinstance(line, Damaged):
                damaged.append(line)
            else:
                aborted.discard(line.id)  # a transaction made again writes its records again
                if line.kind == "undo":
                    undone[line.id] = line.targets["edit"]
    return aborted, {edited: undo for undo, edited in undone.items() if undo not in aborted}, damaged


def _batches(paths: Sequence[Path], aborted: set[str]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for path in paths:
        for line in journal.read(path):
            if isinstance(line, Record) and line.id not in aborted:
                batch.append(line)
            if len(batch) == _AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch


async def _insert(tx: AsyncConnection, records: Sequence[Record], undone: dict[str, str]) -> int:
    rows = [edit_record.row_of(record) | {"undone_by": undone.get(record.id)} for record in records]
    await tx.execute(insert(edit).on_conflict_do_nothing(), rows)
    return len(rows)


async def _overlay(tx: AsyncConnection) -> None:
    """Lay over the objects what they were given on arrival and by edits of their own."""
    last = ""
    uid = edit.c.targets["sop_instance_uid"].astext
    while True:
        statement = select(uid).distinct().where(edit.c.targets.has_key("sop_instance_uid"), uid > last)
        uids = list(await tx.scalars(statement.order_by(uid).limit(_AT_ONCE)))
        if not uids:
            return
        await overlay_objects(tx, uids)
        last = uids[-1]


async def _apply(app: App, tx: AsyncConnection) -> None:
    """Move and delete, as the records in force say."""
    wanted = edit.c.kind.in_({"delete", *KEEPING}) & edit.c.undone_by.is_(None)
    rows = await tx.execute(select(edit).where(wanted).order_by(edit.c.made_at, edit.c.seq))
    records = [edit_record.of_row(row) for row in rows.mappings()]
    await _keep_rows(tx, records)
    moved = {uid for record in records if is_move(record) for uid in record.study_uids}
    if moved:
        await relocate(tx, moved)
    for record in records:
        if record.kind == "delete" and await mark_deleted(tx, record):
            await plan_purge(app, tx, record)


async def _keep_rows(tx: AsyncConnection, records: Sequence[Record]) -> None:
    """Make the rows that edits in force are about and that no file tells of any more."""
    kept = {uid for record in records if record.kind in KEEPING for uid in record.study_uids}
    if kept:
        await tx.execute(insert(study).on_conflict_do_nothing(), [{"study_uid": uid} for uid in sorted(kept)])
    for record in records:
        for received, uid in record.targets.get("series", ()) if record.kind in NAMING else ():
            row = {"received_study_uid": received, "series_uid": uid}
            home = select(study.c.id).where(study.c.study_uid == received).scalar_subquery()
            await tx.execute(insert(series).values(study_id=home, **row).on_conflict_do_nothing())


async def _drop_copies(tx: AsyncConnection) -> list[str]:
    """Take files out again that are no version but a copy: the same bytes as another one that was there when they came.

    A store that a crash ended leaves such a file, and the sender stores the object again. What an object was before the
    archive transcoded it is a copy, too; the file that was made last counts.
    """
    key = (
        instance.c.sop_instance_uid,
        func.coalesce(instance.c.received_digest, instance.c.dataset_digest).label("digest"),
        func.coalesce(instance.c.received_syntax_uid, instance.c.transfer_syntax_uid).label("syntax"),
    )
    several = select(*key).group_by(*key).having(func.count() > 1).subquery()
    columns = (
        instance.c.id,
        instance.c.path,
        instance.c.received_at,
        instance.c.arrival_id,
        series.c.received_study_uid,
    )
    statement = (
        select(*key, *columns)
        .join(several, and_(*(column == one for column, one in zip(key, several.c, strict=True))))
        .join(series, series.c.id == instance.c.series_id)
        .order_by(
            *key,
            instance.c.received_at,
            instance.c.arrival_id,
            instance.c.transcoded_at.desc().nulls_last(),
            func.length(instance.c.path),
            instance.c.path,
        )
    )
    copies = []
    for _, versions in groupby((await tx.execute(statement)).all(), key=lambda row: row[: len(key)]):
        first, *others = await _named_first(tx, list(versions))
        for row in others:
            if row.received_at > first.received_at and await _came_after_a_deletion(tx, first, row):
                first = row
            else:
                copies.append(row)
    await tx.execute(instance.delete().where(instance.c.id.in_([row.id for row in copies])))
    return [row.path for row in copies]


async def _named_first(tx: AsyncConnection, versions: list[Any]) -> list[Any]:
    """In the order of arrival, but first those that a record names: of these it is certain that they were in the index."""
    records = await edit_record.on_objects(tx, [versions[0].sop_instance_uid])
    records += await edit_record.touching(tx, sorted({row.received_study_uid for row in versions}))
    named = {arrival for record in records for arrival in record.arrivals}
    return sorted(versions, key=lambda row: row.arrival_id.hex not in named)


async def _came_after_a_deletion(tx: AsyncConnection, first: Any, row: Any) -> bool:
    """Whether the first one was out of sight when the other was stored: a deletion names it, and not the other.

    An object may have been on its way in while the deletion was made; what is much older was there and is a copy.
    """
    records = await edit_record.touching(tx, [first.received_study_uid])
    return any(
        record.kind == "delete"
        and first.arrival_id.hex in record.arrivals
        and row.arrival_id.hex not in record.arrivals
        and row.received_at > record.made_at - _LONGEST_ON_ITS_WAY
        for record in records
    )
