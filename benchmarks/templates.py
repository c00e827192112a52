"""What every benchmark sends: a CT slice of 0.54 MB with 140 attributes, and a structured report of about 3 KB."""

from __future__ import annotations

import random
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

CT_CLASS, SR_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.22"
MULTI_FRAME_CLASS = "1.2.840.10008.5.1.4.1.1.2.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

# What `objects.py` overwrites in the encoded object; none of them occurs in it otherwise.
PLACEHOLDERS = {
    "study": "2.25.11" + "9" * 29,
    "series": "2.25.12" + "9" * 29,
    "instance": "2.25.13" + "9" * 29,
    "patient": "PATIENTNUMBR",
    "accession": "ACCESSIONNUM",
    "name": "ZZZZZZZZ^ZZZZZZ",
    "date": "29991231",
}

_IDENTIFYING: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "SOPInstanceUID": PLACEHOLDERS["instance"],
    "StudyInstanceUID": PLACEHOLDERS["study"],
    "SeriesInstanceUID": PLACEHOLDERS["series"],
    "PatientID": PLACEHOLDERS["patient"],
    "AccessionNumber": PLACEHOLDERS["accession"],
    "PatientName": PLACEHOLDERS["name"],
    "StudyDate": PLACEHOLDERS["date"],
    "SeriesDate": PLACEHOLDERS["date"],
    "ContentDate": PLACEHOLDERS["date"],
    "StudyTime": "101112",
    "SeriesTime": "101113",
    "ContentTime": "101114",
    "StudyID": "1",
    "SeriesNumber": "2",
    "InstanceNumber": "7",
    "PatientBirthDate": "19500102",
    "PatientSex": "O",
    "PatientAge": "073Y",
    "ReferringPhysicianName": "REFERRING^DOCTOR",
    "InstitutionName": "BENCHMARK HOSPITAL",
    "Manufacturer": "CHARRUA BENCHMARKS",
    "ManufacturerModelName": "GENERATOR",
    "StudyDescription": "CT OF THE THORAX",
}

_CT: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "InstanceCreationDate": "20230102", "InstanceCreationTime": "101115",
    "AcquisitionDate": "20230102", "AcquisitionTime": "101110.5", "Modality": "CT", "InstitutionAddress": "1 STREET, CITY",
    "StationName": "CT01", "SeriesDescription": "Thorax 1.0 B31f", "InstitutionalDepartmentName": "RADIOLOGY",
    "PerformingPhysicianName": "PERFORMING^DOCTOR", "OperatorsName": "OPERATOR^ONE", "PhysiciansOfRecord": "RECORD^DOCTOR",
    "PatientSize": "1.75", "PatientWeight": "80", "MedicalAlerts": "NONE", "Allergies": "NONE", "EthnicGroup": "UNKNOWN",
    "PregnancyStatus": 4, "PatientComments": "generated", "BodyPartExamined": "CHEST", "ScanOptions": "HELICAL MODE",
    "SliceThickness": "1.0", "KVP": "120", "DataCollectionDiameter": "500", "DeviceSerialNumber": "12345",
    "SoftwareVersions": "syngo CT 2012B", "ProtocolName": "Thorax routine", "ReconstructionDiameter": "380",
    "DistanceSourceToDetector": "1040", "DistanceSourceToPatient": "570", "GantryDetectorTilt": "0", "TableHeight": "155",
    "RotationDirection": "CW", "ExposureTime": "500", "XRayTubeCurrent": "200", "Exposure": "100", "FilterType": "FLAT",
    "GeneratorPower": "24", "FocalSpots": ["1.2"], "DateOfLastCalibration": "20230101", "TimeOfLastCalibration": "060000",
    "ConvolutionKernel": "B31f", "PatientPosition": "HFS", "SingleCollimationWidth": 0.6, "TotalCollimationWidth": 38.4,
    "TableSpeed": 46.0, "TableFeedPerRotation": 23.0, "SpiralPitchFactor": 0.6, "CTDIvol": 7.5,
    "ImagePositionPatient": ["-190.0", "-190.0", "100.0"], "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "FrameOfReferenceUID": "2.25.7777", "PositionReferenceIndicator": "XY", "SliceLocation": "100.0",
    "ImageComments": "generated", "AcquisitionNumber": "1", "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 512, "Columns": 512, "PixelSpacing": ["0.7421875", "0.7421875"], "BitsAllocated": 16, "BitsStored": 12,
    "HighBit": 11, "PixelRepresentation": 0, "SmallestImagePixelValue": 0, "LargestImagePixelValue": 4095,
    "BurnedInAnnotation": "NO", "LossyImageCompression": "00", "WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1200"],
    "RescaleIntercept": "-1024", "RescaleSlope": "1", "RescaleType": "HU", "WindowCenterWidthExplanation": ["SOFT", "LUNG"],
    "RequestingPhysician": "REQUESTING^DOCTOR", "RequestingService": "WARD 7", "RequestedProcedureDescription": "CT THORAX",
    "PerformedProcedureStepStartDate": "20230102", "PerformedProcedureStepStartTime": "101000",
    "PerformedProcedureStepID": "PPS1", "PerformedProcedureStepDescription": "CT THORAX",
    "FillerOrderNumberImagingServiceRequest": "F1",
    "ScheduledProcedureStepDescription": "CT THORAX",
}  # fmt: skip


