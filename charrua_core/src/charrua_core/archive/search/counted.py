"""What a study tells of its series: as the study's row has it, or of the series alone that the asking person may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, cast, distinct, func, null, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array

from charrua_core.archive.search.columns import (
    MODALITIES_IN_STUDY,
    SOP_CLASSES_IN_STUDY,
    STUDY_INSTANCES,
    STUDY_SERIES,
)
from charrua_core.archive.search.conditions import Clause
from charrua_core.archive.search.scope import series_scope
from charrua_core.tables import C, instance, series, study
from charrua_core.types import Identity

Column = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """The columns that tell it."""

    modalities: Column
    sop_classes: Column
    series: Column
    instances: Column
    institution: Column
    """The first Institution Name of the series; NULL where it is not asked for."""
    first_received: Column
    last_received: Column
    size: Column
    """These three NULL where the facts are not asked for and the series are looked at."""

    @property
    def by_tag(self) -> Mapping[str, Column]:
        """The column that a key is compared with."""
        return {
            MODALITIES_IN_STUDY: self.modalities,
            SOP_CLASSES_IN_STUDY: self.sop_classes,
            STUDY_SERIES: self.series,
            STUDY_INSTANCES: self.instances,
        }


_s = study.c
STORED = Counted(
    *(_s.modalities, _s.sop_classes, _s.series_count, _s.instance_count, null()),
    *(_s.first_received_at, _s.last_received_at, _s.size_bytes),
)


def counted_for(
    identity: Identity, *, sop_classes: bool = True, institution: bool = False, facts: bool = False
) -> Counted:
    """Give what is counted for the identity; without `sop_classes`, which look at each object, none of those.

    With `institution`, also the name of the institution, which looks at each series; with `facts`, when the series came and
    how large they are. Raises NotPermitted as `scope` does.
    """
    if not identity.row_filters and not institution:
        return STORED
    shown = series.alias("shown")
    seen = series_scope(identity, shown)
    here = [shown.c.study_id == study.c.id, shown.c.deleted_by.is_(None), *seen]
    named = _of(func.min(shown.c.institution_name).filter(shown.c.institution_name != ""), here, shown)
    if not seen:
        return replace(STORED, institution=named) if institution else STORED
    of_object = [instance.c.series_id == shown.c.id, instance.c.current, instance.c.deleted_by.is_(None)]
    return Counted(
        _of(_values(shown.c.modality), here, shown),
        _of(_values(instance.c.sop_class_uid), [*here, *of_object], shown, instance) if sop_classes else null(),
        _of(func.count(), here, shown),
        _of(func.coalesce(func.sum(shown.c.instance_count), 0), here, shown),
        named if institution else null(),
        _of(func.min(shown.c.first_received_at), here, shown) if facts else null(),
        _of(func.max(shown.c.last_received_at), here, shown) if facts else null(),
        _of(func.coalesce(func.sum(shown.c.size_bytes), 0), here, shown) if facts else null(),
    )


def _of(what: Column, where: list[Clause], *rows: FromClause) -> ScalarSelect[Any]:
    return select(what).select_from(*rows).where(*where).correlate(study).scalar_subquery()


def _values(column: Column) -> Column:
    """The values that are not empty, once each and sorted."""
    found = func.array_agg(aggregate_order_by(distinct(column), column), type_=ARRAY(C)).filter(column != "")
    return func.coalesce(found, cast(array([]), ARRAY(C)))
