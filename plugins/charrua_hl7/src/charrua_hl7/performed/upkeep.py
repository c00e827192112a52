"""What goes on by itself: entries whose modality has forgotten to end its step are completed, and old steps removed.

A step that stays IN PROGRESS is the modality's to end: it is left as it is, and shown as silent after a day. Its entry does
not wait for it where the images are here.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, select

from charrua_core import tables
from charrua_core.services.service import Background
from charrua_hl7.performed.known import SILENT_AFTER
from charrua_hl7.performed.model import State
from charrua_hl7.performed.verdict import FORGOTTEN
from charrua_hl7.tables import entry, performed, performed_entry
from charrua_hl7.worklist.entries import Status, set_status

if TYPE_CHECKING:
    from charrua_core.app import App

EVERY_S = 3600.0
BATCH = 500


def performed_upkeep(app: App) -> Background:
    """Give the service."""
    return Background("performed steps upkeep", "jobs", partial(_keep, app))


async def _keep(app: App) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        async with app.db.singleton("charrua performed steps") as alone:
            if alone:
                await complete_forgotten(app)
                await remove_old_steps(app)


async def complete_forgotten(app: App) -> int:
    """Complete started entries whose study is here, and of whose steps in progress nothing was heard for a day.

    Gives how many.
    """
    going = select(performed.c.id).join(performed_entry, performed_entry.c.performed_id == performed.c.id)
    going = going.where(performed_entry.c.entry_id == entry.c.id, performed.c.status == State.IN_PROGRESS)
    uid = func.coalesce(func.nullif(entry.c.arrived_study_uid, ""), entry.c.study_uid)
    here = (tables.study.c.study_uid == uid, tables.study.c.deleted_by.is_(None), tables.study.c.instance_count > 0)
    forgotten = (
        entry.c.status == Status.STARTED,
        going.exists(),
        ~going.where(performed.c.changed_at > func.now() - SILENT_AFTER).exists(),
        exists().where(*here),
    )
    async with app.db.transaction() as tx:
        found = (await tx.scalars(select(entry.c.id).where(*forgotten).order_by(entry.c.id).limit(BATCH))).all()
        return len(await set_status(app, tx, found, Status.COMPLETED, FORGOTTEN, of={Status.STARTED}))


async def remove_old_steps(app: App) -> int:
    """Remove steps that nobody has set for as long as `mpps_retention`, and that perform no entry that is kept.

    Gives how many. What of them was not yet passed on goes with them.
    """
    retention: timedelta = app.settings["mpps_retention"]
    if not retention:
        return 0
    linked = exists().where(performed_entry.c.performed_id == performed.c.id)
    over = (performed.c.changed_at < func.now() - retention, ~linked)
    async with app.db.transaction() as tx:
        return (await tx.execute(delete(performed).where(*over))).rowcount
