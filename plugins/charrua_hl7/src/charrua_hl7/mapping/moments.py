"""Time stamps of HL7 (TS, DTM: `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`) as dates and times of DICOM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_STAMP = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[ T]?(\d\d):?(\d\d)(?::?(\d\d))?(?:\.(\d{1,6})\d*|\d*)?)?([+-]\d{4}|Z)?"
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp with at least a day: as DA, and as TM, "" where it has no time of day."""

    day: str
    time: str = ""


@lru_cache(maxsize=512)
def stamp(text: str, *, here: bool = True) -> Stamp | None:
    """Read a time stamp, None where it is none or names no day that there is.

    One that has an offset from UTC is brought to this archive's local time, unless `here` is not wanted.
    """
    found = _STAMP.fullmatch(text.strip())
    if not found:
        return None
    year, month, day, hour, minute, second = (int(one or 0) for one in found.groups()[:6])
    try:
        # A day may be written to end at 24:00.
        moment = datetime(year, month, day) + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
    except (ValueError, OverflowError):
        return None
    if hour > 24 or minute > 59 or second > 60:
        return None
    if found[4] is None:
        return Stamp(_day(moment))
    if here and found[8]:
        moment = _local(moment, found[8])
    fraction = f".{found[7]}" if found[7] and found[7].strip("0") else ""
    return Stamp(_day(moment), moment.strftime("%H%M%S") + fraction)


def _day(moment: datetime) -> str:
    return f"{moment.year:04}{moment.month:02}{moment.day:02}"


def _local(moment: datetime, offset: str) -> datetime:
    minutes = 0 if offset == "Z" else int(offset[:3]) * 60 + int(offset[0] + offset[3:])
    try:
        return moment.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone()
    except (ValueError, OverflowError, OSError):  # no such offset, or a year in which there is no local time
        return moment
