"""What content items hold (PS3.3 C.18): each kind of value knows how people read it and what it is as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from charrua_core.imaging.documents.attributes import Code, plain_number
from charrua_core.imaging.documents.sopclasses import class_name


@dataclass(frozen=True, slots=True)
class Text:
    """TEXT, UIDREF, PNAME: the text as people read it."""

    text: str

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        return {"value": self.text}


@dataclass(frozen=True, slots=True)
class Moment:
    """DATE, TIME, DATETIME: the value as DICOM has it, and as people read it."""

    dicom: str
    text: str

    def plain(self) -> dict[str, Any]:
        """The value as JSON: ISO 8601 as far as DICOM's value is one."""
        return {"value": self.text, "dicom": self.dicom}


@dataclass(frozen=True, slots=True)
class Coded:
    """CODE."""

    code: Code

    @property
    def text(self) -> str:
        """The code's meaning."""
        return self.code.text

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        return {"value": self.code.text, "value_code": self.code.plain()}


@dataclass(frozen=True, slots=True)
class Measured:
    """NUM: a number with its units, or why there is none (PS3.3 C.18.1)."""

    number: float | None
    units: Code | None
    qualifier: Code | None = None

    @property
    def number_text(self) -> str:
        """The number alone, empty where there is none."""
        return "" if self.number is None else plain_number(self.number)

    @property
    def units_text(self) -> str:
        """The units as they are printed, nothing for the unit one."""
        return units_sign(self.units) if self.units else ""

    @property
    def text(self) -> str:
        """Number and units, and the qualifier."""
        parts = [self.number_text, self.units_text if self.number is not None else ""]
        told = " ".join(part for part in parts if part)
        if self.qualifier is None:
            return told
        return f"{told} ({self.qualifier.text})" if told else self.qualifier.text

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        told: dict[str, Any] = {"value": self.number, "units": self.units_text}
        if self.units:
            told["units_code"] = self.units.plain()
        if self.qualifier:
            told["qualifier"] = self.qualifier.plain()
        return told


_UNIT_ONE = {"", "1", "no units", "unity", "unit", "ratio", "none"}
_SIGNS = {
    "mm2": "mm²",
    "cm2": "cm²",
    "m2": "m²",
    "mm3": "mm³",
    "cm3": "cm³",
    "um": "µm",
    "uV": "µV",
    "Cel": "°C",
    "deg": "°",
    "m/s2": "m/s²",
    "mm[Hg]": "mmHg",
    "[hnsf'U]": "HU",
    "{H.B.}/min": "bpm",
    "{beats}/min": "bpm",
}
_ANNOTATION = re.compile(r"\{[^}]*\}")


def units_sign(units: Code) -> str:
    """The units as they are printed: `mm²` for UCUM's mm2, the meaning where the code is none that people read."""
    if units.scheme != "UCUM":
        return units.value if units.value.isalpha() and len(units.value) <= 4 else units.text
    if units.value in _SIGNS:
        return _SIGNS[units.value]
    sign = _ANNOTATION.sub("", units.value)
    if sign in {"", "1"}:
        return "" if units.meaning.lower() in _UNIT_ONE else units.meaning
    return units.text if "[" in sign else sign


@dataclass(frozen=True, slots=True)
class Reference:
    """COMPOSITE, IMAGE, WAVEFORM: another object, or parts of it (PS3.3 C.18.3 to C.18.5)."""

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()
    segments: tuple[int, ...] = ()
    channels: tuple[tuple[int, int], ...] = ()
    """(multiplex group, channel), both counted from 1; channel 0 is all of the group."""
    presentation_state_uid: str = ""
    purpose: Code | None = None

    @property
    def text(self) -> str:
        """What kind of object, and which parts; the UID is left to those who need it."""
        return ", ".join([class_name(self.sop_class_uid), *self.parts()])

    def parts(self) -> list[str]:
        """The frames, segments and channels that are meant; empty for the whole object."""
        told = [("frame", self.frames), ("segment", self.segments)]
        parts = [f"{name}{'s' if len(set(some)) > 1 else ''} {ranges(some)}" for name, some in told if some]
        channels = [f"{group}.{channel}" if channel else f"{group}.all" for group, channel in self.channels]
        return [*parts, *([f"channels {', '.join(channels)}"] if channels else [])]

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        told: dict[str, Any] = {
            "sop_class_uid": self.sop_class_uid,
            "sop_class": class_name(self.sop_class_uid),
            "sop_instance_uid": self.sop_instance_uid,
            "frames": list(self.frames),
            "segments": list(self.segments),
            "channels": [list(pair) for pair in self.channels],
            "presentation_state_uid": self.presentation_state_uid,
            "purpose": self.purpose.plain() if self.purpose else None,
        }
        return {"reference": {name: part for name, part in told.items() if part}}


