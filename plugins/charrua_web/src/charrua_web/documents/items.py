"""Content items and data sets in the DICOM JSON Model, as they are written (PS3.3 C.17.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charrua_core.types import DicomJson
from charrua_web.documents.codes import Coding

CONTAINS, CONTEXT, MODIFIER = "CONTAINS", "HAS OBS CONTEXT", "HAS CONCEPT MOD"
INFERRED_FROM, SELECTED_FROM = "INFERRED FROM", "SELECTED FROM"


def of(vr: str, *values: Any) -> dict[str, Any]:
    """An element."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def code_of(coding: Coding) -> dict[str, Any]:
    """A code sequence of one item."""
    item = {
        "00080100": of("SH", coding.value),
        "00080102": of("SH", coding.scheme),
        "00080104": of("LO", coding.meaning),
    }
    return of("SQ", item)


def name_of(person: str) -> dict[str, Any]:
    """A person's name of one component: what a person is called here."""
    return of("PN", {"Alphabetic": person.replace("^", " ").replace("=", " ").replace("\\", " ")[:64]})


def container(
    concept: Coding, items: Sequence[DicomJson], template: str = "", relationship: str = CONTAINS
) -> DicomJson:
    """A heading over items; the root of a document has no relationship."""
    made = _item("CONTAINER", concept, relationship)
    made["0040A050"] = of("CS", "SEPARATE")
    if template:
        made["0040A504"] = of("SQ", {"00080105": of("CS", "DCMR"), "0040DB00": of("CS", template)})
    return _with(made, items)


def text(concept: Coding, words: str, relationship: str = CONTAINS) -> DicomJson:
    """TEXT."""
    return _item("TEXT", concept, relationship) | {"0040A160": of("UT", words)}


def coded(concept: Coding, value: Coding, relationship: str = CONTAINS) -> DicomJson:
    """CODE."""
    return _item("CODE", concept, relationship) | {"0040A168": code_of(value)}


def uid(concept: Coding, value: str, relationship: str = CONTAINS) -> DicomJson:
    """UIDREF."""
    return _item("UIDREF", concept, relationship) | {"0040A124": of("UI", value)}


def person(concept: Coding, name: str, relationship: str = CONTAINS) -> DicomJson:
    """PNAME."""
    return _item("PNAME", concept, relationship) | {"0040A123": name_of(name)}


def number(concept: Coding, value: float, units: Coding, items: Sequence[DicomJson] = ()) -> DicomJson:
    """NUM: a value with its units, its sixteen characters as near as they come (PS3.5 6.2, DS)."""
    measured = {"004008EA": code_of(units), "0040A30A": of("DS", _decimal(value))}
    return _with(_item("NUM", concept, CONTAINS) | {"0040A300": of("SQ", measured)}, items)


def region(
    graphic: str, points: Sequence[float], image: DicomJson, relationship: str, concept: Coding | None = None
) -> DicomJson:
    """SCOORD on an image."""
    made = _item("SCOORD", concept, relationship)
    made |= {"00700022": of("FL", *points), "00700023": of("CS", graphic)}
    return _with(made, [image])


def image(sop_class_uid: str, sop_instance_uid: str, frames: Sequence[int], relationship: str) -> DicomJson:
    """IMAGE: an object, or frames of it."""
    reference = {"00081150": of("UI", sop_class_uid), "00081155": of("UI", sop_instance_uid)}
    if frames:
        reference["00081160"] = of("IS", *frames)
    return _item("IMAGE", None, relationship) | {"00081199": of("SQ", reference)}


def _item(value_type: str, concept: Coding | None, relationship: str) -> DicomJson:
    made = {"0040A040": of("CS", value_type)}
    if relationship:
        made["0040A010"] = of("CS", relationship)
    if concept:
        made["0040A043"] = code_of(concept)
    return made


def _with(made: DicomJson, items: Sequence[DicomJson]) -> DicomJson:
    return made | ({"0040A730": of("SQ", *items)} if items else {})


def _decimal(value: float) -> str:
    """The number in at most 16 characters."""
    return next(told for digits in range(15, 0, -1) if len(told := f"{value:.{digits}g}") <= 16)
