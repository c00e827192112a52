"""DICOM objects for tests, small and valid, each with UIDs of its own."""

from __future__ import annotations

import io
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid


def an_object(*, transfer_syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """A CT image of 8 × 8 pixels with the attributes given (by keyword; None leaves one out)."""
    image = Dataset()
    values = {**_IMAGE, "StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), **attributes}
    values.setdefault("SOPInstanceUID", generate_uid())
    for keyword, value in values.items():
        if value is not None:
            setattr(image, keyword, value)
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.get("SOPClassUID", CTImageStorage)
    image.file_meta.MediaStorageSOPInstanceUID = image.get("SOPInstanceUID", generate_uid())
    image.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    return image


def a_study(*, series: int = 1, images: int = 1, **attributes: Any) -> list[Dataset]:
    """The objects of one study: so many series of so many images each."""
    study = attributes.pop("StudyInstanceUID", generate_uid())
    objects = []
    for number in range(1, series + 1):
        uids = {"StudyInstanceUID": study, "SeriesInstanceUID": generate_uid(), "SeriesNumber": number}
        objects += [an_object(**{**uids, "InstanceNumber": image, **attributes}) for image in range(1, images + 1)]
    return objects


def part10(image: Dataset) -> bytes:
    """The object as a Part 10 file."""
    content = io.BytesIO()
    image.save_as(content, enforce_file_format=True)
    return content.getvalue()


_IMAGE: dict[str, Any] = {
    "SOPClassUID": CTImageStorage,
    "PatientName": "Doe^Jane",
    "PatientID": "4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "StudyDate": "20260102",
    "StudyTime": "101112",
    "AccessionNumber": "A1",
    "StudyID": "1",
    "StudyDescription": "Thorax",
    "ReferringPhysicianName": "House^Gregory",
    "Modality": "CT",
    "SeriesNumber": 1,
    "SeriesDescription": "axial",
    "InstanceNumber": 1,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 8,
    "Columns": 8,
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "PixelData": bytes(range(128)),
}
