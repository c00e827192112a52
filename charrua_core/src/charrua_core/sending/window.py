"""The hours in which a destination is sent to."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from charrua_core.errors import EditInvalid

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def window_of(text: str) -> tuple[time, time] | None:
    """Give the start and the end of a window such as `22:00-06:00`, None for an empty text; EditInvalid for another one."""
    if not text:
        return None
    found = _WINDOW.fullmatch(text)
    if found is None or found.group(1, 2) == found.group(3, 4):
        raise EditInvalid(f"{text!r} is no time of day such as 22:00-06:00")
    return time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))


def opens_at(text: str, now: datetime) -> datetime:
    """Give when the window is open the next time: `now` where it is, with its time zone."""
    hours = window_of(text)
    if hours is None:
        return now
    start, end = hours
    here = now.astimezone()
    at = here.time().replace(tzinfo=None)
    is_open = start <= at < end if start < end else at >= start or at < end
    if is_open:
        return now
    # Naive local time, so that a change to or from daylight saving time moves the moment and not the hour.
    opening = datetime.combine(here.date(), start)
    if at > start:
        opening += timedelta(days=1)
    return opening.astimezone().astimezone(now.tzinfo)
