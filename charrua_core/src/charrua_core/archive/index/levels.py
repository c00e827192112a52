"""Which attribute belongs to which level, and which of them have a column of their own in the index.

The levels follow the information entities of PS3.3 A.1.2: patient and study attributes stand on the study row, series,
equipment and frame of reference attributes on the series row, all others on the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from charrua_core.archive.index.names import name_key, text_key
from charrua_core.types import DicomJson, Level

STUDY_INSTANCE_UID = "0020000D"
SERIES_INSTANCE_UID = "0020000E"
SOP_CLASS_UID = "00080016"
SOP_INSTANCE_UID = "00080018"
PATIENT_ID = "00100020"
ISSUER_OF_PATIENT_ID = "00100021"

COLUMN_LENGTH = 128
NAME_LENGTH = 200
"""Characters of a value that its column keeps, of a person's name with its three groups: an index row of PostgreSQL holds
2,704 bytes, and indexes study_by_patient and study_by_date have several columns. `attributes` has it all.
"""
MOMENT_LENGTH = 32
"""The same of dates and times."""
_LENGTHS = {"PN": NAME_LENGTH, "DA": MOMENT_LENGTH, "TM": MOMENT_LENGTH}

# PS3.3 C.7.1.1 Patient, C.7.1.3 Clinical Trial Subject, C.2.2 and C.2.3 Patient Identification and Demographic
_PATIENT = """
PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence
SourcePatientGroupIdentificationSequence GroupOfPatientsIdentificationSequence PatientBirthDate PatientBirthTime
PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar PatientSex
QualityControlSubject ReferencedPatientPhotoSequence OtherPatientNames OtherPatientIDs OtherPatientIDsSequence
EthnicGroup EthnicGroupCodeSequence PatientComments PatientSpeciesDescription PatientSpeciesCodeSequence
PatientBreedDescription PatientBreedCodeSequence BreedRegistrationSequence StrainDescription StrainNomenclature
StrainCodeSequence StrainAdditionalInformation StrainStockSequence GeneticModificationsSequence ResponsiblePerson
ResponsiblePersonRole ResponsibleOrganization PatientIdentityRemoved DeidentificationMethod
DeidentificationMethodCodeSequence ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName
ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID
ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolEthicsCommitteeApprovalNumber PatientBirthName
PatientMotherBirthName PatientAddress PatientTelephoneNumbers CountryOfResidence RegionOfResidence
PatientReligiousPreference MilitaryRank BranchOfService MedicalRecordLocator ReferencedPatientSequence
PatientInsurancePlanCodeSequence PatientPrimaryLanguageCodeSequence
"""

# PS3.3 C.7.2.1 General Study, C.7.2.2 Patient Study, C.7.2.3 Clinical Trial Study, C.3 Visit
_STUDY = """
StudyInstanceUID StudyDate StudyTime ReferringPhysicianName ReferringPhysicianIdentificationSequence
ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers ConsultingPhysicianName
ConsultingPhysicianIdentificationSequence StudyID AccessionNumber IssuerOfAccessionNumberSequence StudyDescription
PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
PhysiciansReadingStudyIdentificationSequence RequestingService RequestingServiceCodeSequence ReferencedStudySequence
ProcedureCodeSequence ReasonForPerformedProcedureCodeSequence AdmittingDiagnosesDescription
AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight PatientSizeCodeSequence PatientBodyMassIndex
MeasuredAPDimension MeasuredLateralDimension MedicalAlerts Allergies SmokingStatus PregnancyStatus LastMenstrualDate
PatientState Occupation AdditionalPatientHistory AdmissionID IssuerOfAdmissionIDSequence ServiceEpisodeID
IssuerOfServiceEpisodeIDSequence ServiceEpisodeDescription PatientSexNeutered ClinicalTrialTimePointID
ClinicalTrialTimePointDescription ClinicalTrialTimePointTypeCodeSequence ConsentForClinicalTrialUseSequence
ReasonForStudy RequestingPhysician RequestedProcedureDescription RequestedProcedureCodeSequence CurrentPatientLocation
StudyStatusID AdmittingDate SpecialNeeds ReasonForVisit ReasonForVisitCodeSequence
"""

# PS3.3 C.7.3.1 General Series, C.7.3.2 Clinical Trial Series, C.7.4.1 Frame of Reference, C.7.5.1 General Equipment
_SERIES = """
Modality SeriesInstanceUID SeriesNumber Laterality SeriesDate SeriesTime PerformingPhysicianName
PerformingPhysicianIdentificationSequence ProtocolName SeriesDescription SeriesDescriptionCodeSequence OperatorsName
OperatorIdentificationSequence ReferencedPerformedProcedureStepSequence RelatedSeriesSequence BodyPartExamined
AnatomicRegionSequence PatientPosition SmallestPixelValueInSeries LargestPixelValueInSeries RequestAttributesSequence
PerformedProcedureStepID PerformedProcedureStepStartDate PerformedProcedureStepStartTime PerformedProcedureStepEndDate
PerformedProcedureStepEndTime PerformedProcedureStepDescription PerformedProtocolCodeSequence
CommentsOnThePerformedProcedureStep AnatomicalOrientationType TreatmentSessionUID
ClinicalTrialCoordinatingCenterName ClinicalTrialSeriesID ClinicalTrialSeriesDescription Manufacturer InstitutionName
InstitutionAddress StationName InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence
ManufacturerModelName DeviceSerialNumber DeviceUID GantryID SoftwareVersions DateOfLastCalibration
TimeOfLastCalibration DateOfManufacture DateOfInstallation SpatialResolution UDISequence PositionReferenceIndicator
FrameOfReferenceUID SynchronizationFrameOfReferenceUID
"""


def tag_of(keyword: str) -> str:
    """The tag as 8 upper-case hex digits; raises KeyError for a keyword that PS3.6 does not have."""
    number = tag_for_keyword(keyword)
    if number is None:
        raise KeyError(keyword)
    return f"{number:08X}"


def tags_of(keywords: str) -> tuple[str, ...]:
    """The tags of keywords that stand in one text, in its order; raises KeyError as `tag_of`."""
    return tuple(tag_of(keyword) for keyword in keywords.split())


def _tags(keywords: str) -> frozenset[str]:
    return frozenset(tags_of(keywords))


TAGS: dict[Level, frozenset[str]] = {
    Level.PATIENT: _tags(_PATIENT),
    Level.STUDY: _tags(_PATIENT) | _tags(_STUDY),
    Level.SERIES: _tags(_SERIES),
}
"""The attributes that the row of a level carries; those of the patient stand on the study row too."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """An attribute with a column of its own, and the column of its folded form where searches match that."""

    tag: str
    keyword: str
    vr: str
    column: str
    level: Level
    key_column: str = ""


def _indexed(level: Level, column: str, keyword: str, folded: bool = False) -> Indexed:
    tag = tag_of(keyword)
    return Indexed(tag, keyword, dictionary_VR(int(tag, 16)), column, level, f"{column}_key" if folded else "")


COLUMNS: tuple[Indexed, ...] = (
    _indexed(Level.PATIENT, "patient_id", "PatientID"),
    _indexed(Level.PATIENT, "issuer", "IssuerOfPatientID"),
    _indexed(Level.PATIENT, "patient_name", "PatientName", folded=True),
    _indexed(Level.PATIENT, "patient_birth_date", "PatientBirthDate"),
    _indexed(Level.PATIENT, "patient_sex", "PatientSex"),
    _indexed(Level.STUDY, "study_date", "StudyDate"),
    _indexed(Level.STUDY, "study_time", "StudyTime"),
    _indexed(Level.STUDY, "accession_number", "AccessionNumber"),
    _indexed(Level.STUDY, "study_id", "StudyID"),
    _indexed(Level.STUDY, "study_description", "StudyDescription", folded=True),
    _indexed(Level.STUDY, "referring_physician_name", "ReferringPhysicianName", folded=True),
    _indexed(Level.SERIES, "modality", "Modality"),
    _indexed(Level.SERIES, "series_number", "SeriesNumber"),
    _indexed(Level.SERIES, "series_description", "SeriesDescription", folded=True),
    _indexed(Level.SERIES, "body_part_examined", "BodyPartExamined"),
    _indexed(Level.SERIES, "series_date", "SeriesDate"),
    _indexed(Level.SERIES, "series_time", "SeriesTime"),
    _indexed(Level.SERIES, "performed_procedure_step_start_date", "PerformedProcedureStepStartDate"),
    _indexed(Level.SERIES, "performed_procedure_step_start_time", "PerformedProcedureStepStartTime"),
    _indexed(Level.SERIES, "station_name", "StationName"),
    _indexed(Level.SERIES, "institution_name", "InstitutionName", folded=True),
    _indexed(Level.IMAGE, "instance_number", "InstanceNumber"),
    _indexed(Level.IMAGE, "content_date", "ContentDate"),
    _indexed(Level.IMAGE, "content_time", "ContentTime"),
)
"""The text columns of the index (the UIDs, which are never edited, and the numbers of an image are not among them)."""


def columns_of(level: Level) -> tuple[Indexed, ...]:
    """The indexed attributes whose columns the row of this level has; the study row has the patient's too."""
    wanted = {Level.PATIENT, Level.STUDY} if level is Level.STUDY else {level}
    return tuple(indexed for indexed in COLUMNS if indexed.level in wanted)


