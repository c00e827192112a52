"""What is written upon a rendering on request: whose it is and how it was made (PS3.18 8.3.5.1.1)."""

from __future__ import annotations

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.canvas import Canvas, line_height
from charrua_core.imaging.render.request import RenderRequest

_PATIENT = (("", "PatientName"), ("", "PatientID"), ("* ", "PatientBirthDate"), ("", "PatientSex"))
_TECHNIQUE = (
    ("", "Manufacturer"),
    ("", "StudyDate"),
    ("", "SeriesDescription"),
    ("Se ", "SeriesNumber"),
    ("Im ", "InstanceNumber"),
    ("kV ", "KVP"),
    ("mA ", "XRayTubeCurrent"),
    ("TR ", "RepetitionTime"),
    ("TE ", "EchoTime"),
    ("ST ", "SliceThickness"),
    ("SL ", "SliceLocation"),
)


def write(canvas: Canvas, attributes: Attributes, request: RenderRequest) -> None:
    """Write the patient at the upper left, the technique at the lower left."""
    size = max(9, min(canvas.size) // 32)
    margin = size // 2
    if "patient" in request.annotation:
        canvas.text((margin, margin), _lines(attributes, _PATIENT), size)
    if "technique" in request.annotation:
        text = _lines(attributes, _TECHNIQUE)
        height = (text.count("\n") + 1) * line_height(size)
        canvas.text((margin, max(margin, canvas.size[1] - margin - height)), text, size)


def _lines(attributes: Attributes, told: tuple[tuple[str, str], ...]) -> str:
    found = ((head, _told(attributes, keyword)) for head, keyword in told)
    return "\n".join(head + text for head, text in found if text)


def _told(attributes: Attributes, keyword: str) -> str:
    number = attributes.number(keyword)
    return f"{number:g}" if number is not None else attributes.text(keyword).replace("^", " ").strip()
