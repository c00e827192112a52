"""The orders that a list of studies may have beside the archive's own, and the statements of their pages.

An order that an index gives is walked a while: a page that many studies match is soon full. Otherwise, and where no index
has the order, what matches is chosen first and sorted then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, literal, select, tuple_

from charrua_core.archive.search.conditions import Clause
from charrua_core.archive.search.counted import Counted
from charrua_core.archive.search.statements import STUDY_SHOWN, After, materialised, study_columns
from charrua_core.tables import study

_s = study.c


@dataclass(frozen=True, slots=True)
class Order:
    """What studies are sorted by: columns, of which the last tells them apart."""

    columns: tuple[ColumnElement[Any], ...]
    index: str = ""
    """The index that gives the order; none: as many as `MOST_SORTED` are sorted."""


ORDERS = {
    "date": Order((_s.study_date, _s.study_time, _s.id), "study_by_date"),
    "patient": Order((_s.patient_name_key, _s.id), "study_by_name"),
    "patient_id": Order((_s.patient_id, _s.issuer, _s.id), "study_by_patient"),
    "accession": Order((_s.accession_number, _s.id), "study_by_accession_number"),
    "description": Order((_s.study_description_key, _s.id), "study_by_description"),
    "referring": Order((_s.referring_physician_name_key, _s.id), "study_by_referring"),
    "status": Order((_s.status, _s.study_date, _s.study_time, _s.id), "study_by_status"),
    "received": Order((_s.first_received_at, _s.id), "study_by_arrival"),
    "birth_date": Order((_s.patient_birth_date, _s.id)),
    "modality": Order((_s.modalities, _s.id)),
    "series": Order((_s.series_count, _s.id)),
    "images": Order((_s.instance_count, _s.id)),
    "size": Order((_s.size_bytes, _s.id)),
}
MOST_SORTED = 10_000
WALK = 10_000
"""Studies of an order among which a page is looked for before what matches is sorted."""


def with_columns(order: Order, counted: Counted) -> Order:
    """Give the order by what the asking person sees of what is counted."""
    seen = {
        _s.modalities: counted.modalities,
        _s.series_count: counted.series,
        _s.instance_count: counted.instances,
        _s.size_bytes: counted.size,
    }
    return Order(tuple(seen.get(column, column) for column in order.columns), order.index)  # type: ignore[call-overload]


def walk_page(
    order: Order, ascending: bool, clauses: Sequence[Clause], after: After | None, count: int, counted: Counted
) -> Select[Any]:
    """Of the next `WALK` studies in the order's index the first that match."""
    if not clauses:
        first = _sorted(_all(order, [], ascending, after), order.columns, ascending).limit(count)
        return _rows(first, order, ascending, count, counted)
    walk = _all(order, [and_(*clauses).label("matching")], ascending, after)
    studies = _sorted(walk, order.columns, ascending).limit(WALK).subquery("studies")
    places = _places(studies, order)
    first = _sorted(select(*places).where(studies.c.matching), places, ascending).limit(count)
    return _rows(first, order, ascending, count, counted)


def chosen_page(
    order: Order, ascending: bool, clauses: Sequence[Clause], after: After | None, count: int, counted: Counted
) -> Select[Any]:
    """The studies that match, sorted after they are chosen by the index of what they match."""
    chosen = materialised(_all(order, [], ascending, None).where(*clauses))
    places = _places(chosen, order)
    first = select(*places).where(*_behind(places, ascending, after))
    return _rows(_sorted(first, places, ascending).limit(count), order, ascending, count, counted)


def position(order: Order, uid: str, clauses: Sequence[Clause]) -> Select[Any]:
    """Where a study stands in the order, deleted or not: the index of its UID."""
    return select(*_named(order)).where(_s.study_uid == uid, *clauses)


def _named(order: Order) -> list[ColumnElement[Any]]:
    return [column.label(f"place{number}") for number, column in enumerate(order.columns)]


def _places(studies: FromClause, order: Order) -> list[ColumnElement[Any]]:
    return [studies.c[f"place{number}"] for number in range(len(order.columns))]


def _all(order: Order, more: Sequence[ColumnElement[Any]], ascending: bool, after: After | None) -> Select[Any]:
    return select(*_named(order), *more).where(STUDY_SHOWN, *_behind(order.columns, ascending, after))


def _behind(columns: Sequence[ColumnElement[Any]], ascending: bool, after: After | None) -> list[Clause]:
    if after is None:
        return []
    here = tuple_(*columns)
    there = tuple_(*(literal(value, column.type) for value, column in zip(after, columns, strict=True)))
    return [here > there if ascending else here < there]


def _sorted(statement: Select[Any], columns: Sequence[ColumnElement[Any]], ascending: bool) -> Select[Any]:
    return statement.order_by(*(column.asc() if ascending else column.desc() for column in columns))


def _rows(ids: Select[Any], order: Order, ascending: bool, count: int, counted: Counted) -> Select[Any]:
    first = ids.subquery("first")
    places = _places(first, order)
    found = select(*study_columns(counted), *places).join_from(first, study, places[-1] == _s.id)
    return _sorted(found, places, ascending).limit(count)
