"""The conditions of a rule: each holds for an object or does not, and can say what it wanted and what it found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from charrua_routing import values
from charrua_routing.facts import Facts
from charrua_routing.reading import Fields
from charrua_routing.times import WEEKDAYS, Window
from charrua_routing.virtual.reports import REPORTS, sources_of, withheld

Read = Callable[[Facts], Sequence[str]]

IS = ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "present", "absent")
"""How an attribute may be compared. `=`, `!=`, `in` and `not in` know the wildcards `*` and `?`."""


class Condition(Protocol):
    """Something that an object must fulfil."""

    @property
    def what(self) -> str:
        """The field of the rule that says it."""

    @property
    def wanted(self) -> str:
        """What it wants, in words."""

    @property
    def reads_attributes(self) -> bool:
        """Whether it looks at the object's attributes."""

    def holds(self, facts: Facts) -> bool:
        """Whether the object fulfils it."""

    def found(self, facts: Facts) -> str:
        """What the object has there."""


@dataclass(frozen=True, slots=True)
class Like:
    """One of the values, or with `negated` none of them, is like one of the patterns."""

    what: str
    patterns: tuple[str, ...]
    read: Read
    vr: str = "LO"
    negated: bool = False
    reads_attributes: bool = False
    _compiled: tuple[re.Pattern[str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", tuple(values.pattern(one, self.vr) for one in self.patterns))

    @property
    def wanted(self) -> str:
        """What it wants, in words."""
        return f"{'none of ' if self.negated else ''}{', '.join(self.patterns)}"

    def holds(self, facts: Facts) -> bool:
        """Whether the object fulfils it."""
        forms = (form for value in self.read(facts) for form in values.forms(value, self.vr))
        return any(one.fullmatch(form) for form in forms for one in self._compiled) != self.negated

    def found(self, facts: Facts) -> str:
        """What the object has there."""
        return _shown(self.read(facts))


@dataclass(frozen=True, slots=True)
class Sized:
    """One of the values is smaller or greater than a limit."""

    what: str
    sign: str
    limit: str
    read: Read
    vr: str
    reads_attributes: bool = True

    @property
    def wanted(self) -> str:
        """What it wants, in words."""
        return f"{self.sign} {self.limit}"

    def holds(self, facts: Facts) -> bool:
        """Whether the object fulfils it; a value that is no number, date or age does not."""
        measure, compare = values.measure(self.vr), values.COMPARED[self.sign]
        limit = measure(self.limit)
        for value in self.read(facts):
            try:
                if compare(measure(value), limit):
                    return True
            except ValueError:
                continue
        return False

    def found(self, facts: Facts) -> str:
        """What the object has there."""
        return _shown(self.read(facts))


@dataclass(frozen=True, slots=True)
class There:
    """The attribute has a value, or with `negated` has none."""

    what: str
    read: Read
    negated: bool = False
    reads_attributes: bool = True

    @property
    def wanted(self) -> str:
        """What it wants, in words."""
        return "absent" if self.negated else "present"

    def holds(self, facts: Facts) -> bool:
        """Whether the object fulfils it."""
        return any(self.read(facts)) != self.negated

    def found(self, facts: Facts) -> str:
        """What the object has there."""
        return _shown(self.read(facts))


@dataclass(frozen=True, slots=True)
class At:
    """The object came within a span of the day, on one of some days of the week, both of the place of the archive."""

    window: Window | None
    weekdays: tuple[str, ...]
    what: str = "between, weekdays"
    reads_attributes: bool = False

    @property
    def wanted(self) -> str:
        """What it wants, in words."""
        return " ".join(
            [*([str(self.window)] if self.window else []), *([" ".join(self.weekdays)] if self.weekdays else [])]
        )

    def holds(self, facts: Facts) -> bool:
        """Whether the object fulfils it: the day is the one on which the span began."""
        here = _here(facts)
        if self.window is not None and not self.window.has(here):
            return False
        day = self.window.weekday(here) if self.window is not None else WEEKDAYS[here.weekday()]
        return not self.weekdays or day in self.weekdays

    def found(self, facts: Facts) -> str:
        """What the object has there."""
        here = _here(facts)
        return f"{here:%H:%M} {WEEKDAYS[here.weekday()]}"


@dataclass(frozen=True, slots=True)
class Distributed:
    """A report that a rule takes as one from REPORTS alone is one that may go out."""

    others: Like
    """The other sources that the rule takes."""
    what: str = "from REPORTS"
    reads_attributes: bool = True

    @property
    def wanted(self) -> str:
        """What it wants, in words."""
        return "reports that are distributed"

    def holds(self, facts: Facts) -> bool:
        """Whether the object fulfils it."""
        return self.others.holds(facts) or not self._withheld(facts)

    def found(self, facts: Facts) -> str:
        """What the object has there."""
        return self._withheld(facts) or "what is distributed"

    def _withheld(self, facts: Facts) -> str:
        return withheld(facts.settings, facts.stored.sop_class_uid, facts.attributes or {})


def _here(facts: Facts) -> datetime:
    return facts.stored.received_at.astimezone()


def _shown(found: Sequence[str]) -> str:
    text = "\\".join(found)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _attribute(tag: str) -> Read:
    return lambda facts: facts.values(tag)


_OF_THE_WAY: Mapping[str, Read] = {
    "from": lambda facts: sorted(sources_of(facts.stored)) or ("",),
    "to": lambda facts: (facts.stored.origin.called_aet,),
    "modality": lambda facts: (facts.stored.modality,),
    "transfer_syntax": lambda facts: (facts.stored.transfer_syntax_uid,),
}
_OF_THE_OBJECT = {
    "referring_physician": ("00080090", "PN"),
    "institution": ("00080080", "LO"),
    "study_description": ("00081030", "LO"),
}
"""The manual's filters (7.3.3), each an attribute."""


def read_conditions(fields: Fields) -> tuple[Condition, ...]:
    """Read the table `when` of a rule; raises RuleInvalid."""
    found: list[Condition] = [
        Like(name, patterns, read) for name, read in _OF_THE_WAY.items() if (patterns := fields.texts(name))
    ]
    if REPORTS in (sources := fields.texts("from")):
        found.append(Distributed(Like("from", tuple(one for one in sources if one != REPORTS), _OF_THE_WAY["from"])))
    if at := _at(fields):
        found.append(at)
    found += [
        Like(name, patterns, _attribute(tag), vr, reads_attributes=True)
        for name, (tag, vr) in _OF_THE_OBJECT.items()
        if (patterns := fields.texts(name))
    ]
    found += [_compared(one) for one in fields.tables("attributes")]
    fields.end()
    return tuple(found)


def _at(fields: Fields) -> At | None:
    between = fields.text("between")
    weekdays = fields.texts("weekdays")
    if strange := [day for day in weekdays if day not in WEEKDAYS]:
        raise fields.wrong("weekdays", f"{strange[0]!r} is none of {', '.join(WEEKDAYS)}")
    try:
        window = Window.parsed(between) if between else None
    except ValueError as error:
        raise fields.wrong("between", str(error)) from error
    return At(window, weekdays) if window or weekdays else None


def _compared(fields: Fields) -> Condition:
    """Read `{attribute = "BodyPartExamined", is = "in", value = ["HEAD", "NECK*"]}`."""
    name, sign = fields.text("attribute"), fields.one_of("is", IS, "=")
    try:
        tag, vr = values.attribute_named(name)
    except ValueError as error:
        raise fields.wrong("attribute", str(error)) from error
    read = _attribute(tag)
    if sign in ("present", "absent"):
        fields.end()
        return There(name, read, sign == "absent")
    wanted = _wanted(fields)
    fields.end()
    if sign not in values.COMPARED:
        return Like(name, wanted, read, vr, sign in ("!=", "not in"), reads_attributes=True)
    return _sized(fields, Sized(name, sign, wanted[0], read, vr), wanted)


def _wanted(fields: Fields) -> tuple[str, ...]:
    given = fields.anything("value")
    listed = given if isinstance(given, list | tuple) else [given]
    texts = {
        "value": [str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in listed]
    }
    if given is None:
        raise fields.wrong("value", "a value to compare with is missing")
    return Fields(texts, fields.place).texts("value")


def _sized(fields: Fields, condition: Sized, wanted: Sequence[str]) -> Sized:
    if len(wanted) != 1:
        raise fields.wrong("value", f"{condition.sign} takes one value")
    try:
        values.measure(condition.vr)(condition.limit)
    except ValueError as error:
        raise fields.wrong("value", f"{condition.limit!r} cannot be compared with {condition.what}: {error}") from error
    return condition
