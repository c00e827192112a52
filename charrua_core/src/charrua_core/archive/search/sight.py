"""What row filters let an identity see of data sets that the index does not hold: workitems and entries of a worklist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search.columns import HELD, MODALITIES_IN_STUDY, MODALITY, Kind
from charrua_core.archive.search.matching import written_name
from charrua_core.archive.search.patterns import matcher
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson, RowFilter

_FOLDS: Mapping[Kind, Callable[[str], str]] = {Kind.EXACT: str.strip, Kind.NAME: name_key, Kind.FOLDED: text_key}

Sight = Callable[[DicomJson], bool]
Stated = Callable[[DicomJson, str], Iterable[str]]
"""Gives what a data set states of an attribute, wherever in it that stands."""


def sight(filters: Sequence[RowFilter], stated: Stated) -> Sight:
    """Give a function that says whether a data set is proven to be one that passes all filters.

    It passes where it states each attribute that a filter names, and every value that it states is admitted. What it does not
    state is not proven. Raises NotPermitted for filters that the archive cannot apply.
    """
    tests = [_test(keyword, admitted, stated) for one in filters for keyword, admitted in one.admits.items()]
    return lambda attributes: all(test(attributes) for test in tests)


def stated_in(datasets: Iterable[Mapping[str, Any]], tag: str) -> Iterator[str]:
    """Give the values that data sets have of an attribute, as text; a name with its groups between `=`."""
    for dataset in datasets:
        for value in dataset.get(tag, {}).get("Value", ()):
            if value not in (None, ""):
                yield written_name(value)


def _test(keyword: str, admitted: Sequence[str], stated: Stated) -> Sight:
    try:
        tag = tag_of(keyword)
    except KeyError:
        tag = ""
    tag = MODALITY if tag == MODALITIES_IN_STUDY else tag
    held = HELD.get(tag)
    fold = _FOLDS.get(held.kind) if held else None
    if fold is None:
        raise NotPermitted(f"the filter of this account or peer names {keyword}, by which worklists cannot be filtered")
    tests = [matcher(fold(value)) for value in admitted]

    def passes(attributes: DicomJson) -> bool:
        values = [fold(value) for value in stated(attributes, tag)]
        return bool(values) and all(any(test(value) for test in tests) for value in values)

    return passes
