"""What people write as a mapping, read and checked: each thing that is wrong is told with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from charrua_core.errors import CharruaError
from charrua_hl7.mapping.evaluate import default_values
from charrua_hl7.mapping.lines import STEP, Line, Lines, LineWrong
from charrua_hl7.mapping.places import Scope
from charrua_hl7.mapping.steps import ORDER_KEYS, ORDERS
from charrua_hl7.mapping.transforms import PATIENT_ID

MOST_LINES, MOST_SOURCES, MOST_VALUES, LONGEST = 300, 20, 200, 200
_FIELDS = frozenset({"to", "from", "as", "default", "values", "note"})
_NOT_MAPPED = {
    "SpecificCharacterSet": "the character set of an answer is chosen when it is given",
    "ScheduledProcedureStepStatus": "the status follows from order control and from what happens",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a mapping: the number of the line from 0, None of all; which of its parts; a sentence."""

    line: int | None
    part: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Give it as it is answered."""
        return asdict(self)

    def __str__(self) -> str:
        """The sentence, with where."""
        return self.sentence if self.line is None else f"line {self.line + 1}, {self.part}: {self.sentence}"


class MappingInvalid(CharruaError):
    """The mapping says something that cannot be."""

    http_status = 400

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems[:5])))
        self.problems = problems


def read_lines(code: str, given: object) -> Lines:
    """Read the lines of a mapping for messages of a code. Raises MappingInvalid with all that is wrong."""
    lines, problems = _read(given)
    known = [(number, line) for number, line in lines if not problems.get(number)]
    found = [problem for problems_of in problems.values() for problem in problems_of]
    found += [*_doubled(known), *_missing(code, [line for _, line in known] if not found else None)]
    if found:
        raise MappingInvalid(sorted(found, key=lambda one: (one.line is None, one.line or 0)))
    return tuple(line for _, line in lines)


def _read(given: object) -> tuple[list[tuple[int, Line]], dict[int, list[Problem]]]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not 0 < len(given) <= MOST_LINES:
        raise MappingInvalid([Problem(None, "lines", f"a list of 1 to {MOST_LINES} lines is expected")])
    lines: list[tuple[int, Line]] = []
    problems: dict[int, list[Problem]] = {}
    for number, one in enumerate(given):
        try:
            line = _line(one)
            lines.append((number, line))
            wrong = list(_wrong(line))
        except LineWrong as error:
            wrong = [error]
        if wrong:
            problems[number] = [Problem(number, error.part, str(error)) for error in wrong]
    return lines, problems


def _line(one: object) -> Line:
    """The line of an object that has nothing else than a line has."""
    if not isinstance(one, Mapping):
        raise LineWrong("to", "an object with `to` and `from` is expected")
    if strange := sorted(map(str, one.keys() - _FIELDS)):
        raise LineWrong(strange[0][:40], "a line has no such part")
    sources = one.get("from", [])
    if not isinstance(sources, Sequence) or isinstance(sources, str) or len(sources) > MOST_SOURCES:
        raise LineWrong("from", f"a list of {MOST_SOURCES} places at most is expected")
    values = one.get("values") or {}
    if not isinstance(values, Mapping) or len(values) > MOST_VALUES:
        raise LineWrong("values", f"an object of {MOST_VALUES} pairs at most is expected")
    return Line(
        _text(one.get("to"), "to"),
        tuple(_text(source, "from") for source in sources),
        _text(one.get("as", "text"), "as"),
        _text(one.get("default", ""), "default"),
        {_text(old, "values"): _text(new, "values") for old, new in values.items()},
        _text(one.get("note", ""), "note"),
    )


def _text(given: object, part: str) -> str:
    if not isinstance(given, str) or len(given) > LONGEST or not given.isprintable():
        raise LineWrong(part, f"a text of {LONGEST} printable characters at most is expected")
    return given.strip()


def _wrong(line: Line) -> Iterator[LineWrong]:
    """What is wrong with a line by itself."""
    try:
        yield from _wrong_target(line)
    except LineWrong as error:
        yield error
    try:
        _ = line.places
    except LineWrong as error:
        yield error
    if not line.sources and not line.default:
        yield LineWrong("from", "the line has neither a place nor a default")


def _wrong_target(line: Line) -> Iterator[LineWrong]:
    *sequences, keyword = line.to.split(".")
    if any(Line(".".join(sequences[: depth + 1])).target.vr != "SQ" for depth in range(len(sequences))):
        yield LineWrong("to", f"{'.'.join(sequences)} is no sequence")
    elif keyword in _NOT_MAPPED:
        yield LineWrong("to", f"{keyword} is not mapped: {_NOT_MAPPED[keyword]}")
    elif line.tags[0] < "0008":
        yield LineWrong("to", f"{keyword} is no attribute of a worklist")
    elif line.target.vr not in line.transform.vrs:
        given = ", ".join(sorted(line.transform.vrs))
        yield LineWrong("as", f"{keyword} is of VR {line.target.vr}; `{line.way}` gives {given}")
    elif line.default and not line.default_place and not default_values(line, Scope()):
        yield LineWrong("default", f"{line.default!r} is no value of {keyword} as `{line.way}`")


def _doubled(lines: Sequence[tuple[int, Line]]) -> Iterator[Problem]:
    """Two lines for one attribute, or for a sequence and for what is in it."""
    seen: dict[str, int] = {}
    for number, line in lines:
        if line.to in seen:
            yield Problem(number, "to", f"line {seen[line.to] + 1} is for {line.to} already")
        seen.setdefault(line.to, number)
    for number, line in lines:
        above = [".".join(line.to.split(".")[:depth]) for depth in range(1, line.to.count(".") + 1)]
        for one in above:
            if one in seen:
                yield Problem(number, "to", f"line {seen[one] + 1} gives the whole of {one}")


def _missing(code: str, lines: Lines | None) -> Iterator[Problem]:
    """What there has to be a line for; nothing is said of it while single lines are wrong."""
    if lines is None:
        return
    filled = {line.tags[-1] for line in lines}
    if PATIENT_ID not in filled:
        yield Problem(None, "to", "there is no line for PatientID")
    if code in ORDERS and not filled & {*ORDER_KEYS}:
        yield Problem(None, "to", "no line tells which order it is, such as one for AccessionNumber")
    if code in ORDERS and not any(line.to.startswith(f"{STEP}.") for line in lines):
        yield Problem(None, "to", f"there is no line for what is in {STEP}")
