"""A clock for tests of what happens after a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class StandsStill:
    """A clock that is moved by hand; it begins at this moment, or at the one given."""

    def __init__(self, time: datetime | None = None) -> None:
        self.time = time or datetime.now(UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return self.time

    def monotonic(self) -> float:
        """Give seconds that no change of the clock disturbs."""
        return self.seconds

    def move_on(self, **by: float) -> None:
        """Move it on by hours, days …"""
        self.time += timedelta(**by)
        self.seconds += timedelta(**by).total_seconds()
