"""What becomes of files that no object of the index speaks of: removed, or taken in as objects."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from charrua_core import changes, tables
from charrua_core.archive.check.check import Finding
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.edit.effective import refresh
from charrua_core.archive.edit.make import patiently
from charrua_core.archive.edit.moves import relocate
from charrua_core.archive.regenerate.files import Found, index_files, read_files
from charrua_core.archive.regenerate.regenerate import RegenerationRuns, under_way
from charrua_core.errors import HeaderDamaged
from charrua_core.tables import instance

if TYPE_CHECKING:
    from charrua_core.app import App

ON_ITS_WAY_S = 600.0
"""Far longer than an object can lie in its place before its row is committed, or is not."""


async def remove_strays(app: App, findings: Sequence[Finding], *, age_s: float = ON_ITS_WAY_S) -> list[Finding]:
    """Remove the stray files for good; gives those that were removed.

    Left alone is what has its name for less than `age_s`, as its row may be on its way, and what is older than the index's
    knowledge of its volume: that is to be regenerated. Raises RegenerationRuns while the index is not whole.
    """
    if await under_way(app.db):
        raise RegenerationRuns("the index is not whole: run `charrua archive regenerate` to its end")
    removed = []
    for one in findings:
        volume = app.volumes.by_id(one.volume_id)
        since = await _known_since(app, volume.id)
        if one.kind == "stray" and await asyncio.to_thread(_may_go, volume.path(one.path), since, age_s):
            await volume.remove(one.path)
            removed.append(one)
    return removed


async def _known_since(app: App, volume_id: int) -> datetime:
    async with app.db.reading() as connection:
        statement = select(tables.volume.c.opened_at).where(tables.volume.c.id == volume_id)
        since: datetime = (await connection.execute(statement)).scalar_one()
    return since


def _may_go(path: Path, since: datetime, age_s: float) -> bool:
    """Whether the file came after `since`, and has had its name for so long."""
    try:
        stat = path.stat()
        arrival = read_file_meta(path).arrival
    except HeaderDamaged:
        arrival = None
    except OSError:
        return False
    came = min(stat.st_mtime, stat.st_ctime, arrival.received_at.timestamp() if arrival else stat.st_mtime)
    return came >= since.timestamp() and time.time() - stat.st_ctime >= age_s


async def adopt_strays(app: App, findings: Sequence[Finding]) -> list[Finding]:
    """Take stray files into the index as objects, by their own record of arrival; gives those that were taken.

    What is no DICOM object, or has the bytes of an object that the index has, stays a stray.
    """
    return [one for one in findings if one.kind == "stray" and await _adopt(app, one)]


async def _adopt(app: App, stray: Finding) -> bool:
    volume = app.volumes.by_id(stray.volume_id)
    [found] = await asyncio.to_thread(read_files, os.fspath(volume.root), volume.id, [stray.path])
    if not isinstance(found, Found) or await _has(app, found):
        return False
    await patiently(lambda: _take_in(app, found))
    return True


async def _take_in(app: App, found: Found) -> None:
    async with app.db.transaction() as tx:
        await tx.execute(text("SELECT 1"))  # begins the transaction of the driver's connection
        driver = (await tx.get_raw_connection()).driver_connection
        await index_files(driver, [found])
        await changes.append(tx, "object", found.row["change"])
        await refresh(tx, await relocate(tx, [found.row["study_uid"]]))


async def _has(app: App, found: Found) -> bool:
    """Whether the index has an object of this UID with the same bytes, as they came or as they were transcoded."""
    digest = bytes.fromhex(found.row.get("received_digest", found.row["dataset_digest"]))
    same = (
        instance.c.sop_instance_uid == found.row["sop_instance_uid"],
        func.coalesce(instance.c.received_digest, instance.c.dataset_digest) == digest,
        instance.c.deleted_by.is_(None),
    )
    async with app.db.reading() as connection:
        return await connection.scalar(select(instance.c.id).where(*same)) is not None
