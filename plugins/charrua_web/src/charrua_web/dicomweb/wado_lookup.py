"""Single objects for requests that come one after another: a viewer asks for the frames and pictures of a series in turn.

What was found for a caller is kept for a moment, so that not each of them is a search. Every change that the archive tells
(`charrua_core.changes`) empties it at once; the moment is for those that nobody could tell. That an object was removed or
edited, the index says at each request all the same.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from charrua_core import changes
from charrua_core.archive.search import InstanceRecord, instances
from charrua_core.imaging.stored import StoredImage, stored_image
from charrua_web.dicomweb.wado_selection import query_below, the_object

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import Identity
    from charrua_core.web import Request

KEPT_S = 5.0
MOST_SERIES = 64
MOST_OF_A_SERIES = 500
"""Objects of one series that are kept: the first of a longer one."""

_Key = tuple[str, ...]


class _Series:
    """What was found of one series for one caller."""

    def __init__(self) -> None:
        self.records: dict[str, InstanceRecord] = {}
        self.until = time.monotonic() + KEPT_S
        self.whole = False


class Lookup:
    """The objects that were asked for a moment ago."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._series: OrderedDict[_Key, _Series] = OrderedDict()
        self._listens = False

    async def image(self, request: Request) -> StoredImage:
        """Give the image that the path names, as it is now. Raises StudyNotFound, ImageInvalid where it is no image."""
        return await stored_image(self._app, await self.record(request))

    async def record(self, request: Request) -> InstanceRecord:
        """Give the object that the path names. Raises StudyNotFound where the caller may see none."""
        uids = {name: request.parameters[name] for name in ("study", "series", "instance")}
        return await self.of(uids, request.identity)

    async def of(self, uids: dict[str, str], identity: Identity) -> InstanceRecord:
        """Give the object of these UIDs, named `study`, `series` and `instance`."""
        if not self._listens:
            self._listens = True
            await self._app.db.listen(changes.CHANNEL, lambda _: self._series.clear())
        kept = self._kept((*_who(identity), uids["study"], uids["series"]))
        found = kept.records.get(uids["instance"])
        if found is None and kept.records and not kept.whole:
            kept.whole = True
            await self._read_all(kept, uids, identity)
            found = kept.records.get(uids["instance"])
        if found is None:
            found = kept.records[uids["instance"]] = await the_object(self._app, query_below(uids), identity)
        return found

    def _kept(self, key: _Key) -> _Series:
        kept = self._series.get(key)
        if kept is None or kept.until < time.monotonic():
            kept = self._series[key] = _Series()
        self._series.move_to_end(key)
        if len(self._series) > MOST_SERIES:
            self._series.popitem(last=False)
        return kept

    async def _read_all(self, kept: _Series, uids: dict[str, str], identity: Identity) -> None:
        query = query_below({name: uids[name] for name in ("study", "series")})
        found = instances(self._app, query, identity)
        try:
            async for record in found:
                kept.records[record.sop_instance_uid] = record
                if len(kept.records) > MOST_OF_A_SERIES:
                    return
        finally:
            await found.aclose()


def _who(identity: Identity) -> _Key:
    """Who sees what: what is found for one is not for another."""
    return identity.kind, identity.name, repr(identity.row_filters), repr(sorted(identity.roles))
