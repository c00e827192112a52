"""What goes on by itself: steps that are older than `mpps_retention` are removed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func

from charrua_core.services.service import Background
from charrua_hl7.tables import performed, performed_entry

if TYPE_CHECKING:
    from charrua_core.app import App

EVERY_S = 3600.0


def performed_upkeep(app: App) -> Background:
    """Give the service."""
    return Background("performed steps upkeep", "jobs", partial(_keep, app))


async def _keep(app: App) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        await remove_old_steps(app)


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
