"""The objects that files become (PS3.3 A.45.1 Encapsulated PDF, A.8.1 Secondary Capture, A.32.7 Video Photographic)."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

from pydicom.uid import (
    EncapsulatedCDAStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    VideoPhotographicImageStorage,
)

from charrua_core.archive.datasets.bulk import BulkData
from charrua_core.archive.datasets.compose import compose_dataset
from charrua_core.errors import DocumentTooLarge, DocumentUnreadable, ImageInvalid
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.making.about import About, Made, elements
from charrua_core.imaging.making.jpeg import JpegHead, jpeg_head
from charrua_core.imaging.making.kinds import Kind
from charrua_core.imaging.making.mp4 import H264, Video, video_of
from charrua_core.imaging.making.pixels import Picture
from charrua_core.types import DicomJson, FileRange

LARGEST = 0xFFFFFFFE
_TAIL = 4096
_HEAD = 1 << 16
# The document's own identifier comes before those of whom it speaks of (CDA R2 4.2.1).
_CDA_ID = re.compile(rb"<(?:\w+:)?id\s+([^>]*)>")
_CDA_ID_PART = re.compile(rb"(root|extension)\s*=\s*[\"']([^\"']{1,200})[\"']")
_WORKSTATION = "WSD"
_WHOLE_BODY = elements(CodeValue="38266002", CodingSchemeDesignator="SCT", CodeMeaning="Entire body")
"""Where on the body is not known: PS3.3 C.8.12.1 wants a region."""
_CONTENT = "content"  # the BulkDataURI of what the file brings
_ITEM = struct.Struct("<HHL")
# PS3.5 A.4.6 and A.4.7: transfer syntax by codec, with the profiles and the highest level that it is for
_VIDEO_SYNTAXES = (
    (H264, {66, 77, 100}, 41, "1.2.840.10008.1.2.4.102"),
    (H264, {66, 77, 100}, 42, "1.2.840.10008.1.2.4.104"),
    ("H.265", {1}, 153, "1.2.840.10008.1.2.4.107"),
    ("H.265", {1, 2}, 153, "1.2.840.10008.1.2.4.108"),
)
_METHODS = {H264: "ISO_14496_10", "H.265": "ISO_23008_2"}
_BASELINE_OF_H264 = 66


def make(path: Path, kind: Kind, about: About, picture: Picture | None = None) -> Made:
    """Make an object of a PDF, JPEG, PNG or MP4; blocks. `picture` is what `picture_of` gave where that is needed.

    The segments refer to the file. Raises DocumentUnreadable, ImageInvalid, DocumentTooLarge, and MetadataInvalid where what
    the study says cannot be written.
    """
    if not 0 < path.stat().st_size <= LARGEST:
        raise DocumentTooLarge("the file is empty, or larger than an object can be")
    if kind == "pdf":
        return _pdf(path, about)
    if kind == "mp4":
        return _video(path, about)
    return _decoded(picture, about) if picture is not None else _jpeg(path, about)


def _pdf(path: Path, about: About) -> Made:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        if b"%%EOF" not in file.read():
            raise DocumentUnreadable("the PDF is cut off: its end is missing")
    return _document(path, about, EncapsulatedPDFStorage, "application/pdf")


def make_cda(path: Path, about: About) -> Made:
    """Make an object of a document of HL7 CDA (PS3.3 A.45.2), byte for byte; blocks.

    Raises DocumentUnreadable where it is none, and as `make`.
    """
    if not 0 < path.stat().st_size <= LARGEST:
        raise DocumentTooLarge("the file is empty, or larger than an object can be")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if b"ClinicalDocument" not in head:
        raise DocumentUnreadable("the document is no CDA")
    found = _CDA_ID.search(head)
    parts = dict(_CDA_ID_PART.findall(found[1])) if found else {}
    named = "^".join(parts[name].decode("ascii", "replace") for name in (b"root", b"extension") if name in parts)
    return _document(path, about, EncapsulatedCDAStorage, "text/XML", HL7InstanceIdentifier=named or None)


def _document(path: Path, about: About, sop_class_uid: str, media_type: str, **more: Any) -> Made:
    """PS3.3 C.24.2 Encapsulated Document."""
    size = path.stat().st_size
    header = about.header(sop_class_uid, "DOC") | elements(
        ConversionType=_WORKSTATION,
        AcquisitionDateTime=None,
        BurnedInAnnotation="YES",
        DocumentTitle=about.title,
        ConceptNameCodeSequence=None,
        MIMETypeOfEncapsulatedDocument=media_type,
        EncapsulatedDocumentLength=size,
        **more,
    )
    content = BulkData("OB", [FileRange(os.fspath(path), 0, size)])
    return _made(about, header, "EncapsulatedDocument", content, syntaxes.EXPLICIT_LITTLE_ENDIAN)


def _jpeg(path: Path, about: About) -> Made:
    head = jpeg_head(path)
    if not head.fits:
        raise ImageInvalid("the JPEG has to be decoded first")
    header = _secondary(about, head.rows, head.columns, len(head.components), 8) | elements(
        PhotometricInterpretation=_photometric(head),
        **_lossy("ISO_10918_1", head.rows * head.columns * len(head.components) / head.length),
    )
    content = _encapsulated(FileRange(os.fspath(path), 0, head.length))
    return _made(about, header, "PixelData", content, syntaxes.JPEG_BASELINE)


def _photometric(head: JpegHead) -> str:
    if len(head.components) == 1:
        return "MONOCHROME2"
    return "RGB" if head.is_rgb else "YBR_FULL_422"


def _decoded(picture: Picture, about: About) -> Made:
    header = _secondary(about, picture.rows, picture.columns, picture.samples, picture.bits) | elements(
        PhotometricInterpretation="RGB" if picture.samples == 3 else "MONOCHROME2",
        **(_lossy("ISO_10918_1", 1.0) if picture.was_lossy else {}),
    )
    content = BulkData("OW" if picture.bits > 8 else "OB", [picture.data])
    return _made(about, header, "PixelData", content, syntaxes.EXPLICIT_LITTLE_ENDIAN)


def _secondary(about: About, rows: int, columns: int, samples: int, bits: int) -> DicomJson:
    """PS3.3 C.7.6.1 General Image, C.7.6.3 Image Pixel, C.8.6.2 SC Image."""
    return (
        about.header(SecondaryCaptureImageStorage, "OT")
        | _pixels(rows, columns, samples, bits)
        | elements(
            ConversionType=_WORKSTATION,
            Laterality=None,
            ImageType=["DERIVED", "SECONDARY"],
            DateOfSecondaryCapture=f"{about.at:%Y%m%d}",
            TimeOfSecondaryCapture=f"{about.at:%H%M%S}",
        )
    )


def _pixels(rows: int, columns: int, samples: int, bits: int, stored: int | None = None) -> DicomJson:
    told: dict[str, Any] = {
        "PatientOrientation": None,
        "BurnedInAnnotation": "YES",
        "SamplesPerPixel": samples,
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": bits,
        "BitsStored": stored or bits,
        "HighBit": (stored or bits) - 1,
        "PixelRepresentation": 0,
    }
    return elements(**told, **({"PlanarConfiguration": 0} if samples > 1 else {}))


def _lossy(method: str, ratio: float) -> dict[str, Any]:
    return {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": round(max(ratio, 1.0), 2),
        "LossyImageCompressionMethod": method,
    }


def _video(path: Path, about: About) -> Made:
    video, size = video_of(path), path.stat().st_size
    syntax, frame_time = _video_syntax(video), round(video.frame_time_ms, 6)
    raw = video.rows * video.columns * video.frames * 1.5 * video.bits / 8
    header = about.header(VideoPhotographicImageStorage, "XC") | _pixels(
        video.rows, video.columns, 3, 8 if video.bits == 8 else 16, video.bits
    )
    header |= elements(
        AnatomicRegionSequence=_WHOLE_BODY,
        ImageType=["ORIGINAL", "PRIMARY"],
        PhotometricInterpretation="YBR_PARTIAL_420",
        AcquisitionContextSequence=None,
        NumberOfFrames=video.frames,
        FrameIncrementPointer="00181063",
        FrameTime=frame_time,
        CineRate=max(1, round(1000 / frame_time)),
        RecommendedDisplayFrameRate=max(1, round(1000 / frame_time)),
        **_lossy(_METHODS[video.codec], raw / size),
    )
    return _made(about, header, "PixelData", _encapsulated(FileRange(os.fspath(path), 0, size)), syntax)


def _video_syntax(video: Video) -> str:
    for codec, profiles, level, uid in _VIDEO_SYNTAXES:
        whole = video.profile != _BASELINE_OF_H264 or video.constrained
        eight = video.bits == 8 or uid.endswith(".108")
        if video.codec == codec and video.profile in profiles and video.level <= level and whole and eight:
            return uid
    raise ImageInvalid(
        f"the video is {video.codec} of profile {video.profile} and level {video.level}, which DICOM does not take: "
        "convert it to H.264 High 4.1 or H.265 Main 5.1"
    )


def _encapsulated(content: FileRange) -> BulkData:
    """One frame's stream, or a whole video, as one fragment behind an empty offset table (PS3.5 A.4)."""
    length = content.length + (content.length & 1)
    heads = _ITEM.pack(0xFFFE, 0xE000, 0) + _ITEM.pack(0xFFFE, 0xE000, length)
    return BulkData("OB", [heads, content, b"\0" * (content.length & 1)], encapsulated=True)


def _made(about: About, header: DicomJson, keyword: str, content: BulkData, syntax: str) -> Made:
    [tag] = elements(**{keyword: None})
    whole = {**header, tag: {"vr": content.vr, "BulkDataURI": _CONTENT}}
    segments = compose_dataset(whole, lambda _uri, _vr: content)
    sop_class_uid = str(header["00080016"]["Value"][0])
    return Made(sop_class_uid, about.sop_instance_uid, syntax, about.series_uid, segments)
