"""An object's file replaced by another that holds the same: the new one in its place, the row switched, the old one removed.

The old file goes some time after the commit: who read the row before may just be sending it. A crash leaves at worst a file
that no row speaks of; the index built from the files alone takes the one that was made last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import changes, faults
from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.edit.effective import lock
from charrua_core.archive.index.patience import doubted_transaction, patiently
from charrua_core.archive.index.rows import Filed
from charrua_core.archive.remove import is_still
from charrua_core.errors import StorageFailed
from charrua_core.jobs import JobType
from charrua_core.tables import instance, job, series, study

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.db import Database

DISCARD = "discard"
READERS_S = 3600.0
"""Longer than anybody takes from an object's row to its file."""
RETRIES_S = (60.0, 3600.0, 86400.0)

log = logging.getLogger(__name__)


async def replace_file(app: App, old: RowMapping, filed: Filed) -> bool:
    """Have the object's row speak of the new file, which lies in its place, and the old one removed when nobody reads it.

    `old` is the row as it was when the new file was made from its file. False says that the object has been removed, or
    given another file, meanwhile: nothing was changed. Raises DatabaseUnavailable, or CommitUnknown where the row may
    speak of the new file.
    """
    return await patiently(lambda: _replace(app, old, filed))


async def _replace(app: App, old: RowMapping, filed: Filed) -> bool:
    async with doubted_transaction(app.db) as tx:
        study_uid = await tx.scalar(_STUDY, {"id": old["id"]})
        if study_uid is None:
            return False
        await lock(tx, {study_uid})
        statement = select(instance).where(instance.c.id == old["id"]).with_for_update()
        row = (await tx.execute(statement)).mappings().first()
        if row is None or (row["volume_id"], row["path"]) != (old["volume_id"], old["path"]):
            return row is not None and (row["volume_id"], row["path"]) == (filed.volume_id, filed.path)
        await tx.execute(instance.update().where(instance.c.id == old["id"]).values(_values(filed)))
        if row["current"] and row["deleted_by"] is None:
            await _count(tx, row["series_id"], filed.size_bytes - row["size_bytes"])
        await _plan_discard(app, tx, row)
        await changes.append(tx, "transcoded", _change(study_uid, filed, row))
        faults.passing("before_commit")
    faults.passing("after_commit")
    return True


def _values(filed: Filed) -> dict[str, Any]:
    header, as_received = filed.header, filed.arrival.as_received
    assert as_received is not None  # noqa: S101  it is what this is for
    return {
        "transfer_syntax_uid": filed.transfer_syntax_uid,
        "bits_allocated": header.bits_allocated,
        "volume_id": filed.volume_id,
        "path": filed.path,
        "size_bytes": filed.size_bytes,
        "dataset_offset": filed.dataset_offset,
        "meta_digest": filed.meta_digest,
        "dataset_digest": filed.dataset_digest,
        "header": pack_json(header.json),
        "pixel_data_offset": header.pixel_data_offset,
        "frame_offsets": header.frame_offsets,
        "unparsed": header.unparsed,
        "received_syntax_uid": as_received.transfer_syntax_uid,
        "received_digest": as_received.dataset_digest,
        "transcoded_at": as_received.transcoded_at,
    }


async def _count(tx: AsyncConnection, series_id: int, more_bytes: int) -> None:
    grown = series.update().where(series.c.id == series_id).values(size_bytes=series.c.size_bytes + more_bytes)
    study_id = await tx.scalar(grown.returning(series.c.study_id))
    await tx.execute(study.update().where(study.c.id == study_id).values(size_bytes=study.c.size_bytes + more_bytes))


def _change(study_uid: str, filed: Filed, row: RowMapping) -> dict[str, Any]:
    return {
        "study_uid": study_uid,
        "series_uid": filed.header.series_instance_uid,
        "sop_instance_uid": row["sop_instance_uid"],
        "version": row["version"],
        "transfer_syntax_uid": filed.transfer_syntax_uid,
        "size_bytes": filed.size_bytes,
    }


_STUDY = text("""
    SELECT t.study_uid FROM core.instance i JOIN core.series s ON s.id = i.series_id JOIN core.study t ON t.id = s.study_id
    WHERE i.id = :id
""")


# -- the old file ----------------------------------------------------------------------------------------------------------
async def _plan_discard(app: App, tx: AsyncConnection, row: RowMapping) -> None:
    payload = {
        "volume_id": row["volume_id"],
        "path": row["path"],
        "sop_instance_uid": row["sop_instance_uid"],
        "arrival_id": row["arrival_id"].hex,
    }
    run_at = app.jobs.clock.now() + timedelta(seconds=READERS_S)
    key = f"{row['volume_id']} {row['path']}"
    await app.jobs.enqueue(DISCARD, payload, lane=DISCARD, run_at=run_at, dedup_key=key, tx=tx)


def discard_job(app: App) -> JobType:
    """The job that removes a file that was replaced."""

    async def run(payload: Mapping[str, Any]) -> None:
        await discard(app, payload)

    return JobType(DISCARD, run, retry_after=RETRIES_S)


async def discard(app: App, payload: Mapping[str, Any]) -> None:
    """Remove a file that was replaced, unless the index speaks of it again.

    Raises StorageFailed where the file that took its place is not there as it should be: this one stays then.
    """
    async with app.db.reading() as connection:
        wanted = instance.c.sop_instance_uid == payload["sop_instance_uid"]
        rows = (await connection.execute(select(instance).where(wanted))).mappings().all()
    if any((row["volume_id"], row["path"]) == (payload["volume_id"], payload["path"]) for row in rows):
        return
    for row in rows:
        if row["arrival_id"].hex == payload["arrival_id"]:
            size = await app.volumes.by_id(row["volume_id"]).size_bytes(row["path"])
            if size != row["size_bytes"]:
                raise StorageFailed("the file that replaced this one is not there as it was written")
    volume = app.volumes.by_id(payload["volume_id"])
    if await asyncio.to_thread(is_still, volume.path(payload["path"]), UUID(payload["arrival_id"])):
        await volume.remove(payload["path"])
        log.info("a replaced file is removed", extra={"action": "discard", "object": payload["sop_instance_uid"]})


async def to_be_discarded(db: Database, volume_id: int, paths: Collection[str]) -> set[str]:
    """Give those of the paths on the volume whose files were replaced and are still to be removed."""
    if not paths:
        return set()
    waits = (job.c.kind == DISCARD, job.c.lane == DISCARD, job.c.state.in_(("due", "running")))
    path = job.c.payload["path"].astext
    here = (job.c.payload["volume_id"].astext == str(volume_id), path.in_(paths))
    async with db.reading() as connection:
        return set(await connection.scalars(select(path).where(*waits, *here)))
