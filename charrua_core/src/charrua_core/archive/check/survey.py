"""Where each element of a data set lies in its bytes, for those that write some of them anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from charrua_core.archive.datasets.elements import IMPLICIT_LITTLE, Context, Entry, Layout, Memo
from charrua_core.archive.datasets.encoder import encode_head
from charrua_core.archive.datasets.jsonmodel import TEXT_VRS
from charrua_core.archive.datasets.source import BudgetSpent, BufferSource, Clock, InflatedSource, Source
from charrua_core.archive.datasets.walk import Walk
from charrua_core.archive.datasets.walk_state import Budgets, Head, Level
from charrua_core.errors import HeaderDamaged

_BUDGETS = Budgets(elements=2_000_000, json_bytes=256 << 20, seconds=30.0)
_VR = slice(18, 20)  # "GGGGEEEE":{"vr":"XX"
_LONGEST_INFLATED = 256 << 20


class Place(NamedTuple):
    """An element of the data set itself: its bytes from `start` to `end`, and what it is in JSON."""

    tag: int
    start: int
    end: int
    fragment: bytes
    bulk: bool
    """It, or an element nested in it, is only a BulkDataURI in the fragment."""

    @property
    def vr(self) -> str:
        """Its Value Representation, empty for a group length."""
        return self.fragment[_VR].decode("ascii")


@dataclass(frozen=True, slots=True)
class Survey:
    """The elements of a data set in their order. Offsets count in the data set."""

    places: list[Place]
    specific_character_set: str
    pixel_data_offset: int | None
    """Where the value of Pixel Data, Float or Double Float Pixel Data begins."""
    pixel_data_length: int | None
    """Its bytes; None where it is encapsulated, or there is none."""
    frame_offsets: bytes | None
    """As of `header.Header`."""
    _source: Source
    _contexts: dict[int, Context]

    def in_unicode(self, place: Place) -> bytes:
        """Give the element's bytes with all texts in it, nested ones too, in ISO_IR 192; the rest of it as it was."""
        raw = self._source.read(place.start, place.end - place.start)
        return _ToUnicode(raw, self._contexts[place.start]).rewritten()


class _PlainWalk(Walk):
    """A walk that reads element by element, however well it remembers them."""

    def __init__(self, source: Source, layout: Layout) -> None:
        super().__init__(source, layout, 0, _BUDGETS, Clock(_BUDGETS.seconds), Memo())

    def _affords(self, entry: Entry) -> bool:  # noqa: ARG002
        return False


class _Surveyor(_PlainWalk):
    """A walk that notes where each element lies."""

    def __init__(self, source: Source, layout: Layout) -> None:
        super().__init__(source, layout)
        self.places: list[Place] = []
        self.contexts: dict[int, Context] = {}

    def _element(self, context: Context) -> Entry:
        start, bulky = self._next, self._bulky
        entry = super()._element(context)
        self.places.append(Place(entry.first, start, self._next, entry.fragment, bulky != self._bulky))
        self.contexts[start] = context
        return entry


class _ToUnicode(_PlainWalk):
    """A walk whose fragments are not JSON but the elements' own bytes, texts in UTF-8."""

    def __init__(self, raw: bytes, context: Context) -> None:
        super().__init__(BufferSource(raw), context.layout)
        self._context = context
        self._raw = raw

    def rewritten(self) -> bytes:
        """Give the elements anew."""
        self.run()
        if self.unparsed:
            raise HeaderDamaged("the data set is too complex to be written anew")
        return b"".join([one for one in self._read_so_far if isinstance(one, bytes)])

    def _value(self, position: int, head: Head, context: Context) -> Entry:
        after = super()._value(position, head, context).after
        raw = self._raw[position : self._next]
        if head.tag == 0x00080005 and self._levels:
            raw = b""
        elif head.vr in TEXT_VRS and head.length:
            text = context.charset.decode(self._raw[head.value : self._next].rstrip(b"\0 ")).encode()
            layout = context.layout if raw[4:6] == head.vr.encode() else IMPLICIT_LITTLE
            raw = encode_head(f"{head.tag:08X}", head.vr, len(text) + (len(text) & 1), layout) + text
            raw += b" " * (len(raw) & 1)
        return Entry(b"", raw, head.tag, head.tag, None, after, 1)

    def _sequence_fragment(self, level: Level) -> bytes:
        outer = self._levels[-1].item_context if self._levels else self._context
        vr = "UN" if outer.layout.explicit and not level.context.layout.explicit else "SQ"
        value = b"".join(level.items)
        return encode_head(f"{level.tag:08X}", vr, len(value), outer.layout) + value

    def _item_fragment(self, level: Level) -> bytes:
        value = b"".join(level.fragments)
        return level.context.layout.item_head(len(value)) + value

    def _left_alone(self, level: Level, head: Head) -> bytes:
        self._next = head.value + head.length
        return self._raw[level.start : self._next]


def survey(source: Source, layout: Layout) -> Survey:
    """Give where the elements of a data set lie. Raises HeaderDamaged, also when it is too complex to be walked."""
    walk = _Surveyor(source, layout)
    walk.run()
    if walk.unparsed:
        raise HeaderDamaged("the data set is too complex to be written anew")
    charset = walk.facts.get("00080005", "")
    pixels = (walk.pixel_data_offset, walk.pixel_data_length, walk.frame_offsets())
    return Survey(walk.places, charset, *pixels, source, walk.contexts)


def inflated(source: Source) -> bytes:
    """Give a deflated data set inflated, 256 MiB at most. Raises HeaderDamaged when it is longer, or damaged."""
    stream = InflatedSource(source, _LONGEST_INFLATED, Clock(_BUDGETS.seconds))
    try:
        dataset = stream.read(0, _LONGEST_INFLATED)
        longer = stream.skip_to(_LONGEST_INFLATED + 1)
    except BudgetSpent:
        longer = True
    if longer:
        raise HeaderDamaged("the deflated data set is too large to be written anew")
    return dataset
