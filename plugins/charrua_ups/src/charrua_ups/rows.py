"""The columns by which workitems are found, and the keys of a search as conditions over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_core.archive.index.levels import NAME_LENGTH
from charrua_core.archive.index.names import name_key
from charrua_core.archive.search import Match, dates
from charrua_core.archive.search.conditions import Clause
from charrua_core.archive.search.matching import written_name
from charrua_core.archive.search.terms import Condition, moment_is, name_is, terms_of, text_is
from charrua_core.archive.search.terms import conditions as conditions_over
from charrua_core.types import DicomJson
from charrua_ups.model import OBJECTS, PATIENT_NAME, START, STATE, text, values
from charrua_ups.tables import workitem

_UNTERMED = frozenset({OBJECTS})
"""Sequences too long to be looked up by: a workitem's input may be thousands of objects."""
_COLUMNS: Mapping[str, Condition] = {
    STATE: text_is(workitem.c.state),
    START: moment_is(workitem.c.start_moment, "DT"),
    PATIENT_NAME: name_is(workitem.c.patient_name_key),
}


def columns_of(attributes: DicomJson) -> dict[str, Any]:
    """Give the columns of a workitem that its attributes decide."""
    names = values(attributes, PATIENT_NAME)
    start = text(attributes, START)
    return {
        "state": text(attributes, STATE),
        "patient_name_key": name_key(written_name(names[0]))[:NAME_LENGTH] if names else "",
        "start_moment": dates.begin("DT", start) or "",
        "terms": terms_of(attributes, _UNTERMED),
        "attributes": attributes,
    }


def conditions(keys: Mapping[str, Match], *, fuzzy: bool = False) -> list[Clause]:
    """Give the conditions that the keys of a search set on the columns. Raises QueryInvalid for a bad date or time."""
    lookable = {tag: match for tag, match in keys.items() if not (fuzzy and tag == PATIENT_NAME)}
    return conditions_over(lookable, _COLUMNS, workitem.c.terms, _UNTERMED)
