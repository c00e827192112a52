"""The SELECT statements of searches: one page each, by keyset, newest study first.

A page begins after the last row of the page before (`after`), so that nothing is told twice or left out while objects
arrive, and no cursor stays open for a slow peer. Each statement names the index that serves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, aggregate_order_by, distinct_on

from charrua_core.archive.search.conditions import Clause, among
from charrua_core.archive.search.counted import STORED, Counted
from charrua_core.tables import instance, series, study
from charrua_core.types import Level

After = tuple[Any, ...]

NAMED_AT_MOST = 1_000
"""Studies of a name that are looked at for the other keys, in one walk."""

_s, _e, _i = study.c, series.c, instance.c
STUDY_SHOWN = _s.deleted_by.is_(None)
"""Studies that are not deleted."""
_NEWEST = (_s.study_date, _s.study_time, _s.id)
"""What studies are sorted by where no order is named, backwards: index study_by_date."""


def study_columns(counted: Counted) -> tuple[ColumnElement[Any], ...]:
    """What a row tells of a study."""
    return (
        _s.id.label("study_id"),
        _s.study_uid,
        *_NEWEST[:-1],
        _s.status.label("study_status"),
        cast(_s.attributes, Text).label("study_attributes"),
        counted.modalities.label("modalities"),
        counted.sop_classes.label("sop_classes"),
        counted.series.label("study_series"),
        counted.instances.label("study_instances"),
        counted.institution.label("institution"),
        counted.first_received.label("first_received_at"),
        counted.last_received.label("last_received_at"),
        counted.size.label("size_bytes"),
    )


_STUDIES: Select[Any] = select(*study_columns(STORED))
_SERIES_COLUMNS = (
    _e.id.label("series_id"),
    _e.series_uid,
    cast(_e.attributes, Text).label("series_attributes"),
    _e.instance_count.label("series_instances"),
)
_IMAGE_COLUMNS = (
    *_SERIES_COLUMNS,
    _i.id.label("instance_id"),
    _i.header,
    _e.received_study_uid,
    _s.overlay.label("study_overlay"),
    _e.overlay.label("series_overlay"),
    _i.overlay.label("instance_overlay"),
)
_OVERLAID = func.coalesce(_i.overlay, _e.overlay, _s.overlay).is_not(None)
_OBJECT_COLUMNS = (
    _i.id.label("instance_id"),
    _e.id.label("series_id"),
    _s.study_uid,
    _e.series_uid,
    _i.sop_instance_uid,
    _i.sop_class_uid,
    _i.transfer_syntax_uid,
    _i.volume_id,
    _i.path,
    _i.size_bytes,
    _i.dataset_offset,
    (_OVERLAID | (_e.received_study_uid != _s.study_uid)).label("edited"),
    _i.overlay,
)


def _number(column: ColumnElement[Any]) -> ColumnElement[int]:
    """The number that an IS writes; what is none comes last."""
    return case((column.regexp_match(r"^\s*[+-]?\d{1,10}\s*$"), cast(column, BIGINT)), else_=literal(1 << 40, BIGINT))


_SERIES_NUMBER = _number(_e.series_number).label("series_number")
_INSTANCE_NUMBER = _number(_i.instance_number).label("instance_number")
_ORDER: dict[tuple[Level, bool], tuple[ColumnElement[Any], ...]] = {
    (Level.STUDY, False): _NEWEST,
    (Level.SERIES, False): (_e.id,),
    (Level.SERIES, True): (_SERIES_NUMBER.element, _e.id),
    (Level.IMAGE, False): (_e.id, _i.id),
    (Level.IMAGE, True): (_SERIES_NUMBER.element, _e.id, _INSTANCE_NUMBER.element, _i.id),
}
"""By level, and whether by number: what the pages are sorted by."""

# Patients without an ID are told apart by name.
_NOTHING: ColumnElement[bytes] = literal_column("''::bytea")
_EMPTY: ColumnElement[str] = literal_column("''")
_UNNAMED = case((_s.patient_id == _EMPTY, _s.patient_name_key), else_=_EMPTY).label("unnamed")
_PATIENT_KEY = (_s.patient_id, _s.issuer, _UNNAMED)


def with_overlaid(clause: Clause) -> Clause:
    """Select also the images that edits may have made to match."""
    return clause | _OVERLAID


def study_page(
    clauses: Sequence[Clause], after: After | None, count: int, offset: int = 0, counted: Counted = STORED
) -> Select[Any]:
    """Studies by date: index study_by_date, or that of a selective key, which the planner chooses."""
    found = (_STUDIES if counted is STORED else select(*study_columns(counted))).where(STUDY_SHOWN, *clauses)
    found = found.where(*_older(after))
    return _newest_first(found).limit(count).offset(offset or None)


def newest_studies(
    named: Clause,
    dates: Sequence[Clause],
    others: Sequence[Clause],
    after: After | None,
    rows: int,
    count: int,
    counted: Counted = STORED,
) -> Select[Any]:
    """Of the next `rows` studies by date those that match `named`, of these the first that match the others.

    Index study_by_date, alone for the texts that it holds; it is read no further than it takes to fill the page.
    """
    walk: Select[Any] = select(*_NEWEST, named.label("named"))
    walk = walk.where(STUDY_SHOWN, *dates, *_older(after))
    studies = _newest_first(walk).limit(rows).subquery("studies")
    first = select(*(studies.c[column.key] for column in _NEWEST)).where(studies.c.named)
    return _in_order(_newest_of(first, studies).limit(NAMED_AT_MOST if others else count), others, count, counted)


def dates_left(dates: Sequence[Clause], after: After | None, rows: int) -> Select[Any]:
    """How many studies are left by date, counted up to `rows`: index study_by_date alone."""
    left = select(_s.id).where(STUDY_SHOWN, *dates, *_older(after)).limit(rows).subquery("left")
    return select(*(func.count(left.c.id).label("number"),))


def number_of_newest(named: Sequence[Clause], dates: Sequence[Clause], rows: int, at_most: int) -> Select[Any]:
    """How many of the first `rows` studies by date match `named`, counted up to `at_most`: index study_by_date alone."""
    walk: Select[Any] = select(and_(*named).label("named")).where(STUDY_SHOWN, *dates)
    studies = _newest_first(walk).limit(rows).subquery("studies")
    some = select(studies.c.named).where(studies.c.named).limit(at_most).subquery("some")
    return select(func.count().label("number")).select_from(some)


def chosen_studies(
    clauses: Sequence[Clause], after: After | None, count: int, counted: Counted = STORED
) -> Select[Any]:
    """Studies that a text chooses, sorted after the choice: study_by_name or study_by_grams.

    In one step the planner would walk all dates for a name that it takes to be frequent.
    """
    chosen = materialised(select(*_NEWEST).where(STUDY_SHOWN, *clauses, *_older(after)))
    return _in_order(_newest_of(select(chosen), chosen).limit(count), [], count, counted)


def _newest_of(statement: Select[Any], studies: FromClause) -> Select[Any]:
    return statement.order_by(*(studies.c[column.key].desc() for column in _NEWEST))


def _in_order(ids: Select[Any], clauses: Sequence[Clause], count: int, counted: Counted) -> Select[Any]:
    first = ids.subquery("first")
    found = select(*study_columns(counted)).join_from(first, study, first.c.id == _s.id).where(*clauses)
    return _newest_of(found, first).limit(count)


def patient_page(clauses: Sequence[Clause], after: After | None, count: int) -> Select[Any]:
    """The keys of patients, in order: index study_by_patient."""
    studies = select(*_PATIENT_KEY).where(STUDY_SHOWN, *clauses, *_later_patient(after))
    return studies.group_by(*_PATIENT_KEY).order_by(*_PATIENT_KEY).limit(count)


def next_patients(named: Clause, after: After | None, rows: int, count: int) -> Select[Any]:
    """Of the next `rows` studies by patient, the keys of patients that match `named`: index study_by_patient."""
    walk = select(*_PATIENT_KEY, named.label("named")).where(STUDY_SHOWN, *_later_patient(after))
    studies = walk.order_by(*_PATIENT_KEY).limit(rows).subquery("studies")
    key = (studies.c.patient_id, studies.c.issuer, studies.c.unnamed)
    return select(*key).where(studies.c.named).group_by(*key).order_by(*key).limit(count)


def chosen_patients(clauses: Sequence[Clause], after: After | None, count: int) -> Select[Any]:
    """The keys of patients that a text chooses: study_by_name or study_by_grams."""
    chosen = materialised(select(*_PATIENT_KEY).where(STUDY_SHOWN, *clauses, *_later_patient(after)))
    key = (chosen.c.patient_id, chosen.c.issuer, chosen.c.unnamed)
    return select(*key).group_by(*key).order_by(*key).limit(count)


def patient_rows(
    keys: Sequence[After], scope: Sequence[Clause], clauses: Sequence[Clause], counted: Counted = STORED
) -> Select[Any]:
    """The newest matching study of each patient, and the sums of all of theirs: index study_by_patient."""
    counts = (
        func.count().over(partition_by=_PATIENT_KEY).label("patient_studies"),
        cast(func.sum(counted.series).over(partition_by=_PATIENT_KEY), BIGINT).label("patient_series"),
        cast(func.sum(counted.instances).over(partition_by=_PATIENT_KEY), BIGINT).label("patient_instances"),
    )
    attributes = cast(_s.attributes, Text).label("study_attributes")
    rows: Select[Any] = select(*_PATIENT_KEY, attributes, *counts).ext(distinct_on(*_PATIENT_KEY))
    rows = rows.where(STUDY_SHOWN, among(_s.patient_id, sorted({key[0] for key in keys})), *scope)
    matching_first = [and_(*clauses).desc()] if clauses else []
    return rows.order_by(*_PATIENT_KEY, *matching_first, *(column.desc() for column in _NEWEST))


def lower_page(
    level: Level,
    upper: Sequence[Clause],
    lower: Sequence[Clause],
    after: After | None,
    count: int,
    offset: int = 0,
    counted: Counted = STORED,
    by_number: bool = False,
) -> Select[Any]:
    """Series, or images, with their studies: series_by_study or series_by_uid, instance_by_series or instance_current.

    The studies are chosen first: the planner would otherwise walk all series in their order for the first page.
    """
    below = _SERIES_COLUMNS if level is Level.SERIES else _IMAGE_COLUMNS
    numbers = (_SERIES_NUMBER, *([_INSTANCE_NUMBER] if level is Level.IMAGE else ())) if by_number else ()
    columns = (*study_columns(counted), *below, *numbers)
    return _below_studies(columns, level, upper, lower, after, count, by_number).offset(offset or None)


def position(level: Level, uid: str, clauses: Sequence[Clause], by_number: bool) -> Select[Any]:
    """Where an entity stands in the order of its level, deleted or not: the index of its UID."""
    order = _ORDER[level, by_number and level is not Level.STUDY]
    found: Select[Any] = select(*order).select_from(study)
    if level is not Level.STUDY:
        found = found.join(series, _e.study_id == _s.id)
    if level is Level.IMAGE:
        found = found.join(instance, _i.series_id == _e.id)
    of_uid = {Level.STUDY: _s.study_uid, Level.SERIES: _e.series_uid, Level.IMAGE: _i.sop_instance_uid}[level]
    return found.where(of_uid == uid, *clauses).order_by(order[-1].desc()).limit(1)


def number_of(level: Level, upper: Sequence[Clause], lower: Sequence[Clause], at_most: int) -> Select[Any]:
    """How many there are, counted up to `at_most`: the indexes of the pages."""
    if level is Level.PATIENT:
        some = select(*_PATIENT_KEY).where(STUDY_SHOWN, *upper).distinct()
    elif level is Level.STUDY:
        some = select(_s.id).where(STUDY_SHOWN, *upper)
    else:
        some = _shown_below((_e.id,), level, upper, lower)
    return select(func.count().label("number")).select_from(some.limit(at_most).subquery("some"))


def estimated() -> Select[Any]:
    """About how many studies there are: as many as the table had when it was last looked through, for its size now."""
    return (
        select(func.greatest(literal_column("reltuples"), 0).label("number"))
        .select_from(text("pg_class"))
        .where(literal_column("oid = 'core.study'::regclass"))
    )


def object_page(upper: Sequence[Clause], lower: Sequence[Clause], after: After | None, count: int) -> Select[Any]:
    """What sending needs to know of objects, series by series: the same indexes as `lower_page`."""
    return _below_studies(_OBJECT_COLUMNS, Level.IMAGE, upper, lower, after, count)


def object_runs(upper: Sequence[Clause], lower: Sequence[Clause], at_most: int | None) -> Select[Any]:
    """The ids of objects as 8 bytes each, the highest first, by study, SOP class and transfer syntax: as `object_page`."""
    columns = (
        *(_s.study_uid, _i.sop_class_uid, _i.transfer_syntax_uid),
        *(_e.id.label("series_id"), _i.id.label("instance_id")),
    )
    found = _below_studies(columns, Level.IMAGE, upper, lower, None, at_most).subquery("found")
    of, series_id, instance_id = found.c, found.c.series_id, found.c.instance_id
    packed = func.string_agg(func.int8send(instance_id), aggregate_order_by(_NOTHING, series_id, instance_id))
    kind = (of.study_uid, of.sop_class_uid, of.transfer_syntax_uid)
    return select(*kind, packed.label("ids")).group_by(*kind).order_by(func.min(series_id), func.min(instance_id))


def objects_by_id(ids: Sequence[int]) -> Select[Any]:
    """What sending needs to know of these objects, if they are shown: the primary keys."""
    return _shown_of(ids, *_OBJECT_COLUMNS)


def headers_by_id(ids: Sequence[int]) -> Select[Any]:
    """The same with the headers of these objects."""
    return _shown_of(ids, *_OBJECT_COLUMNS, _i.header, _i.unparsed)


def _shown_of(ids: Sequence[int], *columns: Any) -> Select[Any]:
    shown = (STUDY_SHOWN, _e.deleted_by.is_(None), _i.deleted_by.is_(None))
    found = select(*columns).join_from(instance, series, _e.id == _i.series_id).join(study, _s.id == _e.study_id)
    return found.where(_of_ids(ids), *shown)


def object_listing(upper: Sequence[Clause], lower: Sequence[Clause]) -> Select[Any]:
    """The ids of objects as 8 bytes each, the highest first, and one word for what they are: as `object_page`.

    The word is of the rows of the objects and of their series, which are what they are until PostgreSQL writes others
    (`xmin`), and of what their studies were edited to, and lay over series that were moved to them. Not of the row of a
    study: it changes with each series, also with those that the caller does not see.
    """
    moved = _e.received_study_uid != _s.study_uid
    parts: list[ColumnElement[str]] = [
        literal_column("md5(core.study.overlay::text)"),
        case((moved, literal_column("md5(core.study.attributes::text)"))),
        literal_column("core.series.xmin::text"),
        literal_column("core.instance.xmin::text"),
    ]
    columns = (_e.id.label("series_id"), _i.id.label("instance_id"), func.concat_ws(",", _i.id, *parts).label("row"))
    found = _below_studies(columns, Level.IMAGE, upper, lower, None, None).subquery("found")
    order = (found.c.series_id, found.c.instance_id)
    state = func.md5(func.string_agg(found.c.row, aggregate_order_by(literal(";"), *order)))
    packed = func.string_agg(func.int8send(found.c.instance_id), aggregate_order_by(_NOTHING, *order))
    return select(state.label("state"), packed.label("ids"))


def uids_by_id(ids: Sequence[int]) -> Select[Any]:
    """The SOP Instance UIDs of these objects: the primary key."""
    return select(_i.sop_instance_uid).where(_of_ids(ids))


def _of_ids(ids: Sequence[int]) -> Clause:
    return _i.id == any_(bindparam(None, list(ids), ARRAY(BIGINT)))


def _below_studies(
    columns: Sequence[Any],
    level: Level,
    upper: Sequence[Clause],
    lower: Sequence[Clause],
    after: After | None,
    count: int | None,
    by_number: bool = False,
) -> Select[Any]:
    order = _ORDER[level, by_number]
    found = _shown_below(columns, level, upper, lower)
    if after:
        found = found.where(tuple_(*order) > tuple_(*map(literal, after)))
    return found.order_by(*order).limit(count)


def _shown_below(columns: Sequence[Any], level: Level, upper: Sequence[Clause], lower: Sequence[Clause]) -> Select[Any]:
    found = select(*columns).join_from(study, series, _e.study_id == _s.id).where(STUDY_SHOWN, _e.deleted_by.is_(None))
    if level is Level.IMAGE:
        found = found.join(instance, _i.series_id == _e.id).where(_i.deleted_by.is_(None), _i.current)
    if upper:
        chosen = materialised(select(_s.id).where(STUDY_SHOWN, *upper))
        found = found.join(chosen, chosen.c.id == _e.study_id)
    return found.where(*lower)


def materialised(statement: Select[Any]) -> CTE:
    """Give what is chosen first, whatever the planner thinks of it."""
    return statement.cte("chosen").prefix_with("MATERIALIZED", dialect="postgresql")


def _newest_first(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(*(column.desc() for column in _NEWEST))


def _older(after: After | None) -> list[Clause]:
    return [tuple_(*_NEWEST) < tuple_(*map(literal, after))] if after else []


def _later_patient(after: After | None) -> list[Clause]:
    """Whole patients after the last: one that the page before ended in was told whole."""
    if after is None:
        return []
    patient_id, issuer, unnamed = map(literal, after)
    begun = tuple_(_s.patient_id, _s.issuer) >= tuple_(patient_id, issuer)
    return [begun, tuple_(_s.patient_id, _s.issuer, _UNNAMED) > tuple_(patient_id, issuer, unnamed)]