def ranges(numbers: tuple[int, ...]) -> str:
    """Sorted numbers as `1-5, 8`."""
    told: list[list[int]] = []
    for one in sorted(set(numbers)):
        if told and one == told[-1][1] + 1:
            told[-1][1] = one
        else:
            told.append([one, one])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in told)


@dataclass(frozen=True, slots=True)
class Region:
    """SCOORD, SCOORD3D: a drawing in an image or in space (PS3.3 C.18.6, C.18.9)."""

    graphic: str
    """Graphic Type: POINT, MULTIPOINT, POLYLINE, CIRCLE, ELLIPSE, POLYGON, ELLIPSOID."""
    dimensions: int
    """2: column and row, the centre of the upper left pixel is 0.5\\0.5; 3: x, y, z in mm."""
    coordinates: tuple[float, ...]
    frame_of_reference_uid: str = ""

    @property
    def text(self) -> str:
        """The kind of drawing, its first points and how many there are."""
        points = [
            self.coordinates[at : at + self.dimensions] for at in range(0, len(self.coordinates), self.dimensions)
        ]
        shown = ["(" + ", ".join(f"{value:.6g}" for value in point) + ")" for point in points[:4]]
        more = [f"… {len(points)} points"] if len(points) > 4 else []
        return " ".join([self.graphic.capitalize(), *shown, *more]).strip()

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        told = {"graphic": self.graphic, "dimensions": self.dimensions, "coordinates": list(self.coordinates)}
        frame = {"frame_of_reference_uid": self.frame_of_reference_uid} if self.frame_of_reference_uid else {}
        return {"region": {**told, **frame}}


@dataclass(frozen=True, slots=True)
class Stretch:
    """TCOORD: points or spans of time in a waveform (PS3.3 C.18.7)."""

    kind: str
    """Temporal Range Type: POINT, MULTIPOINT, SEGMENT, MULTISEGMENT, BEGIN, END."""
    samples: tuple[int, ...] = ()
    offsets_s: tuple[float, ...] = ()
    moments: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The kind of range and its places."""
        places = [f"sample {one}" for one in self.samples] + [f"{one:g} s" for one in self.offsets_s] + [*self.moments]
        return f"{self.kind.capitalize()} {', '.join(places)}".strip()

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        told = {"kind": self.kind, "samples": self.samples, "offsets_s": self.offsets_s, "moments": self.moments}
        return {"stretch": {name: list(part) if name != "kind" else part for name, part in told.items() if part}}


@dataclass(frozen=True, slots=True)
class Table:
    """TABLE: rows and columns of values (PS3.3 C.18.10)."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    """Row by row, as many as the rows, each as long as the columns; empty where there is no value."""

    @property
    def text(self) -> str:
        """How large the table is."""
        return f"table of {len(self.cells)} rows and {len(self.columns)} columns"

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        return {
            "table": {
                "columns": list(self.columns),
                "rows": list(self.rows),
                "cells": [list(row) for row in self.cells],
            }
        }


@dataclass(frozen=True, slots=True)
class Container:
    """CONTAINER: a heading over its items; `continuous` where they read as one sentence (PS3.3 C.18.8)."""

    continuous: bool = False
    template: str = ""
    """Mapping resource and template, as `DCMR 1500`."""

    text = ""

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        return {"template": self.template} if self.template else {}


@dataclass(frozen=True, slots=True)
class ByReference:
    """An item told elsewhere in the same document: the position of that one (PS3.3 C.17.3.2.5)."""

    position: tuple[int, ...]

    @property
    def text(self) -> str:
        """Where to look."""
        return f"see {dotted(self.position)}"

    def plain(self) -> dict[str, Any]:
        """The value as JSON."""
        return {"refers_to": dotted(self.position)}


Value = Text | Moment | Coded | Measured | Reference | Region | Stretch | Table | Container | ByReference


def dotted(position: tuple[int, ...]) -> str:
    """The position of an item as `1.2.3`: the first item of the document is 1, its second child 1.2."""
    return ".".join(map(str, position))
