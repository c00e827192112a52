"""Keys as SQL conditions over the columns that hold them. Every value is a bound parameter.

A condition selects all rows that match and may select others: `exact` says whether `matching` need not look again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, any_, bindparam, cast, func, literal, or_
from sqlalchemy.dialects.postgresql import ARRAY

from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search import dates, patterns
from charrua_core.archive.search.columns import HELD, Held, Kind
from charrua_core.archive.search.matching import GROUP, decimal
from charrua_core.archive.search.model import AnyItem, Between, Match, NoValue, OneOf, Words
from charrua_core.tables import C

Clause = ColumnElement[bool]

_IN_GRAMS = frozenset({"00100010", "00100020", "00080050", "00081030", "00080090"})
"""Attributes whose pieces index study_by_grams holds."""
_IN_ORDER = frozenset({"00100010", "00100020", "00080050"})
"""Attributes that an index in the order of their text finds by how they begin."""
_FEW = frozenset({"0020000D", "00100020", "00080050", "00200010"})
"""Attributes of which a value belongs to a few studies."""
_NOTHING: Mapping[str, ColumnElement[Any]] = MappingProxyType({})
_TEXTS = frozenset({Kind.EXACT, Kind.FOLDED, Kind.NAME})
_LONG_ENOUGH = 3
"""Characters that a pattern must begin with for the index in order to be better than that of pieces."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a key asks of the columns."""

    clause: Clause
    exact: bool
    chosen: Clause | None = None
    """For a text that may be rare or frequent: the clause with which its own index chooses the studies that have it."""
    exactly: Clause | None = None
    """Of a condition that is not exact: what makes it so for values as PS3.5 allows them, to count what matches."""
    few: bool = False
    """Few studies match: any way to find them will do."""


def condition_of(
    tag: str, match: Match, ignore_case: bool = True, instead: Mapping[str, ColumnElement[Any]] = _NOTHING
) -> Condition | None:
    """Give the condition of a key, None where no column can tell. Raises QueryInvalid for a bad date or time.

    `instead` are columns that some keys are compared with, rather than with those of the index.
    """
    held = HELD.get(tag)
    if held is None or isinstance(match, AnyItem):
        return None
    if tag in instead:
        held = replace(held, column=instead[tag])
    if isinstance(match, NoValue):
        return _no_value(held)
    if isinstance(match, Words):
        return _words(held, match) if held.kind in _TEXTS else None
    if isinstance(match, Between):
        return _between(held, *dates.between(match.vr, match.low, match.high)) if held.vr == match.vr else None
    return _ONE_OF[held.kind](held, match, ignore_case)


def among(column: ColumnElement[object], values: Sequence[str]) -> Clause:
    """Say that the column holds one of the values."""
    if len(values) == 1:
        return column == values[0]
    return column == any_(cast(bindparam(None, list(values), ARRAY(C)), ARRAY(C)))


def like(column: ColumnElement[object], pattern: str) -> Clause:
    """Say that the column matches a pattern of DICOM."""
    return column.like(literal(patterns.like(pattern), Text), escape="\\")


def matches(column: ColumnElement[object], values: Sequence[str]) -> Clause:
    """Say that the column matches one of the values, which may be patterns."""
    plain = [value for value in values if not patterns.has_wildcard(value)]
    clauses = [like(column, value) for value in values if patterns.has_wildcard(value)]
    return or_(*([among(column, plain)] if plain else []), *clauses)


def _words(held: Held, match: Words) -> Condition:
    """Say that each word stands in the column, which of an identifier is as it was typed or in capitals."""
    if held.kind is not Kind.EXACT:
        clause, chosen = _all_words(held, [text_key(word) for word in match.words])
    else:
        ways = [match.words, *([upper] if (upper := tuple(map(str.upper, match.words))) != match.words else [])]
        said = [_all_words(held, words) for words in ways]
        clause, chosen = or_(*(one for one, _ in said)), or_(*(one for _, one in said))
    return Condition(clause, exact=True, chosen=chosen if held.tag in _IN_GRAMS else None)


def _all_words(held: Held, words: Sequence[str]) -> tuple[Clause, Clause]:
    """Give the clause, and the one that chooses by an index."""
    if len(words) == 1 and not patterns.grams(words[0]):
        begins = like(held.column, f"{words[0]}*")
        return begins, begins
    clause = and_(*(like(held.column, f"*{word}*") for word in words))
    pieces = sorted({piece for word in words for piece in patterns.grams(word)})
    if not pieces or held.tag not in _IN_GRAMS:
        return clause, clause
    return clause, func.core.grams(held.column).op("@>")(cast(pieces, ARRAY(Text))) & clause


