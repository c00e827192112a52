"""What QIDO-RS tells of each match without being asked (PS3.18 Tables 10.6.3-3 to 10.6.3-5, and the manual's)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_core.archive.index.levels import tags_of
from charrua_core.types import DicomJson, Level

RETRIEVE_URL = "00081190"
STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"
UNIQUE = {Level.STUDY: STUDY_UID, Level.SERIES: SERIES_UID, Level.IMAGE: SOP_UID}


def _tags(keywords: str) -> frozenset[str]:
    return frozenset(tags_of(keywords))


_ALWAYS = _tags("InstanceAvailability StudyInstanceUID RetrieveURL")
_STUDY = _tags("""
StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName StudyDescription PatientName PatientID
PatientBirthDate PatientSex StudyID NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances
""")
_MANUAL = _tags("InstitutionName")
_SERIES = _tags("""
Modality SeriesDescription SeriesInstanceUID SeriesNumber NumberOfSeriesRelatedInstances PerformedProcedureStepStartDate
PerformedProcedureStepStartTime RequestAttributesSequence
""")
_IMAGE = _tags("SOPClassUID SOPInstanceUID InstanceNumber Rows Columns BitsAllocated NumberOfFrames")
_OF_IMAGES_ONLY = _tags("Rows Columns BitsAllocated NumberOfFrames")
REQUEST_ITEMS = {"00400275": _tags("ScheduledProcedureStepID RequestedProcedureID")}
"""Of the request, what Table 10.6.3-4 names."""


def told_of(level: Level, named: Mapping[str, str], *, manual: bool = False) -> frozenset[str]:
    """Give the tags that are told of each match; of the levels above it those that the path (`named`) does not name.

    The manual's path tells Institution Name of studies as well.
    """
    told = _ALWAYS if level is Level.STUDY else _ALWAYS | {SERIES_UID}
    if level is Level.STUDY or "study" not in named:
        told |= _STUDY | (_MANUAL if manual and level is Level.STUDY else frozenset())
    if level is Level.SERIES or (level is Level.IMAGE and "series" not in named):
        told |= _SERIES
    return told | _IMAGE if level is Level.IMAGE else told


def blanks(tags: Mapping[str, str]) -> list[tuple[str, dict[str, str] | None]]:
    """Give these tags in their order with what is told where they have no value: nothing of what only images have."""
    return [(tag, None if tag in _OF_IMAGES_ONLY else {"vr": tags[tag]}) for tag in sorted(tags)]


def retrieve_url(service: str, level: Level, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give Retrieve URL (0008,1190) of what has these attributes."""
    url = f"{service}/studies/{attributes[STUDY_UID]['Value'][0]}"
    if level is not Level.STUDY:
        url += f"/series/{attributes[SERIES_UID]['Value'][0]}"
    if level is Level.IMAGE:
        url += f"/instances/{attributes[SOP_UID]['Value'][0]}"
    return {"vr": "UR", "Value": [url]}


def without_bulk(attributes: DicomJson) -> DicomJson:
    """Leave out the values that are not told in words: a search does not give bulk data."""
    return {tag: _element(element) for tag, element in attributes.items() if "BulkDataURI" not in element}


def _element(element: dict[str, Any]) -> dict[str, Any]:
    if element["vr"] != "SQ" or "Value" not in element:
        return element
    return {**element, "Value": [without_bulk(item) for item in element["Value"]]}
