"""One walk over a data set, element by element, forward only and without recursion: the engine of `header.scan`."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import chain

import orjson

from charrua_core.archive.datasets import frames
from charrua_core.archive.datasets.charsets import DEFAULT
from charrua_core.archive.datasets.elements import (
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Context,
    Entry,
    Layout,
    Memo,
)
from charrua_core.archive.datasets.indexed import INDEXED, fact
from charrua_core.archive.datasets.jsonmodel import (
    BINARY_VRS,
    Unreadable,
    binary_json,
    bulk_json,
    read_values,
    sequence_json,
    values_json,
)
from charrua_core.archive.datasets.skim import end_of_sequence
from charrua_core.archive.datasets.source import BudgetSpent, Clock, Source
from charrua_core.archive.datasets.walk_state import ITEM, ITEM_END, SEQUENCE_END, Budgets, Head, Level, damage
from charrua_core.errors import HeaderDamaged

_WINDOW = 1 << 16
_PEEK = 4096
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_OFFSET_TABLE = 0x7FE00001
_LEFT_THERE = _PIXELS | {_OFFSET_TABLE}
_LONGEST_OFFSET_TABLE = 16 << 20
_KEY = 10  # bytes of `"GGGGEEEE"`
_AFTER_BUDGET = 5_000  # elements, and bytes of JSON for each of 64, still read behind a sequence that spent the budget


class Walk:
    """The state of one walk; `run` it, then read `facts`, `json()` and the rest."""

    def __init__(self, source: Source, layout: Layout, offset: int, budgets: Budgets, clock: Clock, memo: Memo) -> None:
        self._source = source
        self._offset = offset
        self._depth = budgets.depth
        self._inline_bytes, self._inline_text = budgets.inline_bytes, budgets.inline_text
        self._clock, self._tick = clock, clock.check
        self._context = memo.context(layout, DEFAULT, False)
        self._buffer = b""
        self._base = self._next = 0
        self._elements_left = budgets.elements
        self._json_left = budgets.json_bytes
        self._open_sequence: Head | None = None
        self._read_so_far: list[bytes | Entry] = []
        self._levels: list[Level] = []
        self._closed = b""
        self._ordered = True
        self._bulky = 0
        self._tables = [b"", b""]
        self._items: array[int] = array("Q")
        self._items_end = 0
        self.facts: dict[str, str] = {}
        self.pixel_data_offset: int | None = None
        self.pixel_data_length: int | None = None
        self.unparsed = False

    def run(self) -> None:
        """Walk to the end of the data set, or as far as the budgets reach."""
        while True:
            try:
                self._top_level()
                return
            except BudgetSpent:
                if self.unparsed or not self._go_behind_sequence():
                    self.unparsed = True
                    return
            self.unparsed = True
            self._elements_left, self._json_left = _AFTER_BUDGET, _AFTER_BUDGET * 64

    def _go_behind_sequence(self) -> bool:
        """Leave out the sequence that spent the budget; False when what follows it cannot be reached."""
        head, self._open_sequence = self._open_sequence, None
        self._levels.clear()
        self._clock.allow_more()
        if head is None or (head.length == UNDEFINED and self._source.inflated):
            return False
        if head.length != UNDEFINED:
            self._next = head.value + head.length
            return self._source.skip_to(self._next)
        layout = IMPLICIT_LITTLE if head.guessed else self._context.layout
        try:
            self._next = end_of_sequence(self._source, head.value, layout, self._clock, self._depth)
        except BudgetSpent:
            return False
        return True

    def json(self) -> bytes:
        """Give the data set in the DICOM JSON Model, tags in order; of one that stands twice, the last counts."""
        if self._ordered:
            return b"{%s}" % b",".join([one if isinstance(one, bytes) else one.fragment for one in self._read_so_far])
        every = chain.from_iterable([one] if isinstance(one, bytes) else one.parts for one in self._read_so_far)
        return b"{%s}" % b",".join(_in_order(every))

    def frame_offsets(self) -> bytes | None:
        """Give the offsets of the encapsulated frames, as `Header.frame_offsets` has them."""
        if not self._items:
            return None
        number = self.facts.get("00280008", "")
        wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
        return frames.offsets(self._items, self._items_end, wanted, (self._tables[0], self._tables[1]))

    def _top_level(self) -> None:
        """Read the elements of the data set itself. Long, as nothing in it may cost a call: it runs for every element."""
        context = self._context
        runs, elements = context.runs, context.elements
        buffer, at = self._window(self._next), 0
        append = self._read_so_far.append
        streak: list[Entry] = []
        streak_key, last = b"", -1
        while True:
            key = buffer[at : at + 8]
            entry = runs.get(key)
            if entry is None or not (buffer.startswith(entry.raw, at) and self._affords(entry)):
                entry = elements.get(key)
                if entry is not None and not (buffer.startswith(entry.raw, at) and self._affords(entry)):
                    entry = None
            if entry is None:
                if streak:
                    context.weld(streak_key, streak)
                    streak = []
                self._next = self._base + at
                if not key and not self._window(self._next):
                    return
                entry = self._element(context)
                buffer, at = self._buffer, self._next - self._base
                if not 0 <= at <= len(buffer):
                    buffer, at = self._window(self._next), 0
            else:
                if not streak:
                    streak_key = key
                streak.append(entry)
                at += len(entry.raw)
                self._elements_left -= entry.elements
                self._json_left -= len(entry.fragment)
            if entry.first <= last:
                self._ordered = False
            last = entry.last
            if entry.fragment:
                append(entry if entry.parts else entry.fragment)
            if entry.facts:
                self.facts.update(entry.facts)
            if entry.after is not None:
                context.weld(streak_key, streak)
                streak = []
                context = self._context = entry.after
                runs, elements = context.runs, context.elements

    def _affords(self, entry: Entry) -> bool:
        """Whether the budgets have room for it; if not, the elements are read one by one up to the limit."""
        return entry.elements <= self._elements_left and len(entry.fragment) <= self._json_left

    def _element(self, context: Context) -> Entry:
        """Read the top-level element at `_next`, and go behind it."""
        position, elements, json = self._next, self._elements_left, self._json_left
        head = self._head(position, context)
        if head.tag >> 16 == 0xFFFE:
            raise damage("an item or a delimiter stands outside of a sequence", head.tag, position)
        if not self._is_sequence(head):
            return self._value(position, head, context)
        bulky, self._open_sequence = self._bulky, head
        fragment = self._sequence(head, context)
        self._open_sequence = None
        self._json_left = json - len(fragment)
        entry = Entry(b"", fragment, head.tag, head.tag, None, None, elements - self._elements_left)
        if bulky == self._bulky and self._base <= position and self._next - self._base <= len(self._buffer):
            entry = entry._replace(raw=self._buffer[position - self._base : self._next - self._base])
            context.remember(entry.raw[:8], entry)
        return entry

    # --- headers and values ------------------------------------------------------------------------------------------

    def _window(self, position: int, length: int = _WINDOW) -> bytes:
        self._buffer, self._base = self._source.read(position, length), position
        return self._buffer

    def _head(self, position: int, context: Context) -> Head:
        self._elements_left -= 1
        if self._elements_left < 0:
            raise BudgetSpent
        self._tick()
        buffer, at = self._buffer, position - self._base
        if at < 0 or at + 12 > len(buffer):
            buffer, at = self._window(position), 0
        if len(buffer) - at < 8:
            raise HeaderDamaged(f"the data set ends within the head of an element at byte {position}")
        if not context.layout.explicit:
            return self._implicit_head(buffer, at, position, context)
        group, number, vr, length = context.layout.explicit_head(buffer, at)
        if vr in SHORT_VRS:
            return Head(group << 16 | number, vr.decode("latin_1"), length, position + 8, False)
        if group == 0xFFFE:
            return self._implicit_head(buffer, at, position, context)
        return self._long_head(buffer, at, position, context)

    def _implicit_head(self, buffer: bytes, at: int, position: int, context: Context) -> Head:
        group, number, length = context.layout.implicit_head(buffer, at)
        tag = group << 16 | number
        return Head(tag, context.vr_of(tag), length, position + 8, bool(group & 1))

    def _long_head(self, buffer: bytes, at: int, position: int, context: Context) -> Head:
        group, number, vr, length = context.layout.explicit_head(buffer, at)
        tag = group << 16 | number
        if vr not in LONG_VRS:
            if not (vr.isalpha() and vr.isupper()):
                if self._levels:  # some writers of explicit VR put implicit VR into their sequences
                    return self._implicit_head(buffer, at, position, context)
                raise damage("an element has no Value Representation", tag, position)
            if length:  # a VR that is not known here: later ones have the long form, with two zero bytes here
                return Head(tag, "UN", length, position + 8, False)
        if len(buffer) - at < 12:
            raise HeaderDamaged(f"the data set ends within the head of an element at byte {position}")
        (length,) = context.layout.long_length(buffer, at + 8)
        if vr != b"UN":
            return Head(tag, vr.decode("latin_1") if vr in LONG_VRS else "UN", length, position + 12, False)
        return Head(tag, context.vr_of(tag), length, position + 12, True)

    def _value(self, position: int, head: Head, context: Context) -> Entry:
        """Read the element with this head, which is no sequence, and go behind it."""
        tag, vr, length, value, guessed = head
        if length == UNDEFINED:
            return self._encapsulated(head, context)
        end = value + length
        if length > (self._inline_bytes if vr in BINARY_VRS else self._inline_text) or tag in _LEFT_THERE:
            return self._bulk(position, head)
        if end - self._base > len(self._buffer) or position < self._base:
            self._window(position, max(_WINDOW, end - position))
        raw = self._buffer[position - self._base : end - self._base]
        if len(raw) < end - position:
            raise self._cut_off(position, head)
        entry = self._read(raw, raw[value - position :], head, context, "<" if guessed else context.layout.endian)
        self._json_left -= len(entry.fragment)
        if self._json_left < 0:
            raise BudgetSpent
        context.remember(raw[:8], entry)
        self._next = end
        return entry

    def _read(self, raw: bytes, body: bytes, head: Head, context: Context, endian: str) -> Entry:
        tag, vr = head.tag, head.vr
        if tag & 0xFFFF == 0:  # group lengths tell nothing and are wrong after the first edit
            return Entry(raw, b"", tag, tag, None, None, 1)
        if vr in BINARY_VRS:
            return Entry(raw, binary_json(tag, vr, body, endian), tag, tag, None, None, 1)
        try:
            values = read_values(vr, body, context.charset, endian)
            fragment = values_json(tag, vr, values)
        except (Unreadable, orjson.JSONEncodeError):
            return Entry(raw, binary_json(tag, "UN", body), tag, tag, None, None, 1)
        name = INDEXED.get(tag)
        facts = {name: fact(values)} if name else None
        return Entry(raw, fragment, tag, tag, facts, context.after(tag, body), 1)

    def _bulk(self, position: int, head: Head) -> Entry:
        """An element whose value is left where it is."""
        if not self._levels:
            if head.tag in _PIXELS:
                self.pixel_data_offset, self.pixel_data_length = self._offset + head.value, head.length
            elif head.tag == _OFFSET_TABLE and head.length <= _LONGEST_OFFSET_TABLE:
                self._tables[0] = self._source.read(head.value, head.length)
        self._next = head.value + head.length
        if not self._source.skip_to(self._next):
            raise self._cut_off(position, head)
        return Entry(b"", self._unread(head), head.tag, head.tag, None, None, 1)

    def _unread(self, head: Head) -> bytes:
        self._bulky += 1
        items = b"".join([b"%08X/%d/" % (level.tag, len(level.items)) for level in self._levels])
        offset = self._offset + head.value
        fragment = bulk_json(head.tag, head.vr, items, offset, head.length, inflated=self._source.inflated)
        self._json_left -= len(fragment)
        return fragment

    def _cut_off(self, position: int, head: Head) -> HeaderDamaged:
        return damage(f"the value should have {head.length} bytes, but the data set ends before", head.tag, position)

    def _encapsulated(self, head: Head, context: Context) -> Entry:
        """Go over fragments from item to item (PS3.5 A.4); nothing but the Basic Offset Table is read."""
        pixels = head.tag in _PIXELS and not self._levels
        items: array[int] = array("Q")
        if pixels:
            self.pixel_data_offset, self._items = self._offset + head.value, items
        position = head.value
        while (length := self._fragment_length(position, context.layout)) is not None:
            if pixels and position == head.value:
                self._tables[1] = self._source.read(position + 8, min(length, _LONGEST_OFFSET_TABLE))
            elif pixels:
                items.append(self._offset + position)
            position += 8 + length
            if not self._source.skip_to(position):
                raise damage("the last fragment is cut off", head.tag, position)
        if pixels:
            self._items_end = self._offset + position
        self._next = position + 8
        vr = head.vr if context.layout.explicit else "OB"
        fragment = self._unread(head._replace(vr=vr, length=position - head.value))
        return Entry(b"", fragment, head.tag, head.tag, None, None, 1)

    def _fragment_length(self, position: int, layout: Layout) -> int | None:
        """Give the length of the item at the position, None at the delimiter that ends the sequence."""
        self._tick()
        at = position - self._base
        if at < 0 or at + 8 > len(self._buffer):
            self._window(position, _PEEK)
            at = 0
        if len(self._buffer) - at < 8:
            raise HeaderDamaged(f"the encapsulated data has no end: the data set ends at byte {position}")
        group, number, length = layout.implicit_head(self._buffer, at)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return None
        if tag != ITEM or length == UNDEFINED:
            raise damage("no item where one should be in encapsulated data", tag, position)
        return int(length)

    # --- sequences ---------------------------------------------------------------------------------------------------

    def _is_sequence(self, head: Head) -> bool:
        return head.vr == "SQ" or (head.length == UNDEFINED and (head.vr == "UN" or head.vr not in BINARY_VRS))

    def _sequence(self, head: Head, context: Context) -> bytes:
        """Read a sequence of the data set itself with all that is nested in it; give its JSON."""
        self._open(head, context, None)
        while self._levels:
            level = self._levels[-1]
            try:
                self._in_item(level) if level.in_item else self._between_items(level)
            except HeaderDamaged:
                if not self._give_up_guess():
                    raise
        return self._closed

    def _open(self, head: Head, context: Context, limit: int | None) -> None:
        if len(self._levels) >= self._depth:
            raise BudgetSpent
        # The items of a sequence in UN are implicit little endian, whatever is around them (PS3.5 6.2.2).
        layout = IMPLICIT_LITTLE if head.guessed and context.layout.explicit else context.layout
        level = Level(self._next, head, limit, context.inside(layout))
        if level.end is not None and not (self._source.reaches(level.end) and (limit is None or level.end <= limit)):
            raise damage("a sequence is longer than what it stands in", head.tag, head.value)
        self._levels.append(level)
        self._next = head.value

    def _close(self) -> None:
        level = self._levels.pop()
        self._deliver(self._sequence_fragment(level))

    def _sequence_fragment(self, level: Level) -> bytes:
        return sequence_json(level.tag, level.items)

    def _item_fragment(self, level: Level) -> bytes:
        fragments = level.fragments
        return b"{%s}" % b",".join(fragments if fragments == sorted(fragments) else _in_order(fragments))

    def _deliver(self, fragment: bytes) -> None:
        if self._levels:
            self._levels[-1].fragments.append(fragment)
        else:
            self._closed = fragment

    def _give_up_guess(self) -> bool:
        """A sequence that only the dictionary called so does not read as one: leave its bytes where they are."""
        for index in range(len(self._levels) - 1, -1, -1):
            level = self._levels[index]
            if level.guessed is not None:
                del self._levels[index:]
                self._deliver(self._left_alone(level, level.guessed))
                return True
        return False

    def _left_alone(self, _level: Level, head: Head) -> bytes:
        self._next = head.value + head.length
        return self._unread(head._replace(vr="UN"))

    def _between_items(self, level: Level) -> None:
        position = self._next
        if level.end is not None and position >= level.end:
            self._close()
            return
        head = self._head(position, level.context)
        end = None if head.length == UNDEFINED else position + 8 + head.length
        if head.tag == SEQUENCE_END:
            self._elements_left += 1
            self._next = position + 8
            if level.end is None:
                self._close()
        elif head.tag != ITEM:
            raise damage("no item where one should be in a sequence", head.tag, position)
        elif end is not None and not (self._source.reaches(end) and (level.limit is None or end <= level.limit)):
            raise damage("an item is longer than its sequence", level.tag, position)
        else:
            level.in_item, level.item_end, level.item_context = True, end, level.context
            level.fragments = []
            self._next = position + 8

    def _in_item(self, level: Level) -> None:
        """Read elements up to the end of the item, or to a sequence in it."""
        limit = level.item_limit()
        while level.item_end is None or self._next < level.item_end:
            context, position = level.item_context, self._next
            at = position - self._base
            entry = context.elements.get(self._buffer[at : at + 8]) if at >= 0 else None
            if entry is not None and self._buffer.startswith(entry.raw, at) and self._affords(entry):
                self._next = position + len(entry.raw)
                self._elements_left -= entry.elements
                self._json_left -= len(entry.fragment)
            else:
                head = self._head(position, context)
                if head.tag == ITEM_END:
                    self._elements_left += 1
                    self._next = position + 8
                    break
                if head.tag >> 16 == 0xFFFE:
                    raise damage("an item has no end", head.tag, position)
                if self._is_sequence(head):
                    self._open(head, context, limit)
                    return
                entry = self._value(position, head, context)
            if limit is not None and self._next > limit:
                raise damage("a value is longer than its item", entry.first, position)
            if entry.fragment:
                level.fragments.append(entry.fragment)
            level.item_context = entry.after or context
        level.items.append(self._item_fragment(level))
        level.in_item = False


def _in_order(fragments: Iterable[bytes]) -> list[bytes]:
    """The elements in the order of their tags (PS3.18 F.2.2), the last one of each."""
    return sorted({fragment[:_KEY]: fragment for fragment in fragments}.values())
