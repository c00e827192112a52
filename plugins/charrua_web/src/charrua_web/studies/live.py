"""New and changed studies as they come: a WebSocket that names those that its reader may see.

One watch for each process reads the change feed when PostgreSQL says that there is something, and tells all who listen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import orjson

from charrua_core import changes
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.errors import CharruaError
from charrua_core.types import Identity, Level
from charrua_core.web import WebSocket
from charrua_web.studies.asked import STUDY_UID

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

PAUSE_S = 0.5
"""How long changes gather before they are told: a study of a thousand images is no thousand messages."""
MOST_NAMED = 200
"""Studies that one message names; of more it says only that there are many."""


async def tell_changes(socket: WebSocket) -> None:
    """Tell until the browser goes: `{"studies": [UID, …]}`, or `{"many": true}`."""
    async with _watch(socket.app).listening() as heard:
        while True:
            uids = await heard()
            if len(uids) > MOST_NAMED:
                await socket.send('{"many":true}')
                continue
            seen = await _seen(socket.app, socket.identity, uids)
            if seen:
                await socket.send(orjson.dumps({"studies": sorted(seen)}).decode())


async def _seen(app: App, identity: Identity, uids: set[str]) -> set[str]:
    """Give those that the identity may see; with no filter, also those that are gone."""
    if not identity.row_filters and not app.hooks.implementations("on_query"):
        return uids
    query = Query(Level.STUDY, keys={STUDY_UID: OneOf("UI", tuple(uids))}, return_keys=frozenset({STUDY_UID}))
    async with aclosing(search(app, query, identity)) as matches:
        return {found.attributes[STUDY_UID]["Value"][0] async for found in matches}


class _Watch:
    """Reads the change feed for all who listen in this process, as long as there is anybody."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._ears: set[_Ear] = set()
        self._reading: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[Callable[[], Awaitable[set[str]]], None]:
        """Give a function that waits for studies that changed since it was called last."""
        ear = _Ear()
        self._ears.add(ear)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="changes for the study list")
        try:
            yield ear.next
        finally:
            self._ears.discard(ear)
            if not self._ears and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    async def _read(self) -> None:
        stop = await self._app.db.listen(changes.CHANNEL, lambda _: self._wake.set())
        try:
            place = await changes.newest(self._app.db)
            while True:
                try:
                    place = await self._once(place)
                except CharruaError as error:
                    log.warning("the study list waits for the database: %s", error)
                    await asyncio.sleep(changes.POLL_S)
        finally:
            stop()

    async def _once(self, place: changes.Place) -> changes.Place:
        """Tell what came behind a place, and wait for more."""
        self._wake.clear()
        found = await changes.behind(self._app.db, place)
        uids = {uid for change in found for uid in _studies_of(change)}
        for ear in self._ears:
            ear.hear(uids)
        if found:
            place = (found[-1].xid, found[-1].seq)
            await asyncio.sleep(PAUSE_S)
        if len(found) < changes.MOST_READ:
            await self._wait()
        return place

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(changes.POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return


def _studies_of(change: changes.Change) -> list[str]:
    payload = change.payload
    return list(payload.get("study_uids") or ([payload["study_uid"]] if payload.get("study_uid") else []))


class _Ear:
    """What one listener has not heard yet."""

    def __init__(self) -> None:
        self._uids: set[str] = set()
        self._something = asyncio.Event()

    def hear(self, uids: set[str]) -> None:
        """Keep these for when the listener asks; no more than tell that there are many."""
        if uids and len(self._uids) <= MOST_NAMED:
            self._uids |= uids
            self._something.set()

    async def next(self) -> set[str]:
        """Wait for studies, and give them."""
        await self._something.wait()
        self._something.clear()
        uids, self._uids = self._uids, set()
        return uids


_watches: WeakKeyDictionary[App, _Watch] = WeakKeyDictionary()


def _watch(app: App) -> _Watch:
    if app not in _watches:
        _watches[app] = _Watch(app)
    return _watches[app]
