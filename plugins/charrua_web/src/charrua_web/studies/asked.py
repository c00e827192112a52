"""What a person looks for: the query of the list's address as a query of the archive.

Fields are attributes by keyword or tag; texts match by their words, each of which may stand anywhere.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

from pydicom.datadict import keyword_for_tag

from charrua_core.archive.index.levels import level_of
from charrua_core.archive.search import ORDERS, Between, Match, NoValue, OneOf, Query, Words
from charrua_core.archive.search.columns import COMPUTED
from charrua_core.errors import QueryInvalid
from charrua_core.types import Level
from charrua_core.web import Query as Pairs
from charrua_web.dicomweb.qido_names import BINARY, path_of, vr_of

STUDY_DATE, STUDY_UID, PATIENT_ID, ISSUER = "00080020", "0020000D", "00100020", "00100021"
STATUSES = ("UNREAD", "PRELIMINARY", "DICTATED", "TRANSCRIBED", "FINAL")
DATES = ("today", "yesterday", "week", "range")
"""What `date` may say; `from` and `to` say which range."""
CONTROLS = frozenset({"order", "after", "limit", "date", "from", "to", "Status", "columns", "lang"})
"""Parameters that are no attributes."""
SHOWN, MOST_SHOWN = 50, 200
"""Rows of a page."""
_LONGEST, _MOST_WORDS = 200, 10
_TEXTS = frozenset({"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_BREAKS = re.compile(r"[\s,^]+")
_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b", re.ASCII)


def read_asked(pairs: Pairs, today: date, *, strict: bool = True) -> Query:
    """Give the query. QueryInvalid says what is wrong with it; where it is not `strict`, unknown names count for nothing."""
    keys: dict[str, Match] = {}
    of_series: dict[str, Match] = {}
    for name, value in pairs:
        if name in CONTROLS or not value.strip():
            continue
        tag = _tag_of(name, strict)
        if tag:
            match = _match(vr_of(tag), value.strip())
            if match is not None:
                (of_series if _is_of_series(tag, name) else keys)[tag] = match
    keys.update(_dates(pairs, today))
    order = pairs.first("order") or "-date"
    if order.removeprefix("-") not in ORDERS:
        raise QueryInvalid(f"studies are not sorted by {order[:64]!r}, but by {', '.join(ORDERS)}")
    query = Query(Level.STUDY, keys=keys, of_series=of_series, statuses=_statuses(pairs), facts=True)
    return replace(
        query,
        order=order.removeprefix("-"),
        ascending=not order.startswith("-"),
        after=pairs.first("after"),
        limit=_limit(pairs),
    )


def is_open(query: Query) -> bool:
    """Whether it asks for all studies."""
    return not (query.keys or query.of_series or query.statuses)


def _tag_of(name: str, strict: bool) -> str:
    path = path_of(name, Level.STUDY)
    if path is not None and len(path) == 1 and vr_of(path[0]) not in BINARY | {"SQ"}:
        return path[0]
    if strict:
        raise QueryInvalid(f"{name[:80]!r} is no attribute by which studies are searched")
    return ""


def _is_of_series(tag: str, name: str) -> bool:
    """Whether it is an attribute of series. QueryInvalid for one of images."""
    level = COMPUTED[tag][1] if tag in COMPUTED else level_of(tag)
    if level is Level.IMAGE:
        raise QueryInvalid(
            f"{name[:80]!r} is told of images: studies are searched by what holds for them or their series"
        )
    return level is Level.SERIES


def _match(vr: str, value: str) -> Match | None:
    """Give what matches, None for stars alone."""
    if len(value) > _LONGEST and vr != "UI":
        raise QueryInvalid(f"{_LONGEST} characters are the most that is searched for")
    if value == '""':
        return NoValue(vr)
    if vr in ("DA", "TM", "DT"):
        return _moment(vr, _ISO.sub(r"\1\2\3", value))
    if vr in _TEXTS and vr != "CS":
        words = tuple(word for word in (_BREAKS.split(value) if vr == "PN" else value.split()) if word.strip("*"))
        if len(words) > _MOST_WORDS:
            raise QueryInvalid(f"{_MOST_WORDS} words are the most that is searched for")
        return Words(vr, words) if words else None
    return OneOf(vr, tuple(one.strip().upper() if vr == "CS" else one.strip() for one in value.split(",")))


def _moment(vr: str, value: str) -> Match:
    low, dash, high = value.partition("-")
    return Between(vr, low.strip(), high.strip()) if dash else OneOf(vr, (value,))


def _dates(pairs: Pairs, today: date) -> dict[str, Match]:
    chosen = pairs.first("date")
    if chosen and chosen not in DATES:
        raise QueryInvalid(f"date is one of {', '.join(DATES)}")
    first, last = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "week": (today - timedelta(days=6), today),
    }.get(chosen, (_day(pairs, "from"), _day(pairs, "to")))
    if first is None and last is None:
        return {}
    return {STUDY_DATE: Between("DA", f"{first:%Y%m%d}" if first else "", f"{last:%Y%m%d}" if last else "")}


def _day(pairs: Pairs, name: str) -> date | None:
    value = pairs.first(name).strip()
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise QueryInvalid(f"{name} is a day such as 2026-11-23") from None


def _statuses(pairs: Pairs) -> frozenset[str]:
    asked = frozenset(one for value in pairs.all("Status") for one in value.upper().split(",") if one)
    if not asked <= frozenset(STATUSES):
        raise QueryInvalid(f"Status is one of {', '.join(STATUSES)}")
    return asked


def _limit(pairs: Pairs) -> int:
    value = pairs.first("limit") or str(SHOWN)
    if not (value.isdigit() and 1 <= int(value) <= MOST_SHOWN):
        raise QueryInvalid(f"limit is a number from 1 to {MOST_SHOWN}")
    return int(value)


def name_of(tag: str) -> str:
    """Give the keyword of an attribute, its tag where it has none."""
    return keyword_for_tag(int(tag, 16)) or tag
