"""What the asking person may see, as conditions that every statement of a search carries (DESIGN §7)."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.datadict import keyword_for_tag
from sqlalchemy import ColumnElement, FromClause, and_, exists, select

from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search.columns import HELD, MODALITIES_IN_STUDY, MODALITY, Held, Kind
from charrua_core.archive.search.conditions import Clause, matches
from charrua_core.errors import EditInvalid, NotPermitted
from charrua_core.tables import series, study
from charrua_core.types import Identity, Level, RowFilter

_STUDY_ROW = (Level.PATIENT, Level.STUDY)
_FILTERED_KINDS = (Kind.EXACT, Kind.FOLDED, Kind.NAME)


def scope(identity: Identity, level: Level) -> list[Clause]:
    """Give the conditions that leave only what the identity may see; none for one without filters.

    Filters of series attributes admit a study that has a series that passes all of them, and of its series only those.
    Raises NotPermitted where a filter names what the index cannot tell: nothing is shown rather than too much.
    """
    held = [one for row_filter in identity.row_filters for one in _held_of(row_filter, *_STUDY_ROW)]
    clauses = [_admits(one.column, one, values) for one, values in held]
    if of_series := series_scope(identity, series):
        clauses.append(_with_series(of_series) if level in _STUDY_ROW else and_(*of_series))
    return clauses


def filterable() -> dict[str, Level]:
    """Give the keywords of the attributes that a row filter may name, each with the level at which it holds."""
    return {
        keyword: held.level
        for held in HELD.values()
        if held.kind in _FILTERED_KINDS and held.level is not Level.IMAGE and (keyword := keyword_for_tag(held.tag))
    }


def check_filter(admits: Mapping[str, object]) -> None:
    """EditInvalid where a filter names what the index cannot filter by: it would show nothing at all."""
    for keyword in admits:
        try:
            _held(keyword)
        except NotPermitted:
            raise EditInvalid(f"{keyword} is no attribute to filter by; these are: {', '.join(filterable())}") from None


def series_scope(identity: Identity, rows: FromClause) -> list[Clause]:
    """Give the conditions on `rows`, the series or an alias of them, that leave only those that the identity may see.

    None where no filter is of a series attribute. Raises as `scope` does.
    """
    held = [one for row_filter in identity.row_filters for one in _held_of(row_filter, Level.SERIES)]
    return [_admits(rows.c[one.name], one, values) for one, values in held]


def _held_of(row_filter: RowFilter, *levels: Level) -> list[tuple[Held, tuple[str, ...]]]:
    """Give what the filter says of attributes of these levels."""
    held = [(_held(keyword), values) for keyword, values in row_filter.admits.items()]
    return [one for one in held if one[0].level in levels]


def _held(keyword: str) -> Held:
    try:
        tag = tag_of(keyword)
    except KeyError:
        tag = ""
    held = HELD.get(MODALITY if tag == MODALITIES_IN_STUDY else tag)
    if held is None or held.kind not in _FILTERED_KINDS or held.level is Level.IMAGE:
        raise NotPermitted(f"the filter of this account or peer names {keyword}, by which the index cannot filter")
    return held


def _admits(column: ColumnElement[object], held: Held, values: tuple[str, ...]) -> Clause:
    fold = {Kind.NAME: name_key, Kind.FOLDED: text_key}.get(held.kind, str.strip)
    return matches(column, [fold(value) for value in values])


def _with_series(clauses: list[Clause]) -> ColumnElement[bool]:
    here = [series.c.study_id == study.c.id, series.c.deleted_by.is_(None), *clauses]
    return exists(select(series.c.id).where(*here).correlate(study))
