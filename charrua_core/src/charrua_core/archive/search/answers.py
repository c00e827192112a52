"""What a match tells: the effective attributes of its row, the counts that the archive keeps, and nothing not asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.edit.effective import laid, laid_over
from charrua_core.archive.index.levels import attributes_at, level_of
from charrua_core.archive.search import columns
from charrua_core.archive.search.columns import COMPUTED, LEVELS_DOWN
from charrua_core.archive.search.model import Query
from charrua_core.types import DicomJson, Level

Row = RowMapping


@dataclass(frozen=True, slots=True)
class Facts:
    """What the archive knows of a study beside its attributes, of the series that the asking person may see."""

    first_received_at: datetime
    last_received_at: datetime
    size_bytes: int

    @classmethod
    def of(cls, row: Row) -> Facts:
        """Read them from a row of a statement."""
        return cls(row["first_received_at"], row["last_received_at"], int(row["size_bytes"]))


@dataclass(frozen=True, slots=True)
class Found:
    """One entity that matches, with the attributes that were asked for and that it has."""

    level: Level
    attributes: DicomJson
    status: str = ""
    """Of the study; empty for a patient."""
    facts: Facts | None = None
    """Of a study, where the query asks for them."""


def supported(tag: str, level: Level) -> bool:
    """Whether the archive knows the attribute for entities of this level; an image knows all attributes."""
    of = COMPUTED[tag][1] if tag in COMPUTED else level_of(tag)
    return LEVELS_DOWN.index(of) <= LEVELS_DOWN.index(level)


def told(tag: str, level: Level) -> bool:
    """Whether the archive tells the attribute of entities of this level; of a study also the first of its institutions."""
    return supported(tag, level) or (level is Level.STUDY and tag == columns.INSTITUTION_NAME)


def unsupported(query: Query) -> frozenset[str]:
    """Give the keys that are neither matched nor told at the query's level (pending status 0xFF01)."""
    unmatched = {tag for tag in query.keys if not supported(tag, query.level)}
    return frozenset(unmatched | {tag for tag in query.return_keys if not told(tag, query.level)})


def teller(query: Query, tested: Iterable[str], aet: str) -> Callable[[Row], DicomJson]:
    """Give a function that tells all attributes of a row of `statements`, edits applied.

    What the archive itself knows of the entity is there if it was asked for or is to be tested.
    """
    of_level, wanted = _OF_LEVEL[query.level], query.return_keys | set(tested)
    everything = not query.return_keys
    with_institution = query.level is Level.STUDY and columns.INSTITUTION_NAME in query.return_keys
    counted = [one for one in _COUNTED[query.level] if everything or one[0] in wanted]
    fixed = {columns.RETRIEVE_AET: _element("AE", aet), columns.AVAILABILITY: _element("CS", "ONLINE")}

    def attributes_of(row: Row) -> DicomJson:
        attributes = of_level(row, orjson.loads(row["study_attributes"]))
        attributes.update(fixed)
        for tag, vr, name in counted:
            value = row[name]
            attributes[tag] = _element(vr, *value) if isinstance(value, list) else _element(vr, value)
        if with_institution and row["institution"]:
            attributes[columns.INSTITUTION_NAME] = _element("LO", row["institution"])
        return attributes

    return attributes_of


def _patient(_row: Row, study: DicomJson) -> DicomJson:
    return attributes_at(Level.PATIENT, study)


def _study(row: Row, study: DicomJson) -> DicomJson:
    study[columns.STUDY_UID] = _element("UI", row["study_uid"])
    return study


def _series(row: Row, study: DicomJson) -> DicomJson:
    series: DicomJson = orjson.loads(row["series_attributes"])
    series[columns.SERIES_UID] = _element("UI", row["series_uid"])
    return _study(row, study) | series


def _image(row: Row, study: DicomJson) -> DicomJson:
    """Give the header's attributes with all edits laid over them."""
    over = laid_over(
        {"study_uid": row["study_uid"], "attributes": study, "overlay": row["study_overlay"]},
        {"received_study_uid": row["received_study_uid"], "overlay": row["series_overlay"]},
        {"overlay": row["instance_overlay"]},
    )
    header = unpack_json(row["header"])
    return laid(over, header) if over else header


_OF_LEVEL: dict[Level, Callable[[Row, DicomJson], DicomJson]] = {
    Level.PATIENT: _patient,
    Level.STUDY: _study,
    Level.SERIES: _series,
    Level.IMAGE: _image,
}


def _counted(*tags: str) -> list[tuple[str, str, str]]:
    """Give tag, VR and column of what the archive counts."""
    return [(tag, COMPUTED[tag][0], _COUNT_COLUMNS[tag]) for tag in tags]


_COUNT_COLUMNS = {
    columns.MODALITIES_IN_STUDY: "modalities",
    columns.SOP_CLASSES_IN_STUDY: "sop_classes",
    columns.PATIENT_STUDIES: "patient_studies",
    columns.PATIENT_SERIES: "patient_series",
    columns.PATIENT_INSTANCES: "patient_instances",
    columns.STUDY_SERIES: "study_series",
    columns.STUDY_INSTANCES: "study_instances",
    columns.SERIES_INSTANCES: "series_instances",
}
_OF_STUDY = _counted(
    columns.MODALITIES_IN_STUDY, columns.SOP_CLASSES_IN_STUDY, columns.STUDY_SERIES, columns.STUDY_INSTANCES
)
_OF_SERIES = _OF_STUDY + _counted(columns.SERIES_INSTANCES)
_COUNTED = {
    Level.PATIENT: _counted(columns.PATIENT_STUDIES, columns.PATIENT_SERIES, columns.PATIENT_INSTANCES),
    Level.STUDY: _OF_STUDY,
    Level.SERIES: _OF_SERIES,
    Level.IMAGE: _OF_SERIES,
}


def _element(vr: str, *values: object) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def chooser(query: Query) -> Callable[[DicomJson], DicomJson]:
    """Give a function that leaves of the attributes what the query asks for."""
    level = query.level
    if not query.return_keys:
        return lambda attributes: attributes
    wanted = sorted(tag for tag in query.return_keys if told(tag, level))
    return lambda attributes: {
        tag: _items_chosen(attributes[tag], query.return_items.get(tag)) for tag in wanted if tag in attributes
    }


def _items_chosen(element: dict[str, Any], wanted: frozenset[str] | None) -> dict[str, Any]:
    if not wanted or "Value" not in element:
        return element
    items = [{tag: value for tag, value in item.items() if tag in wanted} for item in element["Value"]]
    return {**element, "Value": items}
