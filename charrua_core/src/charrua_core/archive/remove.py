"""Deleting: objects go out of sight at once, and their files some days later, until when the deletion can be undone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.edit import record as edit_record
from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit.effective import in_force, lock, refresh
from charrua_core.archive.edit.make import invalid_unless, make, patiently
from charrua_core.archive.edit.record import Record
from charrua_core.errors import HeaderDamaged, StorageFailed, StudyNotFound
from charrua_core.jobs import JobType
from charrua_core.types import SYSTEM, Identity, Level, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

PURGE = "purge"
RETRIES_S = (60.0, 3600.0, 86400.0, 7 * 86400.0)
_OBJECTS_AT_ONCE = 500

log = logging.getLogger(__name__)


async def delete(
    app: App,
    identity: Identity,
    level: Level,
    uid: str,
    *,
    study_uid: str | None = None,
    reason: str = "",
    origin: Origin | None = None,
) -> Record:
    """Take a study, series or image out of sight; its files are removed after `undo_days`.

    `study_uid` tells series of one UID in two studies apart. Raises NotPermitted, StudyNotFound, EditInvalid.
    """

    async def plan(tx: AsyncConnection) -> Record:
        targets = await _TARGETS[level](tx, identity, uid, study_uid)
        invalid_unless(targets["arrivals"], "there is nothing left to delete")
        return Record.new("delete", identity.name, targets, reason=reason)

    async def then(tx: AsyncConnection, record: Record) -> None:
        await plan_purge(app, tx, record)

    return await make(app, identity, "delete", origin, plan, then)


async def delete_parts(
    app: App,
    identity: Identity,
    study_uid: str,
    series_uids: Collection[str],
    sop_instance_uids: Collection[str] = (),
    *,
    reason: str = "",
    origin: Origin | None = None,
) -> Record:
    """Take some series and objects of a study out of sight, as one deletion; raises as `delete`."""

    async def plan(tx: AsyncConnection) -> Record:
        parts = [await _series_targets(tx, identity, uid, study_uid) for uid in sorted(set(series_uids))]
        for uid in sorted(set(sop_instance_uids)):
            parts.append(await _object_targets(tx, identity, uid, None))
            if study_uid not in parts[-1]["study_uids"]:
                raise StudyNotFound
        arrivals = list(dict.fromkeys(arrival for part in parts for arrival in part["arrivals"]))
        invalid_unless(arrivals, "there is nothing left to delete")
        uids = sorted({study_uid, *(uid for part in parts for uid in part["study_uids"])})
        level = Level.SERIES if series_uids else Level.IMAGE
        targets = {"level": str(level), "study_uids": uids, "arrivals": arrivals}
        return Record.new("delete", identity.name, targets, reason=reason)

    async def then(tx: AsyncConnection, record: Record) -> None:
        await plan_purge(app, tx, record)

    return await make(app, identity, "delete", origin, plan, then)


async def plan_purge(app: App, tx: AsyncConnection, record: Record) -> None:
    """Have the files of a deletion removed when it can no longer be undone."""
    run_at = record.made_at + timedelta(days=app.settings["undo_days"])
    await app.jobs.enqueue(PURGE, {"edit": record.id}, lane=PURGE, run_at=run_at, dedup_key=record.id, tx=tx)


def purge_job(app: App) -> JobType:
    """The job that removes the files of a deletion for good."""

    async def run(payload: Mapping[str, Any]) -> None:
        await purge(app, payload["edit"])

    return JobType(PURGE, run, retry_after=RETRIES_S)


async def purge(app: App, edit_id: str) -> int:
    """Remove the files of a deletion that is still in force; gives their number.

    It may be done again and again. Raises StorageFailed at the end when some files could not be removed: the others are.
    """
    async with app.db.singleton(f"purge {edit_id}") as alone:
        if not alone:
            raise StorageFailed("another process removes these files")
        record = await _begin_purge(app, edit_id)
        return 0 if record is None else await _remove_all(app, edit_id, record)


async def _remove_all(app: App, edit_id: str, record: Record) -> int:
    removed, stuck = 0, 0
    after = 0
    while objects := await _deleted(app, edit_id, after):
        after = objects[-1]["id"]
        removals = await asyncio.gather(*(_remove_file(app, row) for row in objects))
        gone = [row["id"] for row, is_gone in zip(objects, removals, strict=True) if is_gone]
        await patiently(partial(_forget, app, gone, record.study_uids))
        removed += len(gone)
        stuck += len(objects) - len(gone)
    log.info("purged", extra={"action": "purge", "edit": edit_id, "objects": removed})
    if stuck:
        raise StorageFailed(f"{stuck} of {stuck + removed} deleted files could not be removed")
    return removed


async def _begin_purge(app: App, edit_id: str) -> Record | None:
    """Record that the files go now, after which the deletion cannot be undone; None when it was undone before."""
    async with app.db.reading() as connection:
        record = await edit_record.find(connection, edit_id)
        if record is None or record.kind != "delete" or record.undone_by is not None:
            return None
        others = await in_force(connection, record.study_uids)
    if not any(other.kind == "purge" and other.targets["edit"] == edit_id for other in others):
        await make(app, SYSTEM, "delete", Origin("job"), lambda tx: _purge_record(tx, edit_id))
    return record


async def _purge_record(tx: AsyncConnection, edit_id: str) -> Record:
    record = await edit_record.get(tx, edit_id)
    invalid_unless(record.undone_by is None, "the deletion was undone")
    return Record.new("purge", SYSTEM.name, {"study_uids": record.study_uids, "edit": edit_id})


async def _deleted(app: App, edit_id: str, after: int) -> Sequence[RowMapping]:
    instance = tables.instance.c
    columns = (instance.id, instance.volume_id, instance.path, instance.sop_instance_uid, instance.arrival_id)
    statement = select(*columns)
    statement = statement.where(instance.deleted_by == edit_id, instance.id > after)
    async with app.db.reading() as connection:
        rows = await connection.execute(statement.order_by(instance.id).limit(_OBJECTS_AT_ONCE))
        return rows.mappings().all()


async def _remove_file(app: App, row: RowMapping) -> bool:
    try:
        volume = app.volumes.by_id(row["volume_id"])
        if await asyncio.to_thread(is_still, volume.path(row["path"]), row["arrival_id"]):
            await volume.remove(row["path"])
    except StorageFailed as error:
        log.error("a deleted file stays", extra={"action": "purge", "object": row["sop_instance_uid"]}, exc_info=error)
        return False
    return True


def is_still(path: Path, arrival_id: UUID) -> bool:
    """Whether no other object got the place: one that came after a purge had removed the file, and then was broken off."""
    try:
        arrival = read_file_meta(path).arrival
    except (HeaderDamaged, OSError):
        return True
    return arrival is None or UUID(arrival.arrival_id) == arrival_id


async def _forget(app: App, ids: Sequence[int], study_uids: Sequence[str]) -> None:
    """Take the rows of objects whose files are gone out of the index."""
    async with app.db.transaction() as tx:
        await edit_record.lock_edits(tx)
        studies = await lock(tx, {*study_uids, *await _with_versions(tx, ids)})
        await tx.execute(tables.instance.delete().where(tables.instance.c.id.in_(ids)))
        await refresh(tx, studies)


async def _with_versions(tx: AsyncConnection, ids: Sequence[int]) -> Sequence[str]:
    """The studies that have a version of these objects: it may be counted anew."""
    gone, other = tables.instance.alias(), tables.instance.alias()
    statement = select(tables.study.c.study_uid).distinct().select_from(gone)
    statement = statement.join(other, other.c.sop_instance_uid == gone.c.sop_instance_uid)
    statement = statement.join(tables.series, tables.series.c.id == other.c.series_id)
    statement = statement.join(tables.study, tables.study.c.id == tables.series.c.study_id)
    return (await tx.scalars(statement.where(gone.c.id.in_(ids)))).all()


async def _study_targets(tx: AsyncConnection, identity: Identity, uid: str, _: str | None) -> dict[str, Any]:
    [study] = await edit_targets.whole_studies(tx, identity, uid)
    keys = await edit_targets.series_keys(tx, study["id"])
    series = tables.series.c
    ids = list(await tx.scalars(select(series.id).where(series.study_id == study["id"])))
    return _named(Level.STUDY, uid, keys, await edit_targets.arrivals_in(tx, ids))


async def _series_targets(tx: AsyncConnection, identity: Identity, uid: str, study_uid: str | None) -> dict[str, Any]:
    series, study = await edit_targets.one_series(tx, identity, uid, study_uid)
    key = [series["received_study_uid"], uid]
    return _named(Level.SERIES, study["study_uid"], [key], await edit_targets.arrivals_in(tx, [series["id"]]))


async def _object_targets(tx: AsyncConnection, identity: Identity, uid: str, _: str | None) -> dict[str, Any]:
    """An object with its other versions in the same series."""
    row, series, study = await edit_targets.one_object(tx, identity, uid)
    instance = tables.instance.c
    versions = (instance.sop_instance_uid == uid, instance.series_id == row["series_id"], instance.deleted_by.is_(None))
    arrivals = await tx.scalars(select(instance.arrival_id).where(*versions).order_by(instance.version))
    key = [series["received_study_uid"], series["series_uid"]]
    return _named(Level.IMAGE, study["study_uid"], [key], [arrival.hex for arrival in arrivals])


_TARGETS = {Level.STUDY: _study_targets, Level.SERIES: _series_targets, Level.IMAGE: _object_targets}


def _named(level: Level, study_uid: str, keys: list[list[str]], arrivals: list[str]) -> dict[str, Any]:
    uids = sorted({study_uid, *(received for received, _ in keys)})
    return {"level": str(level), "study_uids": uids, "arrivals": arrivals}
