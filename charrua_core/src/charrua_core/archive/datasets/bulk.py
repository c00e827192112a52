"""The bytes of one attribute of a data set, found by its path: what a BulkDataURI stands for (PS3.18 8.7.3.3, 10.4.1.1.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from charrua_core.archive.datasets.elements import DEFLATED, IMPLICIT_LITTLE, UNDEFINED, Layout, Memo, layout_of
from charrua_core.archive.datasets.jsonmodel import TEXT_VRS
from charrua_core.archive.datasets.recode import swapped
from charrua_core.archive.datasets.skim import end_of_sequence
from charrua_core.archive.datasets.source import BudgetSpent, Clock, InflatedSource, SegmentSource, Source
from charrua_core.archive.datasets.walk import Walk
from charrua_core.archive.datasets.walk_state import ITEM, ITEM_END, SEQUENCE_END, Budgets, Head, Level
from charrua_core.errors import BulkDataNotFound, DocumentTooLarge, HeaderDamaged
from charrua_core.types import FileRange

LONGEST_IN_MEMORY = 256 << 20
"""Bytes of a value that cannot be sent from where it lies: of a deflated object or a big endian one, or a text."""

_BUDGETS = Budgets(elements=5_000_000, header_bytes=LONGEST_IN_MEMORY, seconds=10.0)
_PATH = re.compile(r"([0-9A-F]{8}/[0-9]{1,9}/){0,64}[0-9A-F]{8}")
_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_LONGEST_HEEDED = 1024


@dataclass(frozen=True, slots=True)
class BulkData:
    """A value: its bytes are the segments, one after another."""

    vr: str
    segments: list[bytes | FileRange]
    """Words in little endian order; texts in UTF-8 without padding; of encapsulated pixels the items with their heads."""
    encapsulated: bool = False

    @property
    def length(self) -> int:
        """Bytes of the value."""
        return sum(len(one) if isinstance(one, bytes) else one.length for one in self.segments)


def find_bulk_data(segments: Sequence[bytes | FileRange], transfer_syntax_uid: str, path: str) -> BulkData:
    """Give the value of the attribute at the path in a data set of these segments; blocks.

    The path is a tag (`00091010`), or leads there through items, counted from 0 (`54000100/0/54001010`). Only heads of
    elements are read on the way; what lies in a file as it is to be delivered stays there. Raises BulkDataNotFound where
    there is no such attribute, or it is a sequence or empty; HeaderDamaged, DocumentTooLarge, StorageFailed.
    """
    if not _PATH.fullmatch(path):
        raise BulkDataNotFound
    with SegmentSource(segments) as opened:
        source: Source = opened
        if transfer_syntax_uid in DEFLATED:
            source = InflatedSource(opened, LONGEST_IN_MEMORY, Clock(_BUDGETS.seconds))
        search = _Search(source, layout_of(transfer_syntax_uid))
        try:
            return search.bulk_data(path.split("/"), opened if source is opened else None)
        except BudgetSpent as spent:
            raise DocumentTooLarge("the data set is too large to be searched for one attribute") from spent


class _Search(Walk):
    """A walk by heads alone, down one path."""

    def __init__(self, source: Source, layout: Layout) -> None:
        super().__init__(source, layout, 0, _BUDGETS, Clock(_BUDGETS.seconds), Memo())

    def bulk_data(self, path: Sequence[str], whole: SegmentSource | None) -> BulkData:
        """Give the value; `whole` is the data set where it can be cut into segments."""
        end: int | None = None
        for tag, item in zip(path[::2], path[1::2], strict=False):
            head = self._reach(int(tag, 16), end)
            end = self._enter(head, int(item), end)
        return self._value_of(self._reach(int(path[-1], 16), end), whole)

    def _reach(self, tag: int, end: int | None) -> Head:
        """Go over elements until this one, which is not read."""
        while (end is None or self._next < end) and (self._levels or self._more()):
            head = self._head(self._next, self._context)
            if head.tag == tag:
                return head
            if head.tag >> 16 == 0xFFFE:
                break
            self._pass(head)
        raise BulkDataNotFound

    def _more(self) -> bool:
        """Whether the data set goes on."""
        at = self._next - self._base
        return 0 <= at < len(self._buffer) or bool(self._window(self._next))

    def _pass(self, head: Head) -> None:
        if head.length != UNDEFINED:
            self._note(head)
            self._next = head.value + head.length
            if not self._source.skip_to(self._next):
                raise self._cut_off(head.value, head)
        elif self._is_sequence(head):
            self._next = end_of_sequence(self._source, head.value, self._inner(head), self._clock, self._depth)
        else:
            self._encapsulated(head, self._context)

    def _note(self, head: Head) -> None:
        """Heed what decides how the elements after this one read."""
        creator = head.tag >> 16 & 1 and head.tag & 0xFF00 == 0
        heeded = creator or head.tag in (_SPECIFIC_CHARACTER_SET, _PIXEL_REPRESENTATION)
        if heeded and head.length <= _LONGEST_HEEDED:
            raw = self._source.read(head.value, head.length)
            self._context = self._context.after(head.tag, raw) or self._context

    def _inner(self, head: Head) -> Layout:
        layout = self._context.layout
        return IMPLICIT_LITTLE if head.guessed and layout.explicit else layout

    def _enter(self, head: Head, item: int, limit: int | None) -> int | None:
        """Go into an item of the sequence; gives where it ends, None where a delimiter will tell."""
        if not self._is_sequence(head):
            raise BulkDataNotFound
        self._context = self._context.inside(self._inner(head))
        level = Level(self._next, head, limit, self._context)
        self._levels.append(level)
        self._next = head.value
        while level.end is None or self._next < level.end:
            found = self._head(self._next, self._context)
            if found.tag == SEQUENCE_END:
                break
            if found.tag != ITEM:
                raise HeaderDamaged("something stands between the items of a sequence")
            self._next = found.value
            if item == 0:
                return level.end if found.length == UNDEFINED else found.value + found.length
            item -= 1
            self._pass_item(found)
        raise BulkDataNotFound

    def _pass_item(self, item: Head) -> None:
        if item.length != UNDEFINED:
            self._next = item.value + item.length
            return
        before = self._context
        while (head := self._head(self._next, self._context)).tag != ITEM_END:
            self._pass(head)
        self._next, self._context = head.value, before

    def _value_of(self, head: Head, whole: SegmentSource | None) -> BulkData:
        if head.length == UNDEFINED:
            return self._fragments(head, whole)
        if not head.length or (head.vr == "SQ" and not head.guessed):
            raise BulkDataNotFound
        if not self._source.reaches(head.value + head.length):
            raise self._cut_off(head.value, head)
        vr = "UN" if head.vr == "SQ" else head.vr  # a sequence only by the dictionary, which did not read as one
        if vr in TEXT_VRS:
            text = self._context.charset.decode(self._in_memory(head).rstrip(b"\0 "))
            return BulkData(vr, [text.encode("utf_8", "replace")])
        if self._context.layout.endian == ">" and not head.guessed:
            return BulkData(vr, [swapped(self._in_memory(head), vr)])
        if whole is None:
            return BulkData(vr, [self._in_memory(head)])
        return BulkData(vr, whole.cut(head.value, head.value + head.length))

    def _fragments(self, head: Head, whole: SegmentSource | None) -> BulkData:
        if self._is_sequence(head):
            raise BulkDataNotFound
        if whole is None:
            raise HeaderDamaged("a deflated data set has encapsulated pixels")
        self._encapsulated(head, self._context)
        return BulkData(head.vr, whole.cut(head.value, self._next - 8), encapsulated=True)

    def _in_memory(self, head: Head) -> bytes:
        if head.length > LONGEST_IN_MEMORY:
            raise DocumentTooLarge("the value is larger than this archive converts; retrieve the object itself")
        raw = self._source.read(head.value, head.length)
        if len(raw) < head.length:
            raise self._cut_off(head.value, head)
        return raw
