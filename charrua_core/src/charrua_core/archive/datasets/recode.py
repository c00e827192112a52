"""A data set in another layout: implicit or explicit VR, byte order; nothing but native pixels, which stay what they are.

PS3.5 A.1, A.2, A.3, A.5. Sequences are written with undefined lengths, group lengths are left out. Long values of a file
that need no swapping stay ranges of it, so that memory does not grow with the object.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from charrua_core.archive.check.survey import inflated
from charrua_core.archive.datasets.charsets import DEFAULT
from charrua_core.archive.datasets.elements import (
    DEFLATED,
    IMPLICIT_LITTLE,
    LONG_VRS,
    UNDEFINED,
    Context,
    Layout,
    Memo,
    layout_of,
)
from charrua_core.archive.datasets.encoder import encode_head
from charrua_core.archive.datasets.source import BufferSource
from charrua_core.errors import HeaderDamaged, StorageFailed
from charrua_core.types import FileRange

EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
NATIVE = frozenset({EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"})
"""Transfer syntaxes out of which data sets are recoded."""
TARGETS = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)
"""Those into which they are where a peer takes nothing else."""

_WORDS = {2: "AT OW SS US", 4: "FL OF OL SL UL", 8: "FD OD OV SV UV"}
_WORD_SIZE = {vr: size for size, vrs in _WORDS.items() for vr in vrs.split()}
_CODES = {2: "H", 4: "I", 8: "Q"}
_LONGEST_COPY = 1 << 16
_DEEPEST = 64
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class _Head(NamedTuple):
    tag: int
    vr: str
    length: int
    value: int
    """Where the value begins."""


def recode(segments: Sequence[bytes | FileRange], stored: str, wanted: str) -> list[bytes | FileRange]:
    """Give the data set of the segments in the layout of the transfer syntax that is wanted. Blocking.

    One that is deflated is inflated; none becomes deflated here. Raises HeaderDamaged for a data set that cannot be walked,
    StorageFailed where its file cannot be read.
    """
    if len(segments) == 1 and isinstance(segments[0], FileRange) and stored not in DEFLATED:
        return _of_file(segments[0], stored, wanted)
    whole = b"".join(_bytes(segment) for segment in segments)
    if stored in DEFLATED:
        whole = inflated(BufferSource(whole))
    return _Recoding(whole, layout_of(stored), layout_of(wanted), None).run(0, len(whole))


def _of_file(segment: FileRange, stored: str, wanted: str) -> list[bytes | FileRange]:
    try:
        with (
            open(segment.path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            end = segment.offset + segment.length
            return _Recoding(data, layout_of(stored), layout_of(wanted), segment).run(segment.offset, end)
    except (OSError, ValueError) as error:
        raise StorageFailed("a file cannot be read") from error


def _bytes(segment: bytes | FileRange) -> bytes:
    if isinstance(segment, bytes):
        return segment
    try:
        with open(segment.path, "rb") as file:
            file.seek(segment.offset)
            return file.read(segment.length)
    except OSError as error:
        raise StorageFailed("a file cannot be read") from error


class _Recoding:
    """One data set on its way from one layout to another. `file` is where `data` comes from, for ranges of it."""

    def __init__(self, data: bytes | memoryview, source: Layout, target: Layout, file: FileRange | None) -> None:
        self._data, self._source, self._target, self._file = data, source, target, file
        self._delimiter = partial(struct.pack, target.endian + "HHL", 0xFFFE)
        self._done: list[bytes | FileRange] = []
        self._current = bytearray()

    def run(self, start: int, end: int) -> list[bytes | FileRange]:
        """Recode all."""
        try:
            self._elements(start, end, self._source, Memo().context(self._source, DEFAULT, signed=False), 0)
        except struct.error as error:
            raise HeaderDamaged("the data set ends within an element") from error
        return [*self._done, bytes(self._current)]

    def _elements(self, at: int, end: int, layout: Layout, context: Context, depth: int) -> int:
        """Recode the elements up to `end` or the item's delimiter; gives where that ends."""
        while at < end:
            head = self._head(at, layout, context)
            if head.tag == _ITEM_END:
                return head.value
            if head.vr == "SQ" or head.length == UNDEFINED:
                at = self._sequence(head, end, layout, context, depth)
            else:
                at = head.value + head.length
                if at > end:
                    raise HeaderDamaged("an element is longer than what holds it")
                context = self._element(head, layout, context)
        return at

    def _head(self, at: int, layout: Layout, context: Context) -> _Head:
        if not layout.explicit or self._data[at : at + 2] in (b"\xfe\xff", b"\xff\xfe"):
            group, element, length = layout.implicit_head(self._data, at)
            tag = group << 16 | element
            return _Head(tag, context.vr_of(tag), length, at + 8)
        group, element, code, length = layout.explicit_head(self._data, at)
        tag, vr = group << 16 | element, code.decode("latin_1")
        if code not in LONG_VRS:
            return _Head(tag, vr, length, at + 8)
        return _Head(tag, vr, layout.long_length(self._data, at + 8)[0], at + 12)

    def _element(self, head: _Head, layout: Layout, context: Context) -> Context:
        if head.tag & 0xFFFF == 0:  # a group length, which would be wrong now (PS3.5 7.2)
            return context
        end = head.value + head.length
        self._current += encode_head(f"{head.tag:08X}", head.vr, head.length, self._target)
        if layout.endian != self._target.endian:
            self._current += swapped(self._data[head.value : end], head.vr)
        elif self._file is not None and head.length > _LONGEST_COPY:
            self._done += [bytes(self._current), FileRange(self._file.path, head.value, head.length)]
            self._current = bytearray()
        else:
            self._current += self._data[head.value : end]
        if head.length > 1024:
            return context
        return context.after(head.tag, bytes(self._data[head.value : end])) or context

    def _sequence(self, head: _Head, limit: int, layout: Layout, context: Context, depth: int) -> int:
        """Recode a sequence; what is UN with an undefined length is one in implicit VR (PS3.5 6.2.2)."""
        if depth == _DEEPEST or (head.vr not in ("SQ", "UN")):
            raise HeaderDamaged("sequences are too deep, or the data set is not native")
        inside = IMPLICIT_LITTLE if layout.explicit and head.vr == "UN" else layout
        end = limit if head.length == UNDEFINED else head.value + head.length
        if end > limit:
            raise HeaderDamaged("a sequence is longer than what holds it")
        self._current += encode_head(f"{head.tag:08X}", "SQ", UNDEFINED, self._target)
        at = self._items(head.value, end, inside, context, depth)
        self._current += self._delimiter(0xE0DD, 0)
        return at

    def _items(self, at: int, end: int, layout: Layout, context: Context, depth: int) -> int:
        while at < end:
            group, element, length = layout.implicit_head(self._data, at)
            at += 8
            if (group << 16 | element) == _SEQUENCE_END:
                return at
            if (group << 16 | element) != _ITEM:
                raise HeaderDamaged("something stands between the items of a sequence")
            self._current += self._delimiter(0xE000, UNDEFINED)
            limit = end if length == UNDEFINED else at + length
            if limit > end:
                raise HeaderDamaged("an item is longer than its sequence")
            at = self._elements(at, limit, layout, context.inside(layout), depth + 1)
            self._current += self._delimiter(0xE00D, 0)
        return at


def swapped(value: bytes | memoryview, vr: str) -> bytes:
    """Give the words of a value of this VR in the other byte order."""
    size = _WORD_SIZE.get(vr, 1)
    if size == 1 or len(value) % size:
        return bytes(value)
    words = array(_CODES[size], bytes(value))
    words.byteswap()
    return words.tobytes()
