"""One slow clock for all connections of an event loop, in place of a timer for each."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

TICK_S = 0.25
NEVER = float("inf")


class Expiring(Protocol):
    """Something that is told once its deadline has passed."""

    deadline: float
    """A time of `loop.time()`; it may be moved at will."""

    def expire(self) -> None:
        """Called at the first tick after the deadline, and at each later one while it stays in the past."""


class Deadlines:
    """Looks every `TICK_S` whether any deadline of its members has passed, and at each member only then.

    There is no tick while there is no member.
    """

    def __init__(self) -> None:
        self._members: set[Expiring] = set()
        self._earliest = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, member: Expiring) -> None:
        """Look at this member's deadline until `forget`."""
        self._members.add(member)
        self.hasten(member.deadline)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def hasten(self, deadline: float) -> None:
        """A member's deadline is now this one. (A later one than before need not be told.)"""
        self._earliest = min(self._earliest, deadline)

    def forget(self, member: Expiring) -> None:
        """Look at this member no more."""
        self._members.discard(member)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick)
        now = loop.time()
        if now < self._earliest:
            return
        for member in [member for member in self._members if member.deadline <= now]:
            member.expire()
        self._earliest = min((member.deadline for member in self._members), default=NEVER)


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, Deadlines] = WeakKeyDictionary()


def deadlines() -> Deadlines:
    """The running loop's clock, made at first use."""
    return _clocks.setdefault(asyncio.get_running_loop(), Deadlines())
