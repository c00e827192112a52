"""At which level of the Information Model an attribute lives (PS3.3 A.1.2, modules in C.7), and in which column.

Attributes that are not listed belong to the object itself. The values of an attribute with a column are kept there;
those of PATIENT, STUDY and SERIES level are also in `attributes` of the study's or the series' row.
"""

from __future__ import annotations

from dataclasses import dataclass

from charrua_core.types import Level


@dataclass(frozen=True, slots=True)
class LevelAttribute:
    """One attribute: tag as 8 upper-case hex digits, its level, VR and the column that holds its value, if any."""

    tag: str
    level: Level
    vr: str
    column: str | None = None


# Patient, Patient Demographic, Clinical Trial Subject: PS3.3 C.7.1.1, C.7.1.3
_PATIENT = """
00100010 PN patient_name
00100020 LO patient_id
00100021 LO issuer
00100022 CS
00100024 SQ
00100026 SQ
00100027 SQ
00100030 DA patient_birth_date
00100032 TM
00100033 LO
00100034 LO
00100035 CS
00100040 CS patient_sex
00100101 SQ
00101000 LO
00101001 PN
00101002 SQ
00101005 PN
00101060 PN
00101100 SQ
00102160 SH
00102201 LO
00102202 SQ
00102292 LO
00102293 SQ
00102294 SQ
00102297 PN
00102298 CS
00102299 LO
00104000 LT
00120010 LO
00120020 LO
00120021 LO
00120030 LO
00120031 LO
00120040 LO
00120042 LO
00120062 CS
00120063 LO
00120064 SQ
"""

# General Study, Patient Study, Clinical Trial Study: PS3.3 C.7.2
_STUDY = """
0020000D UI study_uid
00080020 DA study_date
00080030 TM study_time
00080050 SH accession_number
00080051 SQ
00080090 PN referring_physician_name
00080096 SQ
0008009C PN
0008009D SQ
00081030 LO study_description
00081032 SQ
00081048 PN
00081049 SQ
00081060 PN
00081062 SQ
00081080 LO
00081084 SQ
00081110 SQ
00101010 AS
00101020 DS
00101022 DS
00101030 DS
00102000 LO
00102110 LO
00102180 SH
001021A0 CS
001021B0 LT
001021C0 US
001021D0 DA
00102203 CS
00120050 LO
00120051 ST
00200010 SH study_id
00321032 PN
00321033 LO
00321060 LO
00321064 SQ
00321066 UT
00380010 LO
00380014 SQ
00380060 LO
00380064 SQ
"""

# General Series, General Equipment, Frame of Reference, Clinical Trial Series: PS3.3 C.7.3, C.7.4, C.7.5
_SERIES = """
00080060 CS modality
0020000E UI series_uid
00080021 DA series_date
00080031 TM series_time
00080070 LO
00080080 LO institution_name
00080081 ST
00080082 SQ
00081010 SH station_name
00081040 LO
00081041 SQ
0008103E LO series_description
0008103F SQ
00081050 PN
00081052 SQ
00081070 PN
00081072 SQ
00081090 LO
00081111 SQ
00081250 SQ
00102210 CS
00120060 LO
00120071 LO
00120072 LO
00180015 CS body_part_examined
00181000 LO
00181002 UI
00181008 LO
00181020 LO
00181030 LO
00181050 DS
00181200 DA
00181201 TM
00185100 CS
00200011 IS series_number
00200052 UI
00200060 CS
00201040 LO
00400244 DA performed_procedure_step_start_date
00400245 TM performed_procedure_step_start_time
00400250 DA
00400251 TM
00400253 SH
00400254 LO
00400260 SQ
00400275 SQ
00400280 ST
"""

# What the index holds of each object.
_IMAGE = """
00080016 UI sop_class_uid
00080018 UI sop_instance_uid
00080023 DA content_date
00080033 TM content_time
00200013 IS instance_number
00280008 IS number_of_frames
00280010 US rows
00280011 US columns
00280100 US bits_allocated
"""


def _table() -> dict[str, LevelAttribute]:
    texts = {Level.PATIENT: _PATIENT, Level.STUDY: _STUDY, Level.SERIES: _SERIES, Level.IMAGE: _IMAGE}
    rows = [(level, line.split()) for level, text in texts.items() for line in text.split("\n") if line]
    return {tag: LevelAttribute(tag, level, vr, column[0] if column else None) for level, (tag, vr, *column) in rows}


LEVELS = _table()
"""Tag → what the archive knows of it."""

STUDY_ROW_TAGS = frozenset(tag for tag, known in LEVELS.items() if known.level in (Level.PATIENT, Level.STUDY))
"""What `core.study.attributes` holds."""

SERIES_ROW_TAGS = frozenset(tag for tag, known in LEVELS.items() if known.level is Level.SERIES)
"""What `core.series.attributes` holds."""


def level_of(tag: str) -> Level:
    """The level at which an attribute lives; IMAGE for those that are not listed."""
    known = LEVELS.get(tag)
    return known.level if known else Level.IMAGE
