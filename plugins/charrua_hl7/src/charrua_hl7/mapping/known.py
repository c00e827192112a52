"""The mappings in force as a process applies them: read once, and again when they have changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_hl7.mapping import store
from charrua_hl7.mapping.check import MappingInvalid, read_lines
from charrua_hl7.mapping.defaults import DEFAULTS
from charrua_hl7.mapping.lines import Lines

if TYPE_CHECKING:
    from charrua_core.app import App

READ_AGAIN_S = 20.0
"""How long a change may stay unseen whose notification was lost."""

log = logging.getLogger(__name__)


class KnownMappings:
    """The mappings of one archive, by message code."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lines: Mapping[str, Lines] | None = None
        self._read_at = 0.0
        self._told = 0
        self._listens = False

    async def all(self, tx: AsyncConnection) -> Mapping[str, Lines]:
        """Give them; `tx` is used where they must be read."""
        if not self._listens:
            self._listens = True
            await self._app.db.listen(store.CHANNEL, self._forget)
        if self._lines is None or time.monotonic() - self._read_at > READ_AGAIN_S:
            return await self._read(tx)
        return self._lines

    async def _read(self, tx: AsyncConnection) -> Mapping[str, Lines]:
        self._read_at, told = time.monotonic(), self._told
        found = {code: _usable(kept) for code, kept in (await store.in_force(self._app, tx)).items()}
        self._lines = found if told == self._told else None
        return found

    def _forget(self, _payload: str) -> None:
        self._told += 1
        self._lines = None


_known: WeakKeyDictionary[App, KnownMappings] = WeakKeyDictionary()


def known_mappings(app: App) -> KnownMappings:
    """Give the mappings of an archive in this process."""
    if app not in _known:
        _known[app] = KnownMappings(app)
    return _known[app]


def _usable(kept: store.Kept) -> Lines:
    """One that a newer release has written must not keep orders from being taken."""
    try:
        return read_lines(kept.message_type, kept.saved) if kept.saved else kept.lines
    except MappingInvalid as error:
        log.error("the default mapping is used: %s", error, extra={"message_type": kept.message_type})
        return DEFAULTS[kept.message_type]
