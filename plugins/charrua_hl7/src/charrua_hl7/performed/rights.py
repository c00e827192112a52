"""Which performed procedure steps row filters let somebody see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from charrua_core.archive.search import sight as core
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson, RowFilter
from charrua_hl7.performed.model import SCHEDULED, SERIES, items


def sight(filters: Sequence[RowFilter]) -> core.Sight:
    """Give a function that says whether a step is proven to be one that passes all filters.

    It states an attribute at its top, and in the items of its scheduled steps and series. Raises NotPermitted for filters
    that the archive cannot apply.
    """
    return core.sight(filters, _stated)


def _stated(attributes: DicomJson, tag: str) -> Iterable[str]:
    return core.stated_in((attributes, *items(attributes, SCHEDULED), *items(attributes, SERIES)), tag)


def passes(filters: Sequence[RowFilter], attributes: DicomJson) -> bool:
    """Whether a step passes; a filter that cannot be applied lets nothing through."""
    try:
        return sight(filters)(attributes)
    except NotPermitted:
        return False