def _no_value(held: Held) -> Condition | None:
    if held.kind in (Kind.LIST, Kind.COUNT):
        return None
    return Condition(held.column == "", exact=held.kind is not Kind.NAME)


def _between(held: Held, first: str, last: str) -> Condition:
    if held.kind is Kind.TIME:
        digits = func.rpad(func.translate(held.column, ".: ", ""), 12, "0").collate("C")
        return Condition((held.column != "") & (digits >= first) & (digits <= last), exact=True)
    return Condition((held.column >= first) & (held.column <= last), exact=True)


def _exact(held: Held, match: OneOf, _ignore_case: bool) -> Condition:
    values = [value.strip() for value in match.values]
    if held.vr == "UI" or not any(map(patterns.has_wildcard, values)):
        return Condition(among(held.column, values), exact=True, few=held.tag in _FEW)
    clause = matches(held.column, values)
    return Condition(clause, exact=True, chosen=_chosen(held, clause, values))


def _folded(held: Held, match: OneOf, ignore_case: bool) -> Condition:
    values = [text_key(value) for value in match.values]
    clause = matches(held.column, values)
    return Condition(clause, exact=ignore_case, chosen=_chosen(held, clause, values))


def _name(held: Held, match: OneOf, _ignore_case: bool) -> Condition:
    keys = [name_key(value) for value in match.values]
    clause = or_(*(_one_name(held, key) for key in keys))
    plain = held.tag in _IN_ORDER and all(key.isascii() and not patterns.has_wildcard(key) for key in keys)
    exactly = or_(*(_just_one_name(held, key) for key in keys))
    return Condition(clause, exact=False, chosen=None if plain else _chosen(held, clause, keys), exactly=exactly)


def _chosen(held: Held, clause: Clause, values: Sequence[str]) -> Clause | None:
    """Give the clause with the index of pieces, unless the text begins well enough for the index in its order."""
    if held.tag not in _IN_GRAMS:
        return None
    text = values[0] if len(values) == 1 else ""
    begins = held.tag in _IN_ORDER and text.isascii() and len(patterns.prefix(text)) >= _LONG_ENOUGH
    pieces = [] if begins or GROUP in text else patterns.grams(text)
    return func.core.grams(held.column).op("@>")(cast(pieces, ARRAY(Text))) & clause if pieces else clause


def _one_name(held: Held, key: str) -> Clause:
    """Say that one of the component groups may match, or each of its own in a key of several groups."""
    first, *others = key.split(GROUP)
    if others:
        return like(held.column, (first or "*") + "*")
    if key.endswith("*"):
        alone = [like(held.column, key)]
    else:
        alone = [matches(held.column, [key]), like(held.column, f"{key}{GROUP}*")]
    return or_(*alone) if key.isascii() else or_(*alone, like(held.column, f"*{GROUP}{key}*"))


def _just_one_name(held: Held, key: str) -> Clause:
    """Say it of the groups one by one: a star does not reach from one into the next."""

    def group_is(number: int, pattern: str) -> Clause:
        return like(func.split_part(held.column, GROUP, number, type_=C), pattern)

    groups = key.split(GROUP)
    if len(groups) == 1:
        return or_(*(group_is(number, key) for number in ((1,) if key.isascii() else (1, 2, 3))))
    return and_(*(group_is(number, group) for number, group in enumerate(groups, 1) if group))


def _date(held: Held, match: OneOf, _ignore_case: bool) -> Condition:
    clauses = [_between(held, *dates.interval(held.vr, value)).clause for value in match.values]
    return Condition(or_(*clauses), exact=True)


def _list(held: Held, match: OneOf, _ignore_case: bool) -> Condition | None:
    if any(map(patterns.has_wildcard, match.values)):
        return None
    return Condition(held.column.op("&&")(cast(list(match.values), ARRAY(C))), exact=True)


def _count(held: Held, match: OneOf, _ignore_case: bool) -> Condition | None:
    numbers = [decimal(value) for value in match.values]
    if any(number is None or abs(number) >= 2**31 for number in numbers):
        return None
    return Condition(or_(*(held.column == int(number) for number in numbers if number is not None)), exact=False)


_ONE_OF: dict[Kind, Callable[[Held, OneOf, bool], Condition | None]] = {
    Kind.EXACT: _exact,
    Kind.FOLDED: _folded,
    Kind.NAME: _name,
    Kind.DATE: _date,
    Kind.TIME: _date,
    Kind.LIST: _list,
    Kind.COUNT: _count,
}
