"""A message of HL7 v2 as its text has it: any version, any delimiters, any line ends, unknown segments and all.

Values are looked up by paths: `PID-5`, `PID-5.1`, `PID-5.1.2`; `PID-3[2].1` is of the second repetition. What is absent is "".
`""` (two quotes, HL7's null: "delete what you have") is given as it is: `NULL`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from charrua_hl7.errors import MessageTooLarge, MessageUnreadable
from charrua_hl7.texts import decoded, unescaped, wide_codec

NULL = '""'
MOST_SEGMENTS, MOST_REPETITIONS = 1000, 200
LARGE, MANY = 32 * 1024, 60
"""Bytes and segments of a large message."""
_PATH = re.compile(r"(?:([A-Z][A-Z0-9]{2})-)?(\d{1,3})(?:\[(\d{1,3})\])?(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = re.compile(r"[^\r\n]{0,7}")
_FRAME = "\ufeff\x0b\x1c\r\n\t "


@dataclass(frozen=True, slots=True)
class Separators:
    """The delimiters of one message (MSH-1 and MSH-2), and the codec in which `\\X..\\` gives characters."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    codec: str = "utf-8"


Field = tuple[tuple[tuple[str, ...], ...], ...]
"""Repetitions of components of subcomponents, unescaped."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `raw` holds its fields as they were written, `raw[n]` field n."""

    name: str
    raw: Sequence[str]
    separators: Separators
    _read: dict[int, Field] = field(default_factory=dict, init=False, repr=False, compare=False)

    def field(self, number: int) -> Field:
        """Give a field's repetitions of components of subcomponents, () where it is empty. Raises MessageTooLarge."""
        if number not in self._read:
            self._read[number] = self._parsed(number)
        return self._read[number]

    def _parsed(self, number: int) -> Field:
        text, marks = self.written(number), self.separators
        if not text:
            return ()
        if self.name == "MSH" and number <= 2:
            return (((text,),),)
        if marks.component not in text and marks.repetition not in text and (marks.subcomponent or "\0") not in text:
            return (((unescaped(text, marks),),),)
        repetitions = text.split(marks.repetition)
        if len(repetitions) > MOST_REPETITIONS:
            raise MessageTooLarge(f"{self.name}-{number} has more than {MOST_REPETITIONS} repetitions", self.name)
        return tuple(
            tuple(
                tuple([unescaped(part, marks) for part in component.split(marks.subcomponent or "\0")])
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
    size: int = 0
    """In bytes."""

    @property
    def is_large(self) -> bool:
        """Whether looking through it takes so long that others should not wait for it."""
        return self.size > LARGE or len(self.segments) > MANY

    @classmethod
    def parse(cls, content: bytes) -> Message:
        """Read a message. Raises MessageUnreadable, MessageTooLarge, and ValueInvalid where its character set is unknown.

        A line that begins with no name of a segment goes on with the segment before it: senders break long values.
        """
        text, codec = decoded(content.lstrip(b"\x0b\r\n\t "))
        text = text.strip(_FRAME)
        separators = _separators(text, codec)
        lines = _lines(text, separators)
        return cls([_segment(line, separators) for line in lines], separators, len(content))

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


def split_batch(content: bytes) -> list[bytes]:
    """Give the messages of a batch or file (FHS, BHS … BTS, FTS), or of several that stand one after another.

    What is no batch is given as it is, for the reader to refuse.
    """
    if codec := wide_codec(content):
        text = content.decode(codec, "replace").lstrip("\ufeff")
        plain = codec if codec.endswith("e") else f"{codec}-le"
        parts = split_batch(text.encode())
        return [part.decode().encode(plain) for part in parts] if len(parts) > 1 else [content]
    starts = [found.start() for found in re.finditer(rb"(?:(?<=[\r\n\x0b])|\A)MSH(?=[^\w\s])", content)]
    if not starts:
        return [content]
    parts = [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)], strict=True)]
    return [re.sub(rb"(?<=[\r\n])(?:BTS|FTS|BHS|FHS)(?=[^\w\s]|[\r\n]|\Z)[^\r\n]*[\r\n]*", b"", part) for part in parts]


@lru_cache(maxsize=1024)
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


def _separators(text: str, codec: str) -> Separators:
    if not text.startswith("MSH") or len(text) < 8:
        raise MessageUnreadable("it does not begin with a segment MSH", "MSH")
    field_mark = text[3]
    [written] = _MARKS.findall(text[4:11].split(field_mark)[0])[:1] or [""]
    marks = "".join(dict.fromkeys(written))  # some write the escape character twice
    if len(marks) < 2 or field_mark.isalnum() or field_mark.isspace() or any(one.isalnum() for one in marks):
        raise MessageUnreadable("MSH-1 and MSH-2 do not name the delimiters", "MSH^1^2")
    named = dict(zip(("component", "repetition", "escape", "subcomponent", "truncation"), marks, strict=False))
    return Separators(field_mark, **named, codec=codec)


def _lines(text: str, separators: Separators) -> list[str]:
    """The segments as they were written; a line that is none is put to the one before it, to MSH none."""
    lines: list[list[str]] = []
    for line in _LINE_END.split(text):
        if _begins_segment(line.lstrip(), separators.field):
            lines.append([line.lstrip()])
        elif len(lines) > 1 and line.strip(_FRAME):
            lines[-1].append(line)
    if len(lines) > MOST_SEGMENTS:
        raise MessageTooLarge(f"it has more than {MOST_SEGMENTS} segments")
    return ["\n".join(one) for one in lines]


def _begins_segment(line: str, field_mark: str) -> bool:
    name, mark, _ = line.partition(field_mark) if len(line) > 3 else (line.strip(), "", "")
    return bool(_SEGMENT.fullmatch(name.strip())) and (bool(mark) or len(line) <= 3)


def _segment(line: str, separators: Separators) -> Segment:
    name, *fields = line.split(separators.field)
    name = name.strip()
    raw = [name, separators.field, *fields] if name == "MSH" else [name, *fields]
    return Segment(name, raw, separators)
