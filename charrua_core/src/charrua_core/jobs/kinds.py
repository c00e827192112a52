"""What a job is, and what a kind of jobs knows."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from charrua_core.errors import CharruaError

State = Literal["due", "running", "done", "dead"]

MINUTE, HOUR = 60.0, 3600.0


class GiveUp(CharruaError):
    """This job cannot succeed, now or later: it is put to the dead ones without another try."""


class PutOff(CharruaError):
    """This job cannot be done now: it waits until then, and no try is counted."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until = until


class Clock(Protocol):
    """The time; tests bring their own."""

    def now(self) -> datetime:
        """Give the time, in UTC."""

    def monotonic(self) -> float:
        """Give seconds that no change of the clock disturbs."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that no change of the clock disturbs."""
        return time.monotonic()


CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class JobType:
    """A kind of jobs, as a plugin declares it by the hook `job_types`."""

    kind: str
    """The plugin's name, a point, a verb: `routing.send`."""
    run: Callable[[dict[str, Any]], Awaitable[None]]
    """Does one job; gets its payload. Raises to have it tried again, `GiveUp` not to, `PutOff` to be called later."""
    retry_after: tuple[float, ...] = (MINUTE, 5 * MINUTE, 30 * MINUTE, 6 * HOUR)
    """Seconds from each failure to the next try; after the last one the job is dead."""
    from_first_try: bool = False
    """The same seconds are added up from the first try, so that the time that the tries take moves none of them."""
    for_ever: bool = False
    """After the last of these seconds it is tried again, and again: until it has done it, or `GiveUp` says that it cannot."""
    lane_concurrency: int = 1
    """How many jobs of one lane run beside one another, over all processes."""
    in_order: bool = False
    """Whether a lane's jobs go in the order in which they were added: one that is tried again holds up those behind it."""
    lanes: Callable[[], Mapping[str, int]] = dict
    """How many for lanes of which another number runs."""
    most: Callable[[], int | None] = lambda: None
    """How many jobs of this kind run beside one another over all lanes and processes, where that has a limit."""
    timeout_s: float | None = None
    """How long a job may take before it counts as failed."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """One of several jobs that are added at once; `dedup_key` is its own."""

    payload: Mapping[str, Any]
    lane: str
    dedup_key: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job, as the pages show it."""

    id: int
    kind: str
    lane: str
    payload: dict[str, Any]
    state: State
    priority: int
    run_at: datetime
    attempts: int
    crashes: int
    last_error: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lane:
    """How much there is to do in a lane."""

    lane: str
    waiting: int = 0
    """Jobs that were not tried yet."""
    trying: int = 0
    """Those that have failed, and are tried again."""
    running: int = 0
    dead: int = 0
    next_at: datetime | None = None
    """When the next of those that wait is due."""