def level_of(tag: str) -> Level:
    """The level that an attribute describes: PATIENT, STUDY or SERIES, and IMAGE for all others."""
    for level in (Level.PATIENT, Level.STUDY, Level.SERIES):
        if tag in TAGS[level]:
            return level
    return Level.IMAGE


def attributes_at(level: Level, header: Mapping[str, dict[str, Any]]) -> DicomJson:
    """The elements of a header that the row of this level carries (STUDY: those of patient and study)."""
    tags = TAGS[level]
    return {tag: element for tag, element in header.items() if tag in tags}


def column_values(level: Level, attributes: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The level's text columns for these attributes, folded ones included; empty where there is no value."""
    values: dict[str, str] = {}
    for indexed in columns_of(level):
        length = _LENGTHS.get(indexed.vr, COLUMN_LENGTH)
        value = _NORMAL.get(indexed.vr, str.strip)(text_of(attributes.get(indexed.tag)))[:length]
        values[indexed.column] = value
        if indexed.key_column:
            key = name_key(value) if indexed.vr == "PN" else text_key(value)
            values[indexed.key_column] = key[:length]  # folding may lengthen
    return values


def text_of(element: Mapping[str, Any] | None) -> str:
    """The values of a DICOM JSON element as DICOM writes them: `\\` between values, `=` between the groups of a name."""
    if element is None:
        return ""
    return "\\".join(_one_text(value) for value in element.get("Value", ()))


def _one_text(value: object) -> str:
    if isinstance(value, Mapping):  # PS3.18 F.2.2: a person name's groups
        groups = (str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _date(text: str) -> str:
    """YYYYMMDD, also from the YYYY.MM.DD of ACR-NEMA (PS3.5 6.2)."""
    return text.strip().replace(".", "")


def _time(text: str) -> str:
    """HHMMSS.FFFFFF, also from the HH:MM:SS of ACR-NEMA (PS3.5 6.2)."""
    return text.strip().replace(":", "")


_NORMAL: dict[str, Callable[[str], str]] = {"DA": _date, "TM": _time}
