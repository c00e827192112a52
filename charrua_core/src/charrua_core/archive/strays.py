"""What becomes of files that no object of the index speaks of: removed, or taken in as objects."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from charrua_core import changes
from charrua_core.archive.check import Finding
from charrua_core.archive.effective import refresh
from charrua_core.archive.moves import relocate
from charrua_core.archive.regenerate_files import Found, index_files, read_files
from charrua_core.tables import instance

if TYPE_CHECKING:
    from charrua_core.app import App


async def remove_strays(app: App, findings: Sequence[Finding]) -> list[Finding]:
    """Remove the stray files for good; gives those that were removed."""
    strays = [one for one in findings if one.kind == "stray"]
    for one in strays:
        await app.volumes.by_id(one.volume_id).remove(one.path)
    return strays


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
    async with app.db.transaction() as tx:
        await tx.execute(text("SELECT 1"))  # begins the transaction of the driver's connection
        driver = (await tx.get_raw_connection()).driver_connection
        await index_files(driver, [found])
        await changes.append(tx, "object", found.row["change"])
        await refresh(tx, await relocate(tx, [found.row["study_uid"]]))
    return True


async def _has(app: App, found: Found) -> bool:
    """Whether the index has an object of this UID with the same bytes."""
    same = (
        instance.c.sop_instance_uid == found.row["sop_instance_uid"],
        instance.c.dataset_digest == bytes.fromhex(found.row["dataset_digest"]),
        instance.c.deleted_by.is_(None),
    )
    async with app.db.reading() as connection:
        return await connection.scalar(select(instance.c.id).where(*same)) is not None
