"""Data sets that are searched by any of their attributes: what a table keeps of each, and keys as conditions over that.

A table has a column `terms`, "path=value" of every short text and UID, and others for what is asked for most. A condition
selects at least what matches; whether a data set does is decided by `matching`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, or_
from sqlalchemy.dialects.postgresql import ARRAY

from charrua_core.archive.index.names import name_key
from charrua_core.archive.search import dates
from charrua_core.archive.search.conditions import Clause, among, like
from charrua_core.archive.search.matching import GROUP
from charrua_core.archive.search.model import AnyItem, Between, Match, OneOf
from charrua_core.archive.search.patterns import has_wildcard
from charrua_core.tables import C

_EXACT_VRS = frozenset({"AE", "CS", "LO", "SH", "UI"})
_LONGEST = 64
_AFTER_DIGITS = ":"

Condition = Callable[[Match], Clause | None]
"""Gives what a key asks of a column, None where it cannot tell."""


def terms_of(attributes: Mapping[str, Mapping[str, Any]], without: Collection[str] = ()) -> list[str]:
    """Give the terms of a data set and of its sequences; those in `without` are too long to be looked up by."""
    return sorted(set(_terms(attributes, "", without)))


def _terms(attributes: Mapping[str, Mapping[str, Any]], path: str, without: Collection[str]) -> Iterator[str]:
    for tag, element in attributes.items():
        if element["vr"] in _EXACT_VRS:
            yield from (_term(path + tag, str(value)) for value in element.get("Value", ()) if value is not None)
        elif element["vr"] == "SQ" and tag not in without:
            for item in element.get("Value", ()):
                yield from _terms(item, f"{path}{tag}.", without)


def _term(path: str, value: str) -> str:
    return f"{path}={value.strip()[:_LONGEST]}"


def conditions(
    keys: Mapping[str, Match],
    columns: Mapping[str, Condition],
    terms: ColumnElement[Any],
    without: Collection[str] = (),
    path: str = "",
) -> list[Clause]:
    """Give what the keys of a search ask of a table, by the path of each: "00400100.00080060".

    `columns` has the paths that columns of their own hold, by which a key is looked up alone, unless they cannot tell. Raises
    QueryInvalid for a bad date or time.
    """
    found: list[Clause | None] = []
    for tag, match in keys.items():
        if isinstance(match, AnyItem):
            found += [] if tag in without else conditions(match.keys, columns, terms, without, f"{path}{tag}.")
        elif path + tag in columns:
            found.append(columns[path + tag](match))
        else:
            found.append(_in_terms(terms, path + tag, match))
    return [clause for clause in found if clause is not None]


def _in_terms(column: ColumnElement[Any], path: str, match: Match) -> Clause | None:
    if not isinstance(match, OneOf) or match.vr not in _EXACT_VRS or any(map(has_wildcard, match.values)):
        return None
    return column.op("&&")(cast([_term(path, value) for value in match.values], ARRAY(C)))


def text_is(column: ColumnElement[Any]) -> Condition:
    """The condition of a column that holds a text as it is."""

    def condition(match: Match) -> Clause | None:
        if not isinstance(match, OneOf) or any(map(has_wildcard, match.values)):
            return None
        return among(column, [value.strip() for value in match.values])

    return condition


def name_is(column: ColumnElement[Any]) -> Condition:
    """The condition of a column that holds a folded name: a key of one ASCII group is compared with the first group."""

    def condition(match: Match) -> Clause | None:
        keys = [name_key(value) for value in match.values] if isinstance(match, OneOf) else [GROUP]
        if not all(key.isascii() and GROUP not in key for key in keys):
            return None
        return or_(*(like(column, pattern) for key in keys for pattern in (key, f"{key}{GROUP}*")))

    return condition


def moment_is(column: ColumnElement[Any], vr: str) -> Condition:
    """The condition of a column that holds moments as `dates` has them, or the days of one that holds longer moments."""

    def condition(match: Match) -> Clause | None:
        if not isinstance(match, OneOf | Between) or match.vr != vr:
            return None
        between = (
            [dates.between(vr, match.low, match.high)]
            if isinstance(match, Between)
            else [dates.interval(vr, value) for value in match.values]
        )
        return or_(*(within(column, first, last) for first, last in between))

    return condition


def within(column: ColumnElement[Any], first: str, last: str) -> Clause:
    """Say that a moment lies between two, or begins with the last."""
    return and_(column >= first, column < f"{last}{_AFTER_DIGITS}")
