"""The columns by which workitems are found, and the keys of a search as conditions over them.

A condition selects at least what matches; whether a workitem does is decided by `charrua_core.archive.search.matching`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, or_
from sqlalchemy.dialects.postgresql import ARRAY

from charrua_core.archive.index.levels import NAME_LENGTH
from charrua_core.archive.index.names import name_key
from charrua_core.archive.search import AnyItem, Between, Match, OneOf, dates
from charrua_core.archive.search.conditions import like
from charrua_core.archive.search.matching import GROUP, written_name
from charrua_core.archive.search.patterns import has_wildcard
from charrua_core.tables import C
from charrua_core.types import DicomJson
from charrua_ups.model import OBJECTS, PATIENT_NAME, START, STATE, text, values
from charrua_ups.tables import workitem

_EXACT_VRS = frozenset({"AE", "CS", "LO", "SH", "UI"})
_LONGEST = 64
_UNTERMED = frozenset({OBJECTS})
"""Sequences too long to be looked up by: a workitem's input may be thousands of objects."""

Clause = ColumnElement[bool]


def columns_of(attributes: DicomJson) -> dict[str, Any]:
    """Give the columns of a workitem that its attributes decide."""
    names = values(attributes, PATIENT_NAME)
    start = text(attributes, START)
    return {
        "state": text(attributes, STATE),
        "patient_name_key": name_key(written_name(names[0]))[:NAME_LENGTH] if names else "",
        "start_moment": dates.begin("DT", start) or "",
        "terms": sorted(set(_terms(attributes))),
        "attributes": attributes,
    }


def _terms(attributes: Mapping[str, Mapping[str, Any]], path: str = "") -> Iterator[str]:
    for tag, element in attributes.items():
        if element["vr"] in _EXACT_VRS:
            yield from (_term(path + tag, str(value)) for value in element.get("Value", ()) if value is not None)
        elif element["vr"] == "SQ" and tag not in _UNTERMED:
            for item in element.get("Value", ()):
                yield from _terms(item, f"{path}{tag}.")


def _term(path: str, value: str) -> str:
    return f"{path}={value.strip()[:_LONGEST]}"


def conditions(keys: Mapping[str, Match], path: str = "") -> list[Clause]:
    """Give the conditions that the keys of a search set on the columns. Raises QueryInvalid for a bad date or time."""
    found: list[Clause] = []
    for tag, match in keys.items():
        if isinstance(match, AnyItem):
            found += [] if tag in _UNTERMED else conditions(match.keys, f"{path}{tag}.")
        elif path + tag == STATE and isinstance(match, OneOf) and not any(map(has_wildcard, match.values)):
            found.append(workitem.c.state.in_(match.values))
        elif path + tag == START and isinstance(match, OneOf | Between) and match.vr == "DT":
            found.append(_starts(match))
        elif path + tag == PATIENT_NAME and isinstance(match, OneOf):
            found += _named(match)
        elif isinstance(match, OneOf) and match.vr in _EXACT_VRS and not any(map(has_wildcard, match.values)):
            terms = [_term(path + tag, value) for value in match.values]
            found.append(workitem.c.terms.op("&&")(cast(terms, ARRAY(C))))
    return found


def _starts(match: OneOf | Between) -> Clause:
    between = (
        [dates.between("DT", match.low, match.high)]
        if isinstance(match, Between)
        else [dates.interval("DT", value) for value in match.values]
    )
    moment = workitem.c.start_moment
    return or_(*(and_(moment >= first, moment <= last) for first, last in between))


def _named(match: OneOf) -> list[Clause]:
    """A key of one ASCII group is compared with the alphabetic one, which stands first."""
    keys = [name_key(value) for value in match.values]
    if not all(key.isascii() and GROUP not in key for key in keys):
        return []
    column = workitem.c.patient_name_key
    return [or_(*(like(column, pattern) for key in keys for pattern in (key, f"{key}{GROUP}*")))]
