"""Pixel data on their way out: fragments with their offset table (PS3.5 A.4), and a place for what is too large for memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import accumulate
from struct import pack
from types import TracebackType
from typing import Self

from charrua_core.archive.datasets.elements import EXPLICIT_LITTLE, UNDEFINED
from charrua_core.archive.datasets.encoder import encode_head
from charrua_core.errors import FrameTooLarge
from charrua_core.storage.placing import failure
from charrua_core.types import FileRange

IN_MEMORY_BYTES = 4 << 20
"""Larger bodies go to a file."""
_LARGEST_OFFSET = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = 0xE000, 0xE0DD


class Body:
    """Bytes that grow: in memory while they are few, then in a file that is removed in the end.

    `spill` gives the file's path. Adding raises StorageFull or StorageFailed.
    """

    def __init__(self, spill: Callable[[], str]) -> None:
        self._spill = spill
        self._pieces: list[bytes] = []
        self._path: str | None = None
        self._descriptor = -1
        self.size = 0

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove the file."""
        self._pieces.clear()
        if self._path is not None:
            with suppress(OSError):  # the spool is emptied when this process has ended
                os.close(self._descriptor)
                os.unlink(self._path)

    def add(self, *pieces: bytes) -> None:
        """Add bytes; blocks while it writes them."""
        self._pieces += pieces
        self.size += sum(map(len, pieces))
        if self._path is not None or self.size > IN_MEMORY_BYTES:
            try:
                self._write()
            except OSError as error:
                raise failure(error) from error

    def segments(self) -> list[bytes | FileRange]:
        """Give what was added; it is there until the body's end."""
        return [b"".join(self._pieces)] if self._path is None else [FileRange(self._path, 0, self.size)]

    def _write(self) -> None:
        if self._path is None:
            path = self._spill()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(path, flags, 0o600)
            self._path = path
        for piece in self._pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(self._descriptor, view) :]
        self._pieces.clear()


class JoinedBits:
    """Native frames one after another, which of single-bit images need not begin with a byte (PS3.5 8.1.1)."""

    def __init__(self, bits: int) -> None:
        """Join frames of so many bits."""
        self._bits = bits
        self._kept, self._number = 0, 0

    def whole_bytes(self, frame: bytes) -> bytes:
        """Give the bytes that are complete with this frame."""
        if not self._number and not self._bits % 8:
            return frame
        self._kept |= (int.from_bytes(frame, "little") & ((1 << self._bits) - 1)) << self._number
        self._number += self._bits
        whole = self._number // 8
        done = (self._kept & ((1 << 8 * whole) - 1)).to_bytes(whole, "little")
        self._kept, self._number = self._kept >> 8 * whole, self._number % 8
        return done

    def rest(self) -> bytes:
        """Give the last byte, where it is not full."""
        return self._kept.to_bytes(1, "little") if self._number else b""


def fragment(frame: bytes) -> list[bytes]:
    """Give a frame as one item, padded to even length; FrameTooLarge where an item has no room for it."""
    if len(frame) > _LARGEST_OFFSET - 1:
        raise FrameTooLarge("an encoded frame is longer than 4 GiB")
    padding = b"\0" * (len(frame) & 1)
    return [_item(_ITEM, len(frame) + len(padding)), frame, padding]


def encapsulated(lengths: Sequence[int], fragments: Iterable[bytes | FileRange]) -> list[bytes | FileRange]:
    """Give the elements of encapsulated pixel data, from the lengths of the frames and the items that hold them.

    The Basic Offset Table is filled; where an offset does not fit into its 32 bits it is empty, and the Extended Offset
    Table stands before the pixels instead (PS3.3 C.7.6.3.1.8).
    """
    padded = [length + (length & 1) for length in lengths]
    offsets = list(accumulate((length + 8 for length in padded), initial=0))[:-1]
    extended = table = b""
    if offsets[-1] > _LARGEST_OFFSET:
        extended = _long_table("7FE00001", offsets) + _long_table("7FE00002", padded)
    else:
        table = pack(f"<{len(offsets)}L", *offsets)
    head = encode_head("7FE00010", "OB", UNDEFINED, EXPLICIT_LITTLE)
    return [extended + head + _item(_ITEM, len(table)) + table, *fragments, _item(_SEQUENCE_END, 0)]


def _item(element: int, length: int) -> bytes:
    return pack("<HHL", 0xFFFE, element, length)


def _long_table(tag: str, numbers: Sequence[int]) -> bytes:
    return encode_head(tag, "OV", 8 * len(numbers), EXPLICIT_LITTLE) + pack(f"<{len(numbers)}Q", *numbers)
