"""The rules as a process applies them: read once, compiled, and read again when they have changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from charrua_routing import rules
from charrua_routing.rule import Rule

if TYPE_CHECKING:
    from charrua_core.app import App

READ_AGAIN_S = 20.0
"""How long a change may stay unseen whose notification was lost."""


class KnownRules:
    """The rules of one archive, in the order in which they are applied."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._rules: list[Rule] | None = None
        self._read_at = 0.0
        self._told = 0
        self._listens = False

    async def all(self) -> list[Rule]:
        """Give them."""
        if not self._listens:
            self._listens = True
            await self._app.db.listen(rules.CHANNEL, self._forget)
        if self._rules is None or time.monotonic() - self._read_at > READ_AGAIN_S:
            return await self._read()
        return self._rules

    async def _read(self) -> list[Rule]:
        self._read_at, told = time.monotonic(), self._told
        found = await rules.understood(self._app)
        self._rules = found if told == self._told else None
        return found

    def _forget(self, _payload: str) -> None:
        self._told += 1
        self._rules = None


_known: WeakKeyDictionary[App, KnownRules] = WeakKeyDictionary()


def known_rules(app: App) -> KnownRules:
    """Give the rules of an archive in this process."""
    if app not in _known:
        _known[app] = KnownRules(app)
    return _known[app]
