"""What goes on by itself: subscribers are told of a start, and what is over is removed after a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, select

from charrua_core.archive.index.levels import tag_of
from charrua_core.services.service import Background
from charrua_core.types import DicomJson
from charrua_ups.events import Event, write
from charrua_ups.model import FINAL, WORKLIST, EventType, element
from charrua_ups.tables import event, subscription, workitem, worklist_subscription

if TYPE_CHECKING:
    from charrua_core.app import App

EVERY_S = 3600.0
KEEP_TOLD = timedelta(hours=1)
KEEP_DUE = timedelta(days=7)

_RESTARTED: DicomJson = {
    tag_of("SCPStatus"): element("CS", "RESTARTED"),
    tag_of("SubscriptionListStatus"): element("CS", "WARM START"),
    tag_of("UnifiedProcedureStepListStatus"): element("CS", "WARM START"),
}
"""Nothing is lost over a restart (PS3.4 table CC.2.4-1)."""


def upkeep(app: App) -> Background:
    """Give the service."""
    return Background("ups upkeep", "jobs", partial(_keep, app))


async def _keep(app: App) -> None:
    async with app.db.singleton("charrua ups start") as alone:
        if alone:
            await tell_start(app)
    while True:
        await asyncio.sleep(EVERY_S)
        await remove_what_is_over(app)


async def tell_start(app: App) -> None:
    """Tell the AEs that are subscribed to the worklist that the archive has started (PS3.4 CC.2.4.3)."""
    async with app.db.transaction() as tx:
        aets = (await tx.scalars(select(worklist_subscription.c.aet).distinct())).all()
        started = Event(EventType.SCP_STATUS_CHANGE, _RESTARTED)
        await write(app, tx, {aet: [(WORKLIST, started)] for aet in aets})


async def remove_what_is_over(app: App) -> int:
    """Remove final workitems after `ups_retention` unless a deletion lock holds them, and old events; give how many items."""
    retention: timedelta = app.settings["ups_retention"]
    held = exists().where(subscription.c.workitem_id == workitem.c.id, subscription.c.deletion_lock)
    removed = 0
    async with app.db.transaction() as tx:
        if retention:
            over = (workitem.c.state.in_(FINAL), workitem.c.changed_at < func.now() - retention, ~held)
            removed = (await tx.execute(delete(workitem).where(*over))).rowcount
        await tx.execute(delete(event).where(~event.c.due, event.c.created_at < func.now() - KEEP_TOLD))
        await tx.execute(delete(event).where(event.c.created_at < func.now() - KEEP_DUE))
    return removed
