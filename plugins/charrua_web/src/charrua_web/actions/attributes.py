"""The attributes that pages and scripts edit: by keyword, each as one text, compared with what the archive says now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_description, dictionary_VR, keyword_for_tag, tag_for_keyword

from charrua_core.archive.edit.record import Overlay
from charrua_core.archive.edit.values import checked, from_keywords
from charrua_core.archive.index.levels import TAGS, level_of, tag_of, text_of
from charrua_core.errors import EditInvalid
from charrua_core.types import DicomJson, Level
from charrua_core.web import Fields, HttpError

PATIENT_ID = tag_of("PatientID")
MAIN = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("AdditionalPatientHistory", "PatientComments", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"),
    *("StudyDescription", "ReferringPhysicianName"),
)
"""What an edit dialog shows whether or not the study has it, in this order."""
MAIN_OF_SERIES = ("InstitutionName", "Modality")
"""What it shows of all series together."""
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?")


@dataclass(slots=True)
class Wanted:
    """New values, by the level that they are recorded at."""

    study: Overlay = field(default_factory=dict)
    series: Overlay = field(default_factory=dict)

    def left_of(self, now: DicomJson) -> Overlay:
        """Give of the study's values those that are others than now."""
        return {tag: new for tag, new in self.study.items() if differs(new, now.get(tag))}


def differs(new: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Whether a value reads otherwise; empty and absent read alike."""
    return text_of(new) != text_of(now)


def wanted_of(fields: Fields, names: Mapping[str, str] | None = None) -> Wanted:
    """Read values by keyword, or by the names of `names`; HttpError 400 names the field that will not do."""
    wanted = Wanted()
    for name in names or fields.names():
        if name not in fields:
            fields.anything(name)
            continue
        keyword = names[name] if names else name
        tag, element, level = _read(fields, name, keyword)
        (wanted.series if level is Level.SERIES else wanted.study)[tag] = element
    return wanted


def _read(fields: Fields, name: str, keyword: str) -> tuple[str, dict[str, Any], Level]:
    text = fields.text(name)
    number = tag_for_keyword(keyword)
    if number is None:
        raise fields.wrong(name, "DICOM has no attribute of this keyword")
    tag = f"{number:08X}"
    level = level_of(tag)
    if level is Level.IMAGE:
        raise fields.wrong(name, "it belongs to single objects, not to patient, study or series")
    level = Level.SERIES if level is Level.SERIES else Level.STUDY
    try:
        element = from_keywords({keyword: _as_dicom(dictionary_VR(number), text)})
        checked(level, element)
    except EditInvalid as error:
        raise fields.wrong(name, str(error).removeprefix(f"{keyword}: ")) from error
    return tag, element[tag] or {"vr": dictionary_VR(number)}, level


def _as_dicom(vr: str, text: str) -> str:
    """Dates and times as browsers write them are taken too."""
    if vr == "DA":
        return _DATE.sub(r"\1\2\3", text)
    return _TIME.sub(lambda found: "".join(part or "" for part in found.groups()), text) if vr == "TM" else text


def require_patient_id(new: Overlay, now: DicomJson, name: str = "PatientID") -> None:
    """HttpError 400 where a patient's ID would be taken away: those without one are told apart by nothing."""
    if PATIENT_ID in new and not text_of(new[PATIENT_ID]).strip() and text_of(now.get(PATIENT_ID)):
        raise HttpError(400, f"{name}: a patient's ID can be changed, not emptied")


def change(tag: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, str]:
    """Give one changed attribute for people to read."""
    return {**described(tag), "before": text_of(before), "after": text_of(after)}


def described(tag: str) -> dict[str, str]:
    """Give keyword, name, VR and level of an attribute."""
    number = int(tag, 16)
    known = keyword_for_tag(number)
    name = dictionary_description(number) if known else tag
    vr = dictionary_VR(number) if known else "UN"
    return {"keyword": known or tag, "name": name, "vr": vr, "level": str(level_of(tag))}


@cache
def editable(level: Level) -> tuple[str, ...]:
    """Give the tags of this level that an edit may change as a text, by name."""
    tags = TAGS[Level.STUDY] if level is Level.STUDY else TAGS[level]
    return tuple(sorted(filter(_may_be_typed, tags), key=lambda tag: described(tag)["name"]))


def _may_be_typed(tag: str) -> bool:
    if described(tag)["vr"] in ("SQ", "OB", "OW", "UN", "UI", "AT"):
        return False
    try:
        checked(Level.SERIES if level_of(tag) is Level.SERIES else Level.STUDY, {tag: None})
    except EditInvalid:
        return False
    return True


def together(values: Iterable[str]) -> str:
    """Give what several series say, each once."""
    return "\\".join(dict.fromkeys(value for value in values if value))


def tags_of(keywords: Sequence[str]) -> list[str]:
    """Give the tags of keywords."""
    return [tag_of(keyword) for keyword in keywords]
