"""What a walk over a data set holds at a time: an element's head, the open sequences, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from charrua_core.archive.datasets.elements import UNDEFINED, Context
from charrua_core.archive.datasets.jsonmodel import INLINE_BYTES, INLINE_TEXT
from charrua_core.errors import HeaderDamaged


@dataclass(frozen=True, slots=True)
class Budgets:
    """What one header may cost; past one of them the object is kept and marked `unparsed`."""

    depth: int = 64
    elements: int = 200_000
    header_bytes: int = 64 << 20
    """Longest piece of an inflated data set that is kept in memory."""
    json_bytes: int = 32 << 20
    inline_bytes: int = INLINE_BYTES
    """Longest binary value that stands in the JSON; a longer one is a BulkDataURI."""
    inline_text: int = INLINE_TEXT
    """Longest value of another kind that stands in the JSON."""
    seconds: float = 2.0


ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD


class Head(NamedTuple):
    """An element's tag, VR and length, where its value begins, and whether the VR is of our dictionary."""

    tag: int
    vr: str
    length: int
    value: int
    guessed: bool


class Level:
    """An open sequence, and the item of it that is being read."""

    __slots__ = (
        "context",
        "end",
        "fragments",
        "guessed",
        "in_item",
        "item_context",
        "item_end",
        "items",
        "limit",
        "start",
        "tag",
    )

    def __init__(self, start: int, head: Head, limit: int | None, context: Context) -> None:
        self.start = start
        self.tag = head.tag
        self.end = None if head.length == UNDEFINED else head.value + head.length
        self.limit = limit if self.end is None else self.end
        self.guessed = head if head.guessed and self.end is not None else None
        self.context = self.item_context = context
        self.items: list[bytes] = []
        self.in_item = False
        self.item_end: int | None = None
        self.fragments: list[bytes] = []

    def item_limit(self) -> int | None:
        """Where the item must have ended, None when only the data set's end says so."""
        return self.limit if self.item_end is None else self.item_end


def damage(what: str, tag: int, position: int) -> HeaderDamaged:
    """Give the error for an element; it names no value."""
    return HeaderDamaged(f"{what}: ({tag >> 16:04X},{tag & 0xFFFF:04X}) at byte {position} of the data set")
