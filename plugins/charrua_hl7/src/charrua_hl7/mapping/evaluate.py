"""Lines of a mapping applied to a message: the attributes, and which line gave what from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from charrua_core.types import DicomJson
from charrua_hl7.mapping.lines import Line, Lines
from charrua_hl7.mapping.moments import stamp
from charrua_hl7.mapping.places import Part, Scope
from charrua_hl7.mapping.transforms import PROSE, TRANSFORMS
from charrua_hl7.message import NULL, Segment, Separators

DEFAULT = "default"
_NOWHERE = Segment("", ("",), Separators())


class Given(NamedTuple):
    """What a line gave: the place that it came from (`DEFAULT` for the line's default), its values, () for a deletion."""

    line: Line
    source: str
    values: Sequence[Any]


@dataclass(slots=True)
class Evaluated:
    """What lines make of a message. `defaults` holds what the message itself does not say."""

    attributes: DicomJson = field(default_factory=dict)
    defaults: DicomJson = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    passed: list[tuple[Line, str]] = field(default_factory=list)
    """The places where something stands that is no value of the kind wanted."""


def evaluate(lines: Lines, scope: Scope) -> Evaluated:
    """Apply lines to what a scope holds. Lines must have been checked."""
    result = Evaluated()
    days: dict[tuple[str, ...], str] = {}
    for line in (*(one for one in lines if one.way != "time"), *(one for one in lines if one.way == "time")):
        given = None if scope.fields.isdisjoint(line.fields) else _from_sources(line, scope, days, result)
        given = given or _from_default(line, scope, days)
        if given:
            result.given.append(given)
            kept = result.defaults if given.source == DEFAULT else result.attributes
            put(kept, line.tags, {"vr": line.target.vr} | ({"Value": list(given.values)} if given.values else {}))
            if line.target.vr == "DA" and given.values:
                days[line.tags] = given.values[0]
    return result


def put(attributes: DicomJson, tags: Sequence[str], element: dict[str, Any]) -> None:
    """Put an element into a data set, within the one item of each sequence on its way."""
    for tag in tags[:-1]:
        sequence = attributes.setdefault(tag, {"vr": "SQ"})
        attributes = sequence.setdefault("Value", [{}])[0]
    attributes[tags[-1]] = element


def _from_sources(line: Line, scope: Scope, days: dict[tuple[str, ...], str], result: Evaluated) -> Given | None:
    for place in line.places:
        parts = scope.parts(place)
        if not parts:
            continue
        if line.values:
            parts = [_replaced(line, one) for one in parts]
        if parts[0].text == NULL and all(one.components[0][0].strip() == NULL for one in parts):
            return Given(line, place.written, ())
        values = _values(line, parts, days)
        if values is not None:
            return Given(line, place.written, values)
        result.passed.append((line, place.written))
    return None


def _from_default(line: Line, scope: Scope, days: dict[tuple[str, ...], str]) -> Given | None:
    values = _values(line, _default_parts(line, scope), days) if line.default else None
    if not values and line.date_tags and days.get(line.date_tags):
        values = ["000000"]  # the day is known, its hour is not
    return Given(line, DEFAULT, values) if values else None


def default_values(line: Line, scope: Scope) -> list[Any] | None:
    """Give what a line's default text or place gives, None where that is no value of its kind."""
    return _values(line, _default_parts(line, scope), {})


def _default_parts(line: Line, scope: Scope) -> Sequence[Part]:
    return scope.parts(line.default_place) if line.default_place else [Part(((line.default,),), _NOWHERE)]


def _replaced(line: Line, part: Part) -> Part:
    if not line.values:
        return part
    new = line.replaced.get(part.text.casefold(), line.replaced.get("*"))
    return part if new is None else Part(((new,),), part.segment)


def _values(line: Line, parts: Sequence[Part], days: dict[tuple[str, ...], str]) -> list[Any] | None:
    """The values of parts; [] where they say that there is none, None where they are no values of this kind."""
    if line.date_tags and (day := days.get(line.date_tags)):
        parts = [one for one in parts if (told := stamp(one.text)) and told.day == day]
    transform, target = line.transform, line.target
    if transform.whole:
        whole = transform.whole(parts)
        return [whole] if whole else None
    found = [value for part in parts if (value := transform.take(part, target)) is not None]
    if not found:
        return None
    if target.vr in PROSE and transform is TRANSFORMS["text"]:
        return ["\n".join(found)]
    kept = [value for value in found if value != ""]
    return kept if target.many or target.vr == "SQ" else kept[:1]
