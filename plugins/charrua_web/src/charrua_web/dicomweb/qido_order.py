"""Other orders than the archive's own: matches are gathered, as many as there may be, and sorted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charrua_core.archive.index.names import text_key
from charrua_core.errors import QueryInvalid
from charrua_core.types import Level
from charrua_core.web import Query as Pairs
from charrua_web.dicomweb.qido_names import BINARY, path_of, vr_of

SORTED_AT_MOST = 10_000
"""Matches that are sorted in memory; more are refused."""
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_SORT_ORDERS: tuple[tuple[str, ...], ...] = (
    (),
    ("AcquisitionNumber", "InstanceNumber"),
    ("InstanceNumber", "AcquisitionNumber"),
    ("SliceLocation",),
    ("-SliceLocation",),
    ("AcquisitionTime",),
)
"""The manual's `sortorder`, 0 to 5."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """An attribute that matches are sorted by."""

    tag: str
    vr: str
    descending: bool

    def value_of(self, attributes: Mapping[str, Any]) -> float | str | None:
        """Give what a match is sorted by, None where it has no value that can be compared."""
        value = next(iter(attributes.get(self.tag, {}).get("Value", ())), None)
        if value is None or value == "":
            return None
        if self.vr in _NUMBERS:
            try:
                return float(value)
            except (TypeError, ValueError):
                return None
        return text_key(value.get("Alphabetic", "") if isinstance(value, Mapping) else str(value))


def order_of(pairs: Pairs, level: Level) -> tuple[SortKey, ...]:
    """Give the order that `orderby` names, or the manual's `sortorder`; empty for the archive's own."""
    names = [name for value in pairs.all("orderby") for name in value.split(",") if name]
    if "sortorder" in pairs:
        names += _sort_order(pairs.first("sortorder"), level)
    return tuple(_sort_key(name, level) for name in names)


Sortable = tuple[tuple[float | str | None, ...], bytes]


def sort(rows: list[Sortable], keys: tuple[SortKey, ...]) -> None:
    """Sort rows of their values and what they are; those without a value come last, equals stay as they are."""
    for place, key in reversed(list(enumerate(keys))):
        with_value = [row for row in rows if row[0][place] is not None]
        without = [row for row in rows if row[0][place] is None]
        with_value.sort(key=lambda row: row[0][place], reverse=key.descending)  # type: ignore[arg-type, return-value]
        rows[:] = with_value + without


def _sort_order(value: str, level: Level) -> tuple[str, ...]:
    if level is not Level.IMAGE:
        raise QueryInvalid("sortorder is of instances")
    if value not in tuple("012345"):
        raise QueryInvalid(f"sortorder is a digit from 0 to 5, not {value[:80]!r}")
    return _SORT_ORDERS[int(value)]


def _sort_key(name: str, level: Level) -> SortKey:
    path = path_of(name.removeprefix("-"), level)
    if path is None or len(path) > 1 or vr_of(path[0]) in BINARY | {"SQ"}:
        raise QueryInvalid(f"nothing can be ordered by {name[:80]!r}")
    return SortKey(path[0], vr_of(path[0]), name.startswith("-"))
