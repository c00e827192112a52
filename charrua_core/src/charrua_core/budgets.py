"""How long plugins may take: measured at every call of a hook, told once too much is taken, cut off where that can be.

A hook that is called in line cannot be interrupted: what it takes is measured, and it holds up everybody for so long. The
others run beside: past their limit the caller goes on without them, and a plugin that hangs again and again is not called
for a while. Every failure of a gate closes it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Histogram

from charrua_core import metrics

log = logging.getLogger(__name__)


class TookTooLong(Exception):
    """It has not ended within its limit."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds that a call should take at most, and those after which it counts as failed."""

    soft_s: float
    hard_s: float


GATE = Budget(0.05, 2.0)
"""In the way of an object or of a query."""
BUDGETS = {
    "accept_object": GATE,
    "coerce_object": GATE,
    "on_query": GATE,
    "auth_provider": Budget(1.0, 10.0),  # a directory server elsewhere
    "health": Budget(0.5, 1.5),  # who watches the archive waits for it
    "metrics": Budget(1.0, 3.0),
    "route_destination": Budget(1.0, 60.0),
    "on_object_stored": Budget(30.0, 300.0),  # it may send the object somewhere itself
    "on_report_final": Budget(30.0, 300.0),
    "on_study_edited": Budget(30.0, 300.0),
}
START = Budget(5.0, 60.0)
"""Hooks that are called once, when a process starts."""

_HOOK_SECONDS = metrics.histogram(
    "charrua_hook_seconds",
    "How long plugins' implementations of hooks took.",
    (0.0001, 0.001, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0),
    plugin=metrics.Bound.PLUGINS,
    hook=tuple(BUDGETS),
)

TOLD_EVERY_S = 60.0
HANGS = 3  # calls in a row that did not end: then none is made for PAUSE_S
PAUSE_S = 30.0


@dataclass(slots=True)
class Watch:
    """What one plugin took for one hook since this process has started."""

    plugin: str
    hook: str
    budget: Budget
    slow: int = 0
    """Calls beyond the soft limit."""
    late: int = 0
    """Calls beyond the hard one."""
    late_at: float = 0.0
    """When the last of those was, in seconds since 1970."""
    longest_s: float = 0.0
    hanging: int = 0
    """Of the last calls, how many in a row were given up."""
    on_breach: Callable[[Watch], None] = field(default=lambda _: None, repr=False)
    _not_before: float = 0.0
    _told_at: float = -TOLD_EVERY_S
    _measured: Histogram | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if self.hook in BUDGETS:
            self._measured = _HOOK_SECONDS.labels(self.plugin, self.hook)

    def took(self, seconds: float) -> None:
        """Take note of a call."""
        if self._measured is not None:
            self._measured.observe(seconds)
        if seconds > self.budget.soft_s:
            self._breach(seconds)

    def gave_up(self) -> None:
        """Take note of a call that has not ended within the hard limit."""
        self.hanging += 1
        if self.hanging >= HANGS:
            self._not_before = time.monotonic() + PAUSE_S
        self.took(self.budget.hard_s)

    def ended(self, seconds: float) -> None:
        """Take note of a call that could have been given up, and ended."""
        self.hanging = 0
        self.took(seconds)

    @property
    def pauses(self) -> bool:
        """Whether the plugin is not to be called: it hung too often."""
        return self.hanging >= HANGS and time.monotonic() < self._not_before

    def _breach(self, seconds: float) -> None:
        late = seconds >= self.budget.hard_s
        self.slow, self.late = self.slow + 1, self.late + late
        self.late_at = time.time() if late else self.late_at
        self.longest_s = max(self.longest_s, seconds)
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            fields = {"plugin": self.plugin, "hook": self.hook, "seconds": round(seconds, 3), "calls": self.slow}
            log.log(logging.ERROR if late else logging.WARNING, "a plugin takes long", extra=fields)
        self.on_breach(self)


async def within(seconds: float, work: asyncio.Future[Any]) -> Any:
    """Give what the work gives; TookTooLong after so many seconds, when it is cancelled and left to itself.

    Not `asyncio.timeout`: that waits for what does not let itself be cancelled.
    """
    try:
        await asyncio.wait([work], timeout=seconds)
    except asyncio.CancelledError:
        work.cancel()
        raise
    if not work.done():
        work.cancel()
        _abandoned.add(work)
        work.add_done_callback(_forget)
        raise TookTooLong(f"not ended after {seconds:g} s")
    return work.result()


def in_thread(function: Callable[..., Any], *values: Any) -> asyncio.Future[Any]:
    """Call it in a thread of its own, which keeps neither the others from theirs nor the process from ending."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(settle_it: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            settle_it(value)

    def run() -> None:
        try:
            outcome = (future.set_result, context.run(function, *values))
        except BaseException as error:
            outcome = (future.set_exception, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name=f"hook {function.__module__}.{function.__name__}", daemon=True).start()
    return future


_abandoned: set[asyncio.Future[Any]] = set()


def _forget(work: asyncio.Future[Any]) -> None:
    _abandoned.discard(work)
    if not work.cancelled() and work.exception() is not None:
        log.warning("a call that was given up has failed since", exc_info=work.exception())
