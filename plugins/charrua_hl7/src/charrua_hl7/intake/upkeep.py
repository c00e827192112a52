"""What goes on by itself: messages that wait are processed, and old ones removed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from charrua_core.types import SYSTEM
from charrua_hl7.intake.messages import process_again
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App

EVERY_S = 3600.0
LOOK_EVERY_S = 60.0
AT_A_TIME = 1000


async def finish(app: App) -> None:
    """Process what waits, as a crash or a command may have left it, without end."""
    while True:
        async with app.db.singleton("charrua hl7 messages") as alone:
            while alone and await process_waiting(app):
                pass
        await asyncio.sleep(LOOK_EVERY_S)


async def process_waiting(app: App) -> int:
    """Process some messages that wait, the oldest first; gives how many."""
    statement = select(message.c.id).where(message.c.state == "waiting", message.c.direction == "in")
    async with app.db.reading() as connection:
        ids = (await connection.scalars(statement.order_by(message.c.id).limit(AT_A_TIME))).all()
    return len(await process_again(app, SYSTEM, ids))


async def forget(app: App) -> None:
    """Remove what is old, without end."""
    while True:
        removed = await remove_old(app)
        await asyncio.sleep(0.1 if removed == AT_A_TIME else EVERY_S)


async def remove_old(app: App) -> int:
    """Remove some of the messages that were processed longer ago than `hl7_retention`; gives how many."""
    retention: timedelta = app.settings["hl7_retention"]
    if not retention:
        return 0
    over = (message.c.at < func.now() - retention, message.c.state != "waiting")
    old = select(message.c.id).where(*over).order_by(message.c.at).limit(AT_A_TIME)
    async with app.db.transaction() as tx:
        return (await tx.execute(delete(message).where(message.c.id.in_(old)))).rowcount
