"""A measurement as the viewer tells it: a drawing on one frame with its values."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, json_object
from charrua_web.documents import codes

MOST = 1_000
"""Measurements of one document."""
POINTS: Mapping[str, int] = {"length": 2, "angle": 3, "ellipse": 4, "rectangle": 4, "arrow": 2, "probe": 1}
"""Kind of measurement → how many points it has."""
VALUES = frozenset((*codes.QUANTITIES, *codes.DERIVATIONS, "value"))

_LONGEST_LABEL, _LONGEST_UNIT, _MOST_VALUES = 256, 12, 16
_FARTHEST = 1e6
_UNIT = re.compile(r"[^\s{}\\\x00-\x1f\x7f]*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_OF_UUID = "2.25."


@dataclass(frozen=True, slots=True)
class Measured:
    """One number."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A drawing on a frame. Points are column and row, 0\\0 the upper left corner of the upper left pixel (PS3.3 C.18.6)."""

    uid: str
    """Tracking Unique Identifier: the same in all documents that have it."""
    kind: str
    label: str
    instance: str
    frame: int
    points: tuple[tuple[float, float], ...]
    values: tuple[Measured, ...]

    def plain(self) -> dict[str, Any]:
        """The measurement as JSON."""
        return {
            "id": id_of(self.uid),
            "kind": self.kind,
            "label": self.label,
            "instance": self.instance,
            "frame": self.frame,
            "points": self.points,
            "values": [{"name": one.name, "value": one.value, "unit": one.unit} for one in self.values],
        }


@dataclass(frozen=True, slots=True)
class Saved:
    """What one request asks to save."""

    measurements: tuple[Measurement, ...]
    replaces: tuple[str, ...]
    """Documents whose measurements these are, after their author has changed them."""


def read_saved(body: bytes) -> Saved:
    """Give what a body asks for. HttpError 400 says what is wrong with it."""
    told = json_object(body)
    found, replaces = told.get("measurements"), told.get("replaces", [])
    if not isinstance(found, list) or len(found) > MOST:
        raise HttpError(400, f"measurements is a list of at most {MOST}")
    if not isinstance(replaces, list) or len(replaces) > MOST or not all(map(is_uid, replaces)):
        raise HttpError(400, "replaces is a list of SOP Instance UIDs")
    if not found and not replaces:
        raise HttpError(400, "there is nothing to save: measure something first")
    measurements = tuple(_measurement(one, f"measurement {number}") for number, one in enumerate(found, 1))
    if len({one.uid for one in measurements}) < len(measurements):
        raise HttpError(400, "two measurements have the same id")
    return Saved(measurements, tuple(replaces))


def words(told: Any, most: int, name: str) -> str:
    """Give a text of at most so many characters, on one line. HttpError 400."""
    if not isinstance(told, str) or len(told) > most:
        raise HttpError(400, f"{name} is a text of at most {most} characters")
    return _CONTROLS.sub(" ", told).strip()


def is_uid(told: Any) -> bool:
    """Whether it is a UID."""
    return isinstance(told, str) and is_valid_uid(told)


def uid_of(told: Any, name: str) -> str:
    """Give the UID that an id of the viewer stands for: itself, or that of a UUID (PS3.5 B.2). HttpError 400."""
    if is_uid(told):
        return str(told)
    try:
        return f"{_OF_UUID}{uuid.UUID(str(told)).int}"
    except ValueError as error:
        raise HttpError(400, f"the id of {name} is a UUID or a UID") from error


def id_of(uid: str) -> str:
    """Give the id of the viewer that a UID stands for."""
    number = uid.removeprefix(_OF_UUID)
    if number == uid or not number.isdigit() or len(number) > 39 or int(number) >= 1 << 128:
        return uid
    return str(uuid.UUID(int=int(number)))


def _measurement(told: Any, name: str) -> Measurement:
    if not isinstance(told, dict):
        raise HttpError(400, f"{name} is an object")
    kind, frame = str(told.get("kind")), told.get("frame", 1)
    if kind not in POINTS:
        raise HttpError(400, f"{name} is of no kind that can be saved: {', '.join(POINTS)}")
    if not is_uid(told.get("instance")):
        raise HttpError(400, f"{name} does not say on which instance it is")
    if not isinstance(frame, int) or isinstance(frame, bool) or frame < 1:
        raise HttpError(400, f"the frame of {name} counts from 1")
    return Measurement(
        uid_of(told.get("id"), name),
        kind,
        words(told.get("label", ""), _LONGEST_LABEL, f"the label of {name}"),
        str(told["instance"]),
        frame,
        _points(told.get("points"), POINTS[kind], name),
        _values(told.get("values", []), name),
    )


def _points(told: Any, count: int, name: str) -> tuple[tuple[float, float], ...]:
    if not isinstance(told, list) or len(told) != count or not all(map(_is_point, told)):
        raise HttpError(400, f"{name} has {count} points, each a column and a row")
    return tuple((float(column), float(row)) for column, row in told)


def _is_point(told: Any) -> bool:
    return isinstance(told, list) and len(told) == 2 and all(_is_number(one) and abs(one) <= _FARTHEST for one in told)


def _is_number(told: Any) -> bool:
    return isinstance(told, int | float) and not isinstance(told, bool) and math.isfinite(told)


def _values(told: Any, name: str) -> tuple[Measured, ...]:
    if not isinstance(told, list) or len(told) > _MOST_VALUES or not all(isinstance(one, dict) for one in told):
        raise HttpError(400, f"the values of {name} are a list of at most {_MOST_VALUES}")
    return tuple(_value(one, name) for one in told)


def _value(told: dict[str, Any], name: str) -> Measured:
    what, value, unit = told.get("name"), told.get("value"), told.get("unit", "")
    if what not in VALUES:
        raise HttpError(400, f"a value of {name} has a name that is not among {', '.join(sorted(VALUES))}")
    if not _is_number(value):
        raise HttpError(400, f"a value of {name} is no number")
    unit = words(unit, _LONGEST_UNIT, f"a unit of {name}")
    if not _UNIT.fullmatch(unit):
        raise HttpError(400, f"a unit of {name} has characters that no unit has")
    return Measured(str(what), float(value or 0), unit)
