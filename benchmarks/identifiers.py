"""Identifiers of queries, and the Query/Retrieve SOP classes."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
IMPLICIT_LITTLE = "1.2.840.10008.1.2"

# What a workstation's list of studies asks for.
LIST_KEYS = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "AccessionNumber", "StudyID", "StudyDescription", "ReferringPhysicianName", "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
)  # fmt: skip


def identifier(level: str, keys: Mapping[str, str]) -> bytes:
    """The keys as an Implicit VR Little Endian data set."""
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    if not all(value.isascii() for value in keys.values()):
        asked.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, True
    write_dataset(out, asked)
    return bytes(out.getvalue())


def study_list(keys: Mapping[str, str]) -> bytes:
    """A query for studies that returns what a list of studies shows."""
    return identifier("STUDY", {**dict.fromkeys(LIST_KEYS, ""), **keys})
