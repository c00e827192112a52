"""Times of the day and days of the week, on the clock of the place where the archive runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WINDOW = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Window:
    """From one time of the day up to, not including, another; over midnight where that is the sooner one."""

    begins: time
    ends: time

    @classmethod
    def parsed(cls, text: str) -> Window:
        """Read `22:00-06:00`; ValueError where it is none."""
        found = _WINDOW.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no span of the day such as 08:00-18:00 or 22:00-06:00")
        begins, ends = _time(found[1], found[2]), _time(found[3], found[4])
        if begins == ends and begins != time():
            raise ValueError(f"{text!r} ends as it begins; 00:00-24:00 is the whole day")
        return cls(begins, ends)

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"

    @property
    def is_over_midnight(self) -> bool:
        """Whether it ends on the day after the one on which it begins."""
        return self.ends <= self.begins and self.ends != time()

    def has(self, moment: datetime) -> bool:
        """Whether the local time lies in it."""
        now = moment.time()
        if self.ends == time():
            return now >= self.begins
        if self.is_over_midnight:
            return now >= self.begins or now < self.ends
        return self.begins <= now < self.ends

    def weekday(self, moment: datetime) -> str:
        """Give the day on which the window of this local time began."""
        began = moment - timedelta(days=1) if self.is_over_midnight and moment.time() < self.ends else moment
        return WEEKDAYS[began.weekday()]

    def opens(self, moment: datetime) -> datetime:
        """Give the moment itself where it lies in the window, else when the window opens next."""
        here = moment.astimezone()
        if self.has(here):
            return moment
        days = 0 if here.time() < self.begins else 1
        # Without a zone, then with the one of that day: the clocks may change in between.
        return datetime.combine(here.date() + timedelta(days=days), self.begins).astimezone()


def _time(hour: str, minute: str) -> time:
    if int(hour) == 24:
        if minute != "00":
            raise ValueError("the day ends at 24:00")
        return time()
    return time(int(hour), int(minute))
