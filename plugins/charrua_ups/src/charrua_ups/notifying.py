"""Notifications over WebSocket: the events of an AE's line, from the opening on, in order (PS3.18 8.10.4, 8.10.5)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from sqlalchemy import func, select

from charrua_core.app import App
from charrua_core.archive.search.sight import Sight
from charrua_core.types import DicomJson
from charrua_core.web import WebSocket
from charrua_ups import trail
from charrua_ups.events import CHANNEL
from charrua_ups.model import PUSH, Caller, element
from charrua_ups.rights import sight
from charrua_ups.subscriptions import receiver
from charrua_ups.tables import event, workitem

BATCH = 100
POLL_S = 10.0  # notifications make it faster
N_EVENT_REPORT = 0x0100


async def notify(socket: WebSocket) -> None:
    """Send the events of the AE that the path names, as the caller may see their workitems, until the socket is closed."""
    aet, seen = receiver(socket.parameters["aet"]), sight(socket.identity.row_filters)
    trail.watching(socket.app, Caller(socket.identity, socket.origin, aet), aet)
    wake = asyncio.Event()

    def told(payload: str) -> None:
        if payload in ("", aet):
            wake.set()

    stop = await socket.app.db.listen(CHANNEL, told)
    try:
        await _follow(socket, aet, seen, wake)
    finally:
        stop()


async def _follow(socket: WebSocket, aet: str, seen: Sight, wake: asyncio.Event) -> None:
    last, number = await _newest(socket.app, aet), 0
    while True:
        wake.clear()
        rows = await _since(socket.app, aet, last)
        for row in rows:
            last = row.id
            if not socket.identity.row_filters or seen(row.attributes or {}):
                number += 1
                await socket.send(orjson.dumps(as_dataset(row, number)).decode())
        if not rows:
            await _woken(wake)


async def _woken(wake: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_S):
            await wake.wait()
    except TimeoutError:
        return


async def _newest(app: App, aet: str) -> int:
    async with app.db.reading() as connection:
        return await connection.scalar(select(func.max(event.c.id)).where(event.c.aet == aet)) or 0


async def _since(app: App, aet: str, last: int) -> list[Any]:
    """Give the next events of the line, each with its workitem's attributes, None where there is none any more."""
    of = event.outerjoin(workitem, workitem.c.workitem_uid == event.c.workitem_uid)
    here = (event.c.aet == aet, event.c.id > last)
    statement = select(event, workitem.c.attributes).select_from(of).where(*here).order_by(event.c.id).limit(BATCH)
    async with app.db.reading() as connection:
        return list((await connection.execute(statement)).all())


def as_dataset(row: Any, number: int) -> DicomJson:
    """Give an event report as PS3.18 8.10.5 has it: the command set of an N-EVENT-REPORT, and its information."""
    return {
        "00000002": element("UI", PUSH),
        "00000100": element("US", N_EVENT_REPORT),
        "00000110": element("US", (number - 1) % 0xFFFF + 1),
        "00000800": element("US", 1),
        "00001000": element("UI", row.workitem_uid),
        "00001002": element("US", row.event_type),
        **row.information,
    }
