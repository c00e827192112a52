"""A message of HL7 v2 as its text has it: any version, any delimiters, any line ends, unknown segments and all.

Values are looked up by paths: `PID-5`, `PID-5.1`, `PID-5.1.2`; `PID-3[2].1` is of the second repetition. What is absent is "".
`""` (two quotes, HL7's null: "delete what you have") is given as it is: `NULL`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from charrua_hl7.errors import MessageTooLarge, MessageUnreadable
from charrua_hl7.texts import decoded, unescaped

NULL = '""'
MOST_SEGMENTS, MOST_REPETITIONS = 1000, 200
_PATH = re.compile(r"(?:([A-Z][A-Z0-9]{2})-)?(\d{1,3})(?:\[(\d{1,3})\])?(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_MAY_BE_BROKEN = frozenset({"OBX", "NTE"})
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Separators:
    """The delimiters of one message (MSH-1 and MSH-2)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


Field = tuple[tuple[tuple[str, ...], ...], ...]
"""Repetitions of components of subcomponents, unescaped."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `raw` holds its fields as they were written, `raw[n]` field n."""

    name: str
    raw: Sequence[str]
    separators: Separators

    def field(self, number: int) -> Field:
        """Give a field's repetitions of components of subcomponents, unescaped; () where it is empty."""
        text = self.raw[number] if 0 < number < len(self.raw) else ""
        if not text:
            return ()
        if self.name == "MSH" and number <= 2:
            return (((text,),),)
        marks = self.separators
        repetitions = text.split(marks.repetition)
        if len(repetitions) > MOST_REPETITIONS:
            raise MessageTooLarge(f"{self.name}-{number} has more than {MOST_REPETITIONS} repetitions", self.name)
        return tuple(
            tuple(
                tuple(unescaped(part, marks) for part in component.split(marks.subcomponent))
                for component in one.split(marks.component)
            )
            for one in repetitions
        )

    def text(self, path: str) -> str:
        """Give the text at a path within the segment: "5", "5.1", "3[2].1"; a path that stops early takes the first part."""
        _, number, repetition, component, subcomponent = path_of(path)
        return part_of(self.field(number), repetition, component, subcomponent)

    def written(self, number: int) -> str:
        """Give a field as it was written, delimiters and escapes included."""
        return self.raw[number] if 0 < number < len(self.raw) else ""


@dataclass(frozen=True)
class Message:
    """A message that was read. Use `Message.parse`."""

    segments: Sequence[Segment]
    separators: Separators

    @classmethod
    def parse(cls, content: bytes) -> Message:
        """Read a message. Raises MessageUnreadable and MessageTooLarge."""
        text = decoded(content).lstrip("\ufeff\r\n\t ")
        separators = _separators(text)
        lines = _lines(text, separators)
        if len(lines) > MOST_SEGMENTS:
            raise MessageTooLarge(f"it has more than {MOST_SEGMENTS} segments")
        return cls([_segment(line, separators) for line in lines], separators)

    def text(self, path: str) -> str:
        """Give the text at a path, of the first segment of that name."""
        name = path_of(path)[0]
        segment = self.first(name)
        return segment.text(path) if segment else ""

    def first(self, name: str) -> Segment | None:
        """Give the first segment of this name."""
        return next((one for one in self.segments if one.name == name), None)

    def all(self, name: str) -> list[Segment]:
        """Give all segments of this name."""
        return [one for one in self.segments if one.name == name]

    def grouped(self, *starts: str) -> Iterator[list[Segment]]:
        """Give the segments from each that has one of these names to the next of them; what stands before is left out."""
        group: list[Segment] = []
        for segment in self.segments:
            if segment.name in starts:
                if group:
                    yield group
                group = []
            if group or segment.name in starts:
                group.append(segment)
        if group:
            yield group

    @cached_property
    def type(self) -> str:
        """Message code and trigger event: `ORM^O01` (MSH-9)."""
        return "^".join(filter(None, (self.text("MSH-9.1").strip(), self.text("MSH-9.2").strip())))

    @cached_property
    def control_id(self) -> str:
        """MSH-10."""
        return self.text("MSH-10").strip()

    @cached_property
    def version(self) -> str:
        """MSH-12."""
        return self.text("MSH-12").strip()


def path_of(path: str) -> tuple[str, int, int, int, int]:
    """Give segment ("" where it names none), field, repetition, component and subcomponent, 0 where unnamed; ValueError."""
    found = _PATH.fullmatch(path)
    if not found:
        raise ValueError(f"{path!r} is no place in a message: PID-5, PID-5.1, PID-3[2].1 are")
    return (found[1] or "", *(int(part or 0) for part in found.groups()[1:]))  # type: ignore[return-value]


def part_of(field: Field, repetition: int = 0, component: int = 0, subcomponent: int = 0) -> str:
    """Give one part of a field, the first where 0 is asked for."""
    try:
        return field[max(repetition, 1) - 1][max(component, 1) - 1][max(subcomponent, 1) - 1]
    except IndexError:
        return ""


def _separators(text: str) -> Separators:
    if not text.startswith("MSH") or len(text) < 8:
        raise MessageUnreadable("it does not begin with a segment MSH", "MSH")
    field = text[3]
    marks = re.split(r"[\r\n]", text[4:10].split(field)[0])[0]
    if len(marks) < 2 or field.isalnum() or len({field, *marks}) <= len(marks):
        raise MessageUnreadable("MSH-1 and MSH-2 do not name the delimiters", "MSH^1^2")
    return Separators(field, *marks[:4])


def _lines(text: str, separators: Separators) -> list[str]:
    """Give the lines that are segments. What OBX and NTE say may be broken over several, which no standard allows."""
    lines: list[str] = []
    for line in filter(str.strip, _LINE_END.split(text)):
        if lines and lines[-1][:3] in _MAY_BE_BROKEN and not _begins_segment(line, separators):
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return lines


def _begins_segment(line: str, separators: Separators) -> bool:
    return _SEGMENT.fullmatch(line.split(separators.field, 1)[0].strip()) is not None


def _segment(line: str, separators: Separators) -> Segment:
    name, *fields = line.split(separators.field)
    if not _SEGMENT.fullmatch(name.strip()):
        raise MessageUnreadable(f"a segment begins with {name[:3]!r}, which is no name of a segment", name[:3])
    name = name.strip()
    raw = [name, separators.field, *fields] if name == "MSH" else [name, *fields]
    return Segment(name, raw, separators)
