"""Studies by what their series are: one of them, which the asking person may see, has all that is asked."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import and_, func, or_, select

from charrua_core.archive.index.levels import COLUMNS, level_of
from charrua_core.archive.index.names import text_key
from charrua_core.archive.search.columns import COMPUTED
from charrua_core.archive.search.conditions import Clause, condition_of, like
from charrua_core.archive.search.model import Match, OneOf, Words
from charrua_core.archive.search.scope import series_scope
from charrua_core.errors import QueryInvalid
from charrua_core.tables import series, study
from charrua_core.types import Identity, Level

_IN_COLUMNS = {one.tag: series.c[one.column] for one in COLUMNS if one.level is Level.SERIES}


def with_series(keys: Mapping[str, Match], identity: Identity, ignore_case: bool) -> Clause:
    """Give the clause. QueryInvalid for attributes that no row of a series tells."""
    asked = [_clause(tag, match, ignore_case) for tag, match in sorted(keys.items())]
    seen = [series.c.study_id == study.c.id, series.c.deleted_by.is_(None), *series_scope(identity, series)]
    return select(series.c.id).where(*seen, *asked).correlate(study).exists()


def _clause(tag: str, match: Match, ignore_case: bool) -> Clause:
    if tag in COMPUTED or level_of(tag) is not Level.SERIES:
        raise QueryInvalid(f"{tag} is no attribute of a series")
    held = condition_of(tag, match, ignore_case)
    if held is not None:
        return held.clause
    if not isinstance(match, OneOf | Words):
        raise QueryInvalid(f"series cannot be searched like that by {tag}")
    column = _IN_COLUMNS.get(tag, series.c.attributes[tag]["Value"][0].astext)
    if isinstance(match, Words):
        return and_(*(like(func.lower(column), f"*{text_key(word)}*") for word in match.words))
    return or_(*(like(func.lower(column), text_key(value)) for value in match.values))
