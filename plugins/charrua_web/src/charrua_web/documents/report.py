"""Measurements as a structured report: a Comprehensive SR by template 1500 (PS3.16 TID 1500, 1501, 300).

Imaging Measurement Report
  Language, Observer, Procedure reported
  Image Library           every image with a measurement
  Imaging Measurements
    Measurement Group     one each: tracking identifiers, comment, and
      NUM                 a value, inferred from
        SCOORD            the drawing, selected from
          IMAGE           the frame
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from charrua_core.types import DicomJson
from charrua_web.documents import codes
from charrua_web.documents.codes import Coding
from charrua_web.documents.document import Author, author_item, head, observer, reference
from charrua_web.documents.images import Image
from charrua_web.documents.items import (
    CONTAINS,
    CONTEXT,
    INFERRED_FROM,
    MODIFIER,
    SELECTED_FROM,
    coded,
    container,
    image,
    number,
    of,
    region,
    text,
    uid,
)
from charrua_web.documents.measurement import Measured, Measurement

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
TOOLS: Mapping[str, str] = {
    "length": "Length",
    "angle": "Angle",
    "ellipse": "EllipticalROI",
    "rectangle": "RectangleROI",
    "arrow": "ArrowAnnotate",
    "probe": "Probe",
}
"""Kind → the tool's name in Cornerstone, by which OHIF knows how to draw it again."""
TAG = "Cornerstone3DTools@^0.1.0"
_GRAPHICS = {"ellipse": "ELLIPSE", "probe": "POINT"}


def measurement_report(
    measurements: Sequence[Measurement], images: Mapping[str, Image], author: Author, replaces: Sequence[DicomJson]
) -> DicomJson:
    """The document. `images` has those that are measured, or that the replaced documents are about; at least one.

    `replaces` are the headers of documents by the same author whose measurements these are.
    """
    made = head(COMPREHENSIVE_SR, "SR", "Measurements", images.values(), author)
    made |= {
        "0040A372": of("SQ"),
        "0040A491": of("CS", "COMPLETE"),
        "0040A493": of("CS", "UNVERIFIED"),
        "0040A078": author_item(author),
    }
    if replaces:
        made["0040A360"] = _predecessors(replaces)
    items = [
        coded(codes.LANGUAGE, codes.ENGLISH, MODIFIER),
        *observer(author),
        coded(codes.PROCEDURE_REPORTED, codes.IMAGING_PROCEDURE, MODIFIER),
        container(codes.IMAGE_LIBRARY, [container(codes.LIBRARY_GROUP, [_whole(one) for one in images.values()])]),
        container(codes.MEASUREMENTS, [_group(one, images[one.instance]) for one in measurements]),
    ]
    return made | container(codes.REPORT, items, "1500", relationship="")


def _predecessors(replaced: Sequence[DicomJson]) -> dict[str, object]:
    """Predecessor Documents: what is in them is here, as it is now (PS3.3 C.17.2.1)."""
    studies: dict[str, list[DicomJson]] = {}
    for header in replaced:
        study_uid, series_uid, sop_class_uid, uid_ = (
            str(header[tag]["Value"][0]) for tag in ("0020000D", "0020000E", "00080016", "00080018")
        )
        series = {"00081199": of("SQ", reference(sop_class_uid, uid_)), "0020000E": of("UI", series_uid)}
        studies.setdefault(study_uid, []).append(series)
    return of("SQ", *({"0020000D": of("UI", one), "00081115": of("SQ", *series)} for one, series in studies.items()))


def _whole(one: Image) -> DicomJson:
    return image(one.record.sop_class_uid, one.record.sop_instance_uid, (), CONTAINS)


def _group(one: Measurement, on: Image) -> DicomJson:
    items = [
        text(codes.TRACKING_IDENTIFIER, f"{TAG}:{TOOLS[one.kind]}", CONTEXT),
        uid(codes.TRACKING_UID, one.uid, CONTEXT),
    ]
    if one.label:
        items.append(text(codes.COMMENT, one.label))
    if one.values:
        items += [_value(value, one, on) for value in one.values]
    else:
        items.append(_drawing(one, on, CONTAINS, codes.IMAGE_REGION))
    return container(codes.GROUP, items, "1501")


def _value(value: Measured, one: Measurement, on: Image) -> DicomJson:
    concept, derivation = concept_of(value, on.modality)
    items = [coded(codes.DERIVATION, derivation, MODIFIER)] if derivation else []
    items.append(_drawing(one, on, INFERRED_FROM))
    return number(concept, value.value, codes.unit_coding(value.unit), items)


def concept_of(value: Measured, modality: str) -> tuple[Coding, Coding | None]:
    """What a value tells, and how it was derived of the pixels of a region."""
    if value.name in codes.QUANTITIES:
        return codes.QUANTITIES[value.name], None
    derivation = codes.DERIVATIONS.get(value.name)
    intensity = codes.INTENSITIES.get(value.unit) or (codes.SIGNAL if modality == "MR" else None)
    if intensity is None:  # a stored value that nothing is known of
        return derivation or codes.DERIVATIONS["mean"], None
    return intensity, derivation


def _drawing(one: Measurement, on: Image, relationship: str, concept: Coding | None = None) -> DicomJson:
    record = on.record
    frame = image(record.sop_class_uid, record.sop_instance_uid, on.frames_told([one.frame]), SELECTED_FROM)
    points = [coordinate for point in _outline(one) for coordinate in point]
    return region(_GRAPHICS.get(one.kind, "POLYLINE"), points, frame, relationship, concept)


def _outline(one: Measurement) -> Sequence[tuple[float, float]]:
    """The points as DICOM has them: a rectangle is closed, of an ellipse the major axis comes first (PS3.3 C.18.6.1.2)."""
    if one.kind == "rectangle":
        return (*one.points, one.points[0])
    if one.kind == "ellipse" and math.dist(*one.points[:2]) < math.dist(*one.points[2:]):
        return (*one.points[2:], *one.points[:2])
    return one.points
