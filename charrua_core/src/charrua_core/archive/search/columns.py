"""Which columns of the index hold which attributes, and how each column is compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import ColumnElement

from charrua_core.tables import instance, series, study
from charrua_core.types import Level

PATIENT_ID, ISSUER, PATIENT_NAME = "00100020", "00100021", "00100010"
STUDY_DATE = "00080020"
STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"
MODALITY, MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY = "00080060", "00080061", "00080062"
PATIENT_STUDIES, PATIENT_SERIES, PATIENT_INSTANCES = "00201200", "00201202", "00201204"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
INSTITUTION_NAME = "00080080"
RETRIEVE_AET, AVAILABILITY = "00080054", "00080056"

UNIQUE_KEYS = {Level.PATIENT: PATIENT_ID, Level.STUDY: STUDY_UID, Level.SERIES: SERIES_UID, Level.IMAGE: SOP_UID}
LEVELS_DOWN = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)


class Kind(Enum):
    """How a column is compared with a key."""

    EXACT = auto()
    FOLDED = auto()
    NAME = auto()
    DATE = auto()
    TIME = auto()
    LIST = auto()
    COUNT = auto()


@dataclass(frozen=True, slots=True)
class Held:
    """An attribute that a column holds; a folded column is the one that is compared."""

    tag: str
    vr: str
    level: Level
    kind: Kind
    column: ColumnElement[object]

    @property
    def name(self) -> str:
        """The name of the column."""
        return str(self.column.key)


_s, _e, _i = study.c, series.c, instance.c
_ALL = (
    Held(PATIENT_ID, "LO", Level.PATIENT, Kind.EXACT, _s.patient_id),
    Held(ISSUER, "LO", Level.PATIENT, Kind.EXACT, _s.issuer),
    Held(PATIENT_NAME, "PN", Level.PATIENT, Kind.NAME, _s.patient_name_key),
    Held("00100030", "DA", Level.PATIENT, Kind.DATE, _s.patient_birth_date),
    Held("00100040", "CS", Level.PATIENT, Kind.EXACT, _s.patient_sex),
    Held(STUDY_UID, "UI", Level.STUDY, Kind.EXACT, _s.study_uid),
    Held(STUDY_DATE, "DA", Level.STUDY, Kind.DATE, _s.study_date),
    Held("00080030", "TM", Level.STUDY, Kind.TIME, _s.study_time),
    Held("00080050", "SH", Level.STUDY, Kind.EXACT, _s.accession_number),
    Held("00080090", "PN", Level.STUDY, Kind.NAME, _s.referring_physician_name_key),
    Held("00081030", "LO", Level.STUDY, Kind.FOLDED, _s.study_description_key),
    Held("00200010", "SH", Level.STUDY, Kind.EXACT, _s.study_id),
    Held(MODALITIES_IN_STUDY, "CS", Level.STUDY, Kind.LIST, _s.modalities),
    Held(SOP_CLASSES_IN_STUDY, "UI", Level.STUDY, Kind.LIST, _s.sop_classes),
    Held(STUDY_SERIES, "IS", Level.STUDY, Kind.COUNT, _s.series_count),
    Held(STUDY_INSTANCES, "IS", Level.STUDY, Kind.COUNT, _s.instance_count),
    Held(SERIES_UID, "UI", Level.SERIES, Kind.EXACT, _e.series_uid),
    Held(MODALITY, "CS", Level.SERIES, Kind.EXACT, _e.modality),
    Held("0008103E", "LO", Level.SERIES, Kind.FOLDED, _e.series_description_key),
    Held(INSTITUTION_NAME, "LO", Level.SERIES, Kind.FOLDED, _e.institution_name_key),
    Held("00080021", "DA", Level.SERIES, Kind.DATE, _e.series_date),
    Held("00080031", "TM", Level.SERIES, Kind.TIME, _e.series_time),
    Held("00400244", "DA", Level.SERIES, Kind.DATE, _e.performed_procedure_step_start_date),
    Held("00400245", "TM", Level.SERIES, Kind.TIME, _e.performed_procedure_step_start_time),
    Held("00180015", "CS", Level.SERIES, Kind.EXACT, _e.body_part_examined),
    Held(SERIES_INSTANCES, "IS", Level.SERIES, Kind.COUNT, _e.instance_count),
    Held(SOP_UID, "UI", Level.IMAGE, Kind.EXACT, _i.sop_instance_uid),
    Held("00080016", "UI", Level.IMAGE, Kind.EXACT, _i.sop_class_uid),
    Held("00080023", "DA", Level.IMAGE, Kind.DATE, _i.content_date),
    Held("00080033", "TM", Level.IMAGE, Kind.TIME, _i.content_time),
)

HELD = {held.tag: held for held in _ALL}
"""Tag → the column that a key of this attribute is compared with."""

COMPUTED = {
    MODALITIES_IN_STUDY: ("CS", Level.STUDY),
    SOP_CLASSES_IN_STUDY: ("UI", Level.STUDY),
    PATIENT_STUDIES: ("IS", Level.PATIENT),
    PATIENT_SERIES: ("IS", Level.PATIENT),
    PATIENT_INSTANCES: ("IS", Level.PATIENT),
    STUDY_SERIES: ("IS", Level.STUDY),
    STUDY_INSTANCES: ("IS", Level.STUDY),
    SERIES_INSTANCES: ("IS", Level.SERIES),
    RETRIEVE_AET: ("AE", Level.PATIENT),
    AVAILABILITY: ("CS", Level.PATIENT),
}
"""Attributes that the archive tells of its entities and that no object holds (PS3.4 C.3.4): VR and level."""
