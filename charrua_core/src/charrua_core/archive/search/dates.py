"""Dates and times as intervals: a value that leaves out its smaller parts stands for all that they could be.

PS3.5 6.2 (DA, TM, DT) and PS3.4 C.2.2.2.5 (range matching). Moments become digits of one length, so that they compare as
text: dates 8, times 12, datetimes 20, in UTC where an offset is given.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from charrua_core.errors import QueryInvalid

Interval = tuple[str, str]

_DATE = re.compile(r"(\d{4})(\d{2})?(\d{2})?", re.ASCII)
_TIME = re.compile(r"(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6}))?", re.ASCII)
_DATETIME = re.compile(r"(\d{4}(?:\d{2}){0,5})(?:\.(\d{1,6}))?([+-]\d{4})?", re.ASCII)
_LOWEST = {"DA": "00000101", "TM": "000000000000", "DT": "00000101000000000000"}
_HIGHEST = {"DA": "99991231", "TM": "235960999999", "DT": "99991231235960999999"}


def interval(vr: str, text: str) -> Interval:
    """Give the first and the last moment that a value of a DA, TM or DT stands for. Raises QueryInvalid."""
    text = text.strip()
    plain = text.replace(".", "") if vr == "DA" else text.replace(":", "") if vr == "TM" else text
    found = {"DA": _DATE, "TM": _TIME, "DT": _DATETIME}[vr].fullmatch(plain)
    if not found:
        raise QueryInvalid(f"{text!r} is not a {vr}")
    if vr == "DT":
        return _datetime(*found.groups())
    return _spread(vr, "".join(part or "" for part in found.groups()))


def begin(vr: str, text: str) -> str | None:
    """Give the first moment that a stored value stands for, None if it is no DA, TM or DT."""
    try:
        return interval(vr, text)[0]
    except QueryInvalid:
        return None


def between(vr: str, low: str, high: str) -> Interval:
    """Give the first and the last moment of a range; an empty end is open. Raises QueryInvalid."""
    first = interval(vr, low)[0] if low else _LOWEST[vr]
    last = interval(vr, high)[1] if high else _HIGHEST[vr]
    return first, last


def _spread(vr: str, digits: str) -> Interval:
    """Fill what is left out with the least and the greatest that it can be."""
    return digits + _LOWEST[vr][len(digits) :], digits + _HIGHEST[vr][len(digits) :]


def _datetime(digits: str, fraction: str | None, offset: str | None) -> Interval:
    first, last = _spread("DT", digits + (fraction or ""))
    return (_utc(first, offset), _utc(last, offset)) if offset else (first, last)


def _utc(moment: str, offset: str) -> str:
    """Move a moment of 20 digits to UTC; one that no calendar knows stays as it is."""
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    away = timedelta(minutes=-minutes if offset[0] == "-" else minutes)
    try:
        return f"{datetime.strptime(moment, '%Y%m%d%H%M%S%f') - away:%Y%m%d%H%M%S%f}"
    except (ValueError, OverflowError):
        return moment
