"""Whose study an object is made for, and what its elements are: DICOM JSON with little writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydicom.uid import generate_uid

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import IMPLEMENTATION_VERSION_NAME, DicomJson, FileRange

# What names patient and study (PS3.3 C.7.1.1, C.7.2.1): type 1 and 2 attributes, which stand there also when empty.
_REQUIRED = {
    "PatientName": "PN",
    "PatientID": "LO",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "StudyInstanceUID": "UI",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "ReferringPhysicianName": "PN",
    "StudyID": "SH",
    "AccessionNumber": "SH",
}
_COPIED = ("IssuerOfPatientID", "StudyDescription", "PatientAge")


@dataclass(frozen=True, slots=True)
class Made:
    """An object: the segments are its data set, one after another."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    series_uid: str
    segments: list[bytes | FileRange]


@dataclass(frozen=True, slots=True)
class About:
    """What the object says beside its content."""

    study: DicomJson
    """The attributes of patient and study, as the study's row has them."""
    title: str
    """Of the document, and of its series."""
    series_number: int = 1
    instance_number: int = 1
    at: datetime = field(default_factory=datetime.now)
    """In the local time of the archive."""
    series_uid: str = field(default_factory=lambda: str(generate_uid(prefix=None)))
    sop_instance_uid: str = field(default_factory=lambda: str(generate_uid(prefix=None)))

    def header(self, sop_class_uid: str, modality: str) -> DicomJson:
        """What every object of the study's new series says (PS3.3 C.7.1 to C.7.5, C.8.6.1, C.12.1)."""
        date, time = f"{self.at:%Y%m%d}", f"{self.at:%H%M%S}"
        own = elements(
            SOPClassUID=sop_class_uid,
            SOPInstanceUID=self.sop_instance_uid,
            InstanceCreationDate=date,
            InstanceCreationTime=time,
            Modality=modality,
            Manufacturer="Charrua",
            ManufacturerModelName="Charrua",
            SoftwareVersions=IMPLEMENTATION_VERSION_NAME,
            SeriesInstanceUID=self.series_uid,
            SeriesNumber=self.series_number,
            SeriesDescription=self.title[:64],
            SeriesDate=date,
            SeriesTime=time,
            InstanceNumber=self.instance_number,
            ContentDate=date,
            ContentTime=time,
        )
        return self._identification() | own

    def _identification(self) -> DicomJson:
        told = {tag_of(keyword): {"vr": vr} for keyword, vr in _REQUIRED.items()}
        known = [tag_of(keyword) for keyword in (*_REQUIRED, *_COPIED)]
        return told | {tag: _as_it_is(self.study[tag]) for tag in known if tag in self.study}


def _as_it_is(element: Mapping[str, Any]) -> dict[str, Any]:
    return {"vr": element["vr"], **({"Value": element["Value"]} if element.get("Value") else {})}


def elements(**values: Any) -> DicomJson:
    """DICOM JSON of values by keyword; a list has several, None is an element without value."""
    from pydicom.datadict import dictionary_VR

    told: DicomJson = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        listed = value if isinstance(value, list) else [] if value is None else [value]
        told[tag] = {"vr": dictionary_VR(int(tag, 16)).split(" or ")[0], **({"Value": listed} if listed else {})}
    return told
