"""Measurements out of structured reports by template 1500: ours, those of OHIF, and others as far as they can be drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from charrua_core.imaging.documents import Code, ContentItem, Report
from charrua_core.imaging.documents.values import Coded, Reference, Region, Text
from charrua_core.imaging.documents.values import Measured as Number
from charrua_core.types import is_valid_uid
from charrua_web.documents import codes, geometry
from charrua_web.documents.codes import Coding
from charrua_web.documents.images import Image
from charrua_web.documents.measurement import Measured, Measurement
from charrua_web.documents.report import TOOLS

_KINDS = {tool.lower(): kind for kind, tool in TOOLS.items()} | {
    "rectangleroi": "rectangle",
    "circleroi": "circle",
    "cobbangle": "cobb",
    "bidirectional": "bidirectional",
}
_FREE_TEXT = "CORNERSTONEFREETEXT"
_MOST_VALUES = 16
_NAMES = {(coding.value, coding.scheme): name for name, coding in {**codes.QUANTITIES, **codes.DERIVATIONS}.items()}
_NAMES |= codes.OLD_NAMES
_INTENSITIES = {(one.value, one.scheme) for one in (codes.ATTENUATION, codes.SIGNAL, codes.UPTAKE)}


def groups(report: Report) -> list[tuple[ContentItem, Region, Reference]]:
    """The measurement groups of a report that are drawn on an image, each with its first drawing and the image's reference."""
    found = (
        (item, *drawn) for item in report.root.walk() if is_code(item.concept, codes.GROUP) for drawn in _drawn(item)
    )
    return list(found)


def author_of(report: Report) -> str:
    """The name of the account whose document it is, empty where it is none of this archive."""
    for item in report.root.children:
        if is_code(item.concept, codes.LOGIN_NAME) and isinstance(item.value, Text):
            return item.value.text
    return ""


def measurements(report: Report, images: Mapping[str, Image]) -> Iterator[Measurement]:
    """The measurements of a report on these images, as far as the viewer can draw them."""
    for group, region, reference in groups(report):
        on = images.get(reference.sop_instance_uid)
        points = geometry.on_image(region, on.header) if on else None
        shaped = _shape(_tool(group), region.graphic, points) if points else None
        if on and shaped:
            kind, outline = shaped
            yield Measurement(
                _tracking(report, group),
                kind,
                _label(group),
                reference.sop_instance_uid,
                reference.frames[0] if reference.frames else 1,
                tuple(outline),
                tuple(_values(group))[:_MOST_VALUES],
            )


def _tracking(report: Report, group: ContentItem) -> str:
    """The tracking UID, else one that is the same at each reading."""
    told = _text(group, codes.TRACKING_UID)
    if is_valid_uid(told):
        return told
    digest = hashlib.blake2b(f"{report.sop_instance_uid} {group.position}".encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest)}"


def is_code(code: Code | None, coding: Coding) -> bool:
    """Whether it is this concept."""
    return code is not None and (code.value, code.scheme) == (coding.value, coding.scheme)


def _drawn(group: ContentItem) -> Iterator[tuple[Region, Reference]]:
    """The first drawing with the image it is on: of space, any image that the group names."""
    drawings = [item for item in group.walk() if isinstance(item.value, Region)]
    for item in drawings[:1]:
        named = next((one.value for one in item.walk() if isinstance(one.value, Reference)), None)
        named = named or next((one.value for one in group.walk() if isinstance(one.value, Reference)), None)
        if named is not None and isinstance(item.value, Region):
            yield item.value, named


def _tool(group: ContentItem) -> str:
    """The kind that the tracking identifier names, as `Cornerstone3DTools@^0.1.0:Length`; empty where it names none."""
    told = _text(group, codes.TRACKING_IDENTIFIER)
    return _KINDS.get(told.rpartition(":")[2].strip().lower(), "")


def _shape(tool: str, graphic: str, points: geometry.Points) -> tuple[str, geometry.Points] | None:
    """The kind that can be drawn, and its points; None where the viewer has no tool for it."""
    graphic, count = graphic.upper(), len(points)
    if tool == "arrow" and count >= 1:
        return "arrow", [points[0], points[1] if count > 1 else (points[0][0] + 20, points[0][1] + 20)]
    if graphic == "ELLIPSE" and count == 4:
        return "ellipse", points
    if graphic == "CIRCLE" and count == 2:
        return "ellipse", geometry.circle(*points)
    if graphic in ("POINT", "MULTIPOINT") and count == 1:
        return "probe", points
    return _of_line(tool, points) if graphic in ("POLYLINE", "MULTIPOINT", "POLYGON") else None


def _of_line(tool: str, points: geometry.Points) -> tuple[str, geometry.Points] | None:
    if tool in ("angle", "cobb"):
        corner = geometry.distinct(points)
        return ("angle", corner) if len(corner) == 3 else None
    if len(points) == 2:
        return "length", points
    if tool == "bidirectional" and len(points) == 4:
        return "length", points[:2]
    closed = points[:-1] if points[0] == points[-1] else points
    if len(closed) == 4 and (tool == "rectangle" or geometry.is_rectangle(closed)):
        return "rectangle", closed
    return ("angle", points) if len(points) == 3 and not tool else None


def _values(group: ContentItem) -> Iterator[Measured]:
    for item in group.children:
        if isinstance(item.value, Number) and item.value.number is not None and item.concept:
            unit = codes.unit_sign(item.value.units.value) if item.value.units else ""
            yield Measured(_name(item), item.value.number, unit)


def _name(item: ContentItem) -> str:
    """The name of a value: by how it was derived, else by its concept."""
    assert item.concept is not None  # noqa: S101 -- its caller has looked
    concept = (item.concept.value, item.concept.scheme)
    for one in item.children:
        if is_code(one.concept, codes.DERIVATION) and isinstance(one.value, Coded):
            return _NAMES.get((one.value.code.value, one.value.code.scheme), "value")
    return "value" if concept in _INTENSITIES else _NAMES.get(concept, "value")


def _label(group: ContentItem) -> str:
    """What the person called it: a comment, a free text of OHIF, a finding, or a tracking identifier that names no tool."""
    comment = _text(group, codes.COMMENT)
    finding = next((item for item in group.children if is_code(item.concept, codes.FINDING)), None)
    if comment or (finding and finding.text):
        return comment or (finding.text if finding else "")
    told = _text(group, codes.TRACKING_IDENTIFIER)
    return "" if ":" in told or _tool(group) else told


def _text(group: ContentItem, coding: Coding) -> str:
    return next((item.text for item in group.children if is_code(item.concept, coding)), "")
