"""Places in a message as lines of a mapping name them, and what stands there.

`PID-5` is field 5, `PID-5.1` its first component, `OBR-4.4-6` its components 4 to 6, `PID-3[2]` its second repetition.
`PID-3[5=MR|PI|*]` is the repetition whose component 5 is MR, else PI, else the first; `OBX[3=29463-7|Body Weight]-5` is field 5
of the segments OBX in whose field 3 one of these stands; `PID>NTE-3` is field 3 of the NTE that follow PID.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from charrua_hl7.message import Segment

Component = tuple[str, ...]

_CHOICE = r"\[(\d{1,3})=([^\[\]]{1,200})\]"
_PLACE = re.compile(
    rf"(?:([A-Z][A-Z0-9]{{2}})>)?([A-Z][A-Z0-9]{{2}})(?:{_CHOICE})?-(\d{{1,3}})"
    rf"(?:\[(\d{{1,3}})\]|{_CHOICE})?(?:\.(\d{{1,2}})(?:-(\d{{1,2}}))?)?(?:\.(\d{{1,2}}))?"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of several is meant: where `number` has one of the values, the first of them that there is; `*` any."""

    number: int
    values: tuple[str, ...]

    def rank(self, text: str) -> int:
        """Give how well a text is chosen, 0 best, -1 not at all."""
        folded = text.strip().casefold()
        for position, value in enumerate(self.values):
            if value in ("*", folded):
                return position
        return -1


class Part(NamedTuple):
    """What stands at a place, in one repetition of one segment: components of subcomponents."""

    components: tuple[Component, ...]
    segment: Segment

    @property
    def text(self) -> str:
        """The first text in it."""
        return self.components[0][0].strip() if self.components else ""

    def of(self, component: int) -> str:
        """Give the text of a component, counted from 1."""
        return self.components[component - 1][0].strip() if component <= len(self.components) else ""

    @property
    def empty(self) -> bool:
        """Whether nothing stands there."""
        if self.components and self.components[0][0].strip():
            return False
        return not any(text and not text.isspace() for component in self.components for text in component)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was read; `Place.read` makes it."""

    written: str
    segment: str
    field: int
    which: Choice | None = None
    repetition: int | Choice = 0
    component: int = 0
    last_component: int = 0
    subcomponent: int = 0

    @classmethod
    def read(cls, text: str) -> Place:
        """Read a place as people write it; ValueError says what is wrong."""
        found = _PLACE.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text[:80]!r} is no place in a message: PID-5, PID-5.1, PID-3[2].1 are")
        parent, name, *choice = found.groups()[:4]
        number, repetition, *chosen = found.groups()[4:8]
        component, last, subcomponent = (int(one or 0) for one in found.groups()[8:])
        if last and (last < component or subcomponent):
            raise ValueError(f"{text[:80]!r}: {component}-{last} are no components")
        return cls(
            found[0],
            f"{parent}>{name}" if parent else name,
            int(number),
            _choice(*choice),
            int(repetition) if repetition else _choice(*chosen) or 0,
            component,
            last,
            subcomponent,
        )

    def found(self, segments: Sequence[Segment]) -> Sequence[Part]:
        """Give what stands there in segments, one for each of them and repetition, the empty ones left out."""
        parts = []
        for segment in segments:
            if segment.written(self.field) and (self.which is None or _has(segment, self.which)):
                for components in self._repetitions(segment):
                    part = Part(self._narrowed(components), segment)
                    if not part.empty:
                        parts.append(part)
        return parts

    def _repetitions(self, segment: Segment) -> Sequence[tuple[Component, ...]]:
        found = segment.field(self.field)
        if isinstance(self.repetition, int):
            return found[self.repetition - 1 : self.repetition] if self.repetition else found
        ranked = [(self.repetition.rank(_text(one, self.repetition.number)), one) for one in found]
        chosen = [(rank, number, one) for number, (rank, one) in enumerate(ranked) if rank >= 0]
        return [min(chosen)[2]] if chosen else []

    def _narrowed(self, components: tuple[Component, ...]) -> tuple[Component, ...]:
        if not self.component:
            return components
        if self.last_component:
            return components[self.component - 1 : self.last_component]
        [one] = components[self.component - 1 : self.component] or ((),)
        subcomponents = tuple((text,) for text in one)
        return subcomponents[self.subcomponent - 1 : self.subcomponent] if self.subcomponent else subcomponents


class Scope:
    """The segments in which a step's places are looked up: its own, then those of its order, then those of all."""

    def __init__(self, *layers: Mapping[str, Sequence[Segment]]) -> None:
        self._named: dict[str, Sequence[Segment]] = {}
        for one in reversed(layers):
            self._named.update(one)
        self._found: dict[str, Sequence[Part]] = {}
        self.fields = frozenset(
            (name, number)
            for name, segments in self._named.items()
            for segment in segments
            for number, written in enumerate(segment.raw)
            if written
        )
        """Segment and number of the fields in which something stands: few of those that a mapping names."""

    def parts(self, place: Place) -> Sequence[Part]:
        """Give what stands at a place in the segments that are nearest; several lines look at the same."""
        segments = self._named.get(place.segment)
        if segments is None:
            return ()
        found = self._found.get(place.written)
        if found is None:
            found = self._found[place.written] = place.found(segments)
        return found


def layer(segments: Iterable[Segment], *, notes: bool = True) -> dict[str, list[Segment]]:
    """Give segments by name, NTE also by the segment that they follow; without `notes` they have that name alone."""
    named: dict[str, list[Segment]] = {}
    parent = ""
    for segment in segments:
        if segment.name != "NTE":
            parent = segment.name
        else:
            named.setdefault(f"{parent}>NTE", []).append(segment)
        if notes or segment.name != "NTE":
            named.setdefault(segment.name, []).append(segment)
    return named


def _choice(number: str | None, values: str | None) -> Choice | None:
    if not number or values is None:
        return None
    return Choice(int(number), tuple(one.strip().casefold() for one in values.split("|")))


def _text(components: tuple[Component, ...], number: int) -> str:
    return components[number - 1][0] if 0 < number <= len(components) else ""


def _has(segment: Segment, which: Choice) -> bool:
    """Any component of the field will do: code or meaning, of either coding."""
    return any(which.rank(part[0]) >= 0 for one in segment.field(which.number) for part in one)
