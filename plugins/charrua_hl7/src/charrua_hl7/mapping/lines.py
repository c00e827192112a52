"""A line of a mapping: which attribute is filled, from where, how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from charrua_hl7.mapping.places import Place
from charrua_hl7.mapping.transforms import TRANSFORMS, Target, Transform

STEP = "ScheduledProcedureStepSequence"


class LineWrong(ValueError):
    """A line says something that cannot be; `part` is which of its parts: to, from, as, default, values."""

    def __init__(self, part: str, sentence: str) -> None:
        super().__init__(sentence)
        self.part = part


@dataclass(frozen=True)
class Line:
    """Fill the attribute `to` from the first of `sources` that has something, `way` says how, else from `default`.

    `to` is a keyword of PS3.6, within sequences their keywords with dots: `ScheduledProcedureStepSequence.Modality`. `default`
    is a text or a place. `values` puts other values in the place of some: RX → CR.
    """

    to: str
    sources: tuple[str, ...] = ()
    way: str = "text"
    default: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The tags of the sequences and of the attribute. Raises LineWrong."""
        return tuple(_tag(keyword) for keyword in self.to.split("."))

    @cached_property
    def target(self) -> Target:
        """What the attribute may hold. Raises LineWrong."""
        tag = int(self.tags[-1], 16)
        return Target(dictionary_VR(tag).split(" ")[0], dictionary_VM(tag) != "1")

    @cached_property
    def transform(self) -> Transform:
        """The way from field to value. Raises LineWrong."""
        if self.way not in TRANSFORMS:
            raise LineWrong("as", f"{self.way[:40]!r} is none of {', '.join(TRANSFORMS)}")
        return TRANSFORMS[self.way]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The places of `sources`. Raises LineWrong."""
        return tuple(_place(one, "from") for one in self.sources)

    @cached_property
    def fields(self) -> frozenset[tuple[str, int]]:
        """Segment and number of the fields that `places` are in. Raises LineWrong."""
        return frozenset((place.segment, place.field) for place in self.places)

    @cached_property
    def default_place(self) -> Place | None:
        """The place that `default` names, None where it is a text."""
        try:
            return Place.read(self.default) if self.default else None
        except ValueError:
            return None

    @cached_property
    def replaced(self) -> Mapping[str, str]:
        """`values` without regard to case."""
        return {old.strip().casefold(): new for old, new in self.values.items()}

    @cached_property
    def date_tags(self) -> tuple[str, ...]:
        """Of a time the tags of the date that it belongs to: Scheduled Procedure Step Start Date; () where there is none."""
        keyword = self.to.removesuffix("Time") + "Date"
        if self.way != "time" or not self.to.endswith("Time") or not tag_for_keyword(keyword.rpartition(".")[2]):
            return ()
        return tuple(_tag(one) for one in keyword.split("."))

    def as_json(self) -> dict[str, Any]:
        """Give it as it is written: `{"to": …, "from": […], "as": …}`."""
        told: dict[str, Any] = {"to": self.to, "from": list(self.sources), "as": self.way}
        kept = {"default": self.default, "values": dict(self.values), "note": self.note}
        return told | {name: value for name, value in kept.items() if value}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Line:
        """Give the line that was written."""
        rest = {name: told[name] for name in ("default", "values", "note") if name in told}
        return cls(told["to"], tuple(told["from"]), told.get("as", "text"), **rest)


Lines = Sequence[Line]


def _tag(keyword: str) -> str:
    number = tag_for_keyword(keyword) if keyword else None
    if number is None:
        raise LineWrong("to", f"{keyword[:80]!r} is no keyword of an attribute")
    return f"{number:08X}"


def _place(text: str, part: str) -> Place:
    try:
        return Place.read(text)
    except ValueError as error:
        raise LineWrong(part, str(error)) from error