def _dataset(values: dict[str, Any]) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _dataset({"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning})


def _add_sequences(ct: Dataset) -> None:
    ct.ReferencedStudySequence = [
        _dataset({"ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.1", "ReferencedSOPInstanceUID": "2.25.71"})
    ]
    ct.ReferencedImageSequence = [
        _dataset({"ReferencedSOPClassUID": CT_CLASS, "ReferencedSOPInstanceUID": f"2.25.72{n}"}) for n in range(3)
    ]
    ct.ProcedureCodeSequence = [_code("24627-2", "LN", "CT Chest")]
    request = _dataset({"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "SPS1"})
    request.ScheduledProtocolCodeSequence = [_code("CTTHORAX", "99BENCH", "CT thorax")]
    ct.RequestAttributesSequence = [request]
    ct.AnatomicRegionSequence = [_code("51185008", "SCT", "Chest")]


def _add_private(ct: Dataset, blob_bytes: int) -> None:
    noise = random.Random(1)
    for group, creator in ((0x0029, "BENCH CSA HEADER"), (0x0043, "BENCH PARM 01")):
        block = ct.private_block(group, creator, create=True)
        for element in range(0x08, 0x12):
            block.add_new(element, "LO", f"private value {element}")
        block.add_new(0x20, "OB", noise.randbytes(blob_bytes))


def ct_dataset() -> Dataset:
    """A CT slice, 512 × 512 of 16 bits, without its pixels."""
    ct = _dataset({**_IDENTIFYING, **_CT, "SOPClassUID": CT_CLASS})
    _add_sequences(ct)
    _add_private(ct, 4000)
    return ct


def ct_pixels() -> bytes:
    """12-bit noise that no file system or network layer can shrink much; the same at every call."""
    noise = bytearray(random.Random(2).randbytes(512 * 512 * 2))
    noise[1::2] = bytes(byte & 0x0F for byte in noise[1::2])
    return bytes(noise)


def sr_dataset() -> Dataset:
    """A structured report of about 3 KB."""
    report = _dataset({**_IDENTIFYING, "SOPClassUID": SR_CLASS, "Modality": "SR", "CompletionFlag": "COMPLETE"})
    report.VerificationFlag, report.ValueType, report.ContinuityOfContent = "UNVERIFIED", "CONTAINER", "SEPARATE"
    report.ConceptNameCodeSequence = [_code("18782-3", "LN", "Radiology Report")]
    report.ContentSequence = [_finding(number) for number in range(12)]
    return report


def _finding(number: int) -> Dataset:
    text = f"Finding {number}: no change since the examination before."
    finding = _dataset({"RelationshipType": "CONTAINS", "ValueType": "TEXT", "TextValue": text})
    finding.ConceptNameCodeSequence = [_code("121071", "DCM", "Finding")]
    return finding


def multi_frame_dataset(frames: int) -> Dataset:
    """An enhanced CT of `frames` frames of 512 × 512 × 16 bits, without its pixels."""
    wanted = (
        "Modality",
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsAllocated",
        "BitsStored",
    )
    made = _dataset({**_IDENTIFYING, **{key: _CT[key] for key in wanted}, "SOPClassUID": MULTI_FRAME_CLASS})
    made.HighBit, made.PixelRepresentation, made.NumberOfFrames = 11, 0, str(frames)
    return made


def encode(dataset: Dataset) -> bytes:
    """The data set in Explicit VR Little Endian, without preamble and meta group."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, dataset)
    return bytes(out.getvalue())


def file_meta(sop_class: str, sop_instance: str) -> bytes:
    """Preamble, prefix and file meta information of a Part 10 file in Explicit VR Little Endian."""
    meta = Dataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(sop_instance)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = UID(EXPLICIT_LITTLE), UID("2.25.7778")
    body = encode(meta)
    length = Dataset()
    length.FileMetaInformationGroupLength = len(body)
    return b"\0" * 128 + b"DICM" + encode(length) + body
