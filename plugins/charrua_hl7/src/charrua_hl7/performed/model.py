"""The words of the service: SOP classes, states and attributes of Modality Performed Procedure Step (PS3.4 F.7, F.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.index.names import text_key
from charrua_core.archive.search.patterns import grams
from charrua_core.types import DicomJson, Identity, Origin, is_valid_uid
from charrua_hl7.worklist.entries import value

MPPS = "1.2.840.10008.3.1.2.3.3"
RETRIEVE = "1.2.840.10008.3.1.2.3.4"

CHARACTER_SET = tag_of("SpecificCharacterSet")
STATUS = tag_of("PerformedProcedureStepStatus")
SCHEDULED = tag_of("ScheduledStepAttributesSequence")
SERIES = tag_of("PerformedSeriesSequence")
SERIES_UID = tag_of("SeriesInstanceUID")
STUDY_UID = tag_of("StudyInstanceUID")
STUDIES = tag_of("ReferencedStudySequence")
ACCESSION_NUMBER = tag_of("AccessionNumber")
STEP_ID = tag_of("ScheduledProcedureStepID")
PATIENT_ID = tag_of("PatientID")
PATIENT_NAME = tag_of("PatientName")
MODALITY = tag_of("Modality")
STATION = tag_of("PerformedStationAETitle")
START_DATE, START_TIME = tag_of("PerformedProcedureStepStartDate"), tag_of("PerformedProcedureStepStartTime")
END_DATE, END_TIME = tag_of("PerformedProcedureStepEndDate"), tag_of("PerformedProcedureStepEndTime")
REASON = tag_of("PerformedProcedureStepDiscontinuationReasonCodeSequence")
IMAGES = tag_of("ReferencedImageSequence")
OTHERS = tag_of("ReferencedNonImageCompositeSOPInstanceSequence")
INSTANCE_UID = tag_of("ReferencedSOPInstanceUID")
CODE, SCHEME, MEANING = tag_of("CodeValue"), tag_of("CodingSchemeDesignator"), tag_of("CodeMeaning")

DESCRIPTION = tag_of("PerformedProcedureStepDescription")

_WORDS = (PATIENT_NAME, PATIENT_ID, MODALITY, STATION, tag_of("PerformedStationName"), DESCRIPTION)
_WORDS_OF_ITEM = (
    ACCESSION_NUMBER,
    tag_of("RequestedProcedureDescription"),
    tag_of("ScheduledProcedureStepDescription"),
)
_MOST_WORDS = 1000
_KEPT_LENGTH = 64
"""Characters of a value that a column is looked up by: no VR of them has more."""


class State(StrEnum):
    """Performed Procedure Step Status (0040,0252), PS3.4 F.1.5."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


FINAL = frozenset({State.COMPLETED, State.DISCONTINUED})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks on an association."""

    identity: Identity
    origin: Origin

    @property
    def aet(self) -> str:
        """The AE title that it calls itself."""
        return self.origin.calling_aet


def items(attributes: Mapping[str, Any], tag: str) -> Sequence[DicomJson]:
    """Give the items of a sequence, none where it is no sequence."""
    return [item for item in attributes.get(tag, {}).get("Value", ()) if isinstance(item, dict)]


def text(attributes: Mapping[str, Any], tag: str) -> str:
    """Give an attribute's first value as text, "" where it has none."""
    return value(attributes, tag).strip()


def has_value(attributes: Mapping[str, Any], tag: str) -> bool:
    """Whether an attribute has a value; a sequence, an item."""
    return any(one not in (None, "") for one in attributes.get(tag, {}).get("Value", ()))


def studies_of(attributes: DicomJson) -> list[str]:
    """Name the studies that a step is for; where several were grouped, those of the requested procedures as well."""
    return _uids(uid for item in items(attributes, SCHEDULED) for uid in studies_of_item(item))


def studies_of_item(item: DicomJson) -> list[str]:
    """Name the studies that an item of Scheduled Step Attributes Sequence is for (PS3.4 F.7.2.1.2, note 2)."""
    return _uids([text(item, STUDY_UID), *(text(one, INSTANCE_UID) for one in items(item, STUDIES))])


def instances_of(series: DicomJson) -> set[str]:
    """Name the objects that an item of Performed Series Sequence lists."""
    return {uid for tag in (IMAGES, OTHERS) for one in items(series, tag) if (uid := text(one, INSTANCE_UID))}


def columns_of(attributes: DicomJson) -> dict[str, Any]:
    """Give the columns that the attributes decide."""
    accessions = {text(item, ACCESSION_NUMBER)[:_KEPT_LENGTH] for item in items(attributes, SCHEDULED)}
    words = _words(attributes)
    return {
        "status": text(attributes, STATUS),
        "aet": text(attributes, STATION)[:_KEPT_LENGTH],
        "study_uids": studies_of(attributes),
        "accession_numbers": sorted(accessions - {""}),
        "series_uids": _uids(text(item, SERIES_UID) for item in items(attributes, SERIES)),
        "attributes": attributes,
        "words": words,
        "pieces": grams(words),
    }


def _words(attributes: DicomJson) -> str:
    """Give what people search for."""
    said = [text(attributes, tag) for tag in _WORDS]
    said += [text(item, tag) for item in items(attributes, SCHEDULED) for tag in _WORDS_OF_ITEM]
    return " ".join(dict.fromkeys(filter(None, map(text_key, said))))[:_MOST_WORDS]


def _uids(given: Any) -> list[str]:
    return sorted({uid for uid in given if is_valid_uid(uid)})
