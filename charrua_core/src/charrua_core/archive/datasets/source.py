"""Windows onto a data set that is never read whole: a file, a buffer, or a deflated stream with its budget."""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from time import perf_counter, thread_time
from types import TracebackType
from typing import Protocol, Self

from charrua_core.errors import HeaderDamaged, StorageFailed
from charrua_core.types import FileRange

_CHUNK = 1 << 18


class BudgetSpent(Exception):
    """The data set asks for more than its header is worth."""


class Clock:
    """The processor time that a walk may take; waiting for the disk or for other threads does not count."""

    __slots__ = ("_began", "_seconds", "_stop")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = thread_time()
        self._stop = perf_counter() + seconds

    def check(self) -> None:
        """Raise BudgetSpent when the time is over."""
        if perf_counter() > self._stop:
            left = self._seconds - (thread_time() - self._began)
            if left <= 0:
                raise BudgetSpent
            self._stop = perf_counter() + left

    def allow_more(self) -> None:
        """Give a tenth of the time again, for what follows a sequence that took too long."""
        self._seconds += self._seconds / 10
        self._stop = 0.0


class Source(Protocol):
    """A data set's bytes, read forward."""

    inflated: bool

    def read(self, position: int, length: int) -> bytes:
        """Give the bytes from the position; fewer only where the data set ends."""

    def reaches(self, position: int) -> bool:
        """Whether the data set has so many bytes, as far as it is known."""

    def skip_to(self, position: int) -> bool:
        """Whether the data set has so many bytes; what lies before them need not be readable any more."""


class FileSource:
    """A data set that lies in a file as it is."""

    inflated = False

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._size = size

    def read(self, position: int, length: int) -> bytes:
        """Give the bytes from the position; fewer only where the data set ends."""
        return os.pread(self._descriptor, max(0, min(length, self._size - position)), self._offset + position)

    def reaches(self, position: int) -> bool:
        """Whether the data set has so many bytes."""
        return position <= self._size

    skip_to = reaches


class BufferSource:
    """A data set in memory, or mapped."""

    inflated = False

    def __init__(self, buffer: bytes | memoryview) -> None:
        self._view = memoryview(buffer)

    def read(self, position: int, length: int) -> bytes:
        """Give the bytes from the position; fewer only where the data set ends."""
        return bytes(self._view[position : position + length])

    def reaches(self, position: int) -> bool:
        """Whether the data set has so many bytes."""
        return position <= len(self._view)

    skip_to = reaches


class SegmentSource:
    """A data set of pieces, some in memory and some in files, as an edited object is. `close` it, or use it in a block."""

    inflated = False

    def __init__(self, segments: Sequence[bytes | FileRange]) -> None:
        self._segments = list(segments)
        lengths = [len(one) if isinstance(one, bytes) else one.length for one in segments]
        self._starts = [0, *accumulate(lengths)]
        self._open: dict[str | os.PathLike[str], int] = {}

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the files."""
        self.close()

    @property
    def size(self) -> int:
        """Bytes of the data set."""
        return self._starts[-1]

    def read(self, position: int, length: int) -> bytes:
        """Give the bytes from the position; fewer only where the data set ends. Raises StorageFailed."""
        return b"".join([self._bytes(piece) for piece in self.cut(position, position + length)])

    def cut(self, start: int, end: int) -> list[bytes | FileRange]:
        """Give what lies from `start` to `end` as segments, reading nothing."""
        pieces: list[bytes | FileRange] = []
        for number in range(max(0, bisect_right(self._starts, start) - 1), len(self._segments)):
            begin = self._starts[number]
            if begin >= end:
                break
            first, last = max(start, begin) - begin, min(end, self._starts[number + 1]) - begin
            if last > first:
                segment = self._segments[number]
                piece = segment[first:last] if isinstance(segment, bytes) else _part(segment, first, last)
                pieces.append(piece)
        return pieces

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """Give all bytes in pieces of at most this size. Blocking. Raises StorageFailed."""
        for position in range(0, self.size, size):
            yield self.read(position, size)

    def reaches(self, position: int) -> bool:
        """Whether the data set has so many bytes."""
        return position <= self.size

    skip_to = reaches

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _bytes(self, piece: bytes | FileRange) -> bytes:
        if isinstance(piece, bytes):
            return piece
        try:
            if piece.path not in self._open:
                self._open[piece.path] = os.open(piece.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            data = os.pread(self._open[piece.path], piece.length, piece.offset)
        except OSError as error:
            raise StorageFailed("a file cannot be read") from error
        if len(data) < piece.length:
            raise StorageFailed("a file is shorter than it was")
        return data


def _part(whole: FileRange, start: int, end: int) -> FileRange:
    return FileRange(whole.path, whole.offset + start, end - start)


class InflatedSource:
    """A deflated data set (PS3.5 A.5), inflated only as far as it is read; what lies before the position is forgotten.

    At most `budget` bytes are kept at a time, and nothing is inflated when the clock has run out.
    """

    inflated = True

    def __init__(self, packed: Source, budget: int, clock: Clock) -> None:
        self._packed = packed
        self._packed_position = 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._budget = budget
        self._clock = clock
        self._kept = bytearray()
        self._base = 0

    def read(self, position: int, length: int) -> bytes:
        """Give the bytes from the position; fewer only where the data set ends."""
        if length > self._budget:
            raise BudgetSpent
        self._forget(position)
        while self._base + len(self._kept) < position + length and self._more():
            self._forget(position)
        start = position - self._base
        return bytes(self._kept[start : start + length])

    def reaches(self, position: int) -> bool:
        """Whether the data set has so many bytes; True as long as its end was not seen."""
        return not self._inflater.eof or position <= self._base + len(self._kept)

    def skip_to(self, position: int) -> bool:
        """Whether the data set has so many bytes; those before are inflated and forgotten."""
        while self._base + len(self._kept) < position and self._more():
            self._forget(position)
        return self._base + len(self._kept) >= position

    def _forget(self, position: int) -> None:
        surplus = min(position - self._base, len(self._kept))
        if surplus > 0:
            del self._kept[:surplus]
            self._base += surplus

    def _more(self) -> bool:
        """Inflate one more piece; False at the end of the stream."""
        if self._inflater.eof:
            return False
        self._clock.check()
        packed = self._inflater.unconsumed_tail or self._next_packed()
        try:
            piece = self._inflater.decompress(packed, _CHUNK)
        except zlib.error as error:
            raise HeaderDamaged(f"the deflated data set is damaged at byte {self._packed_position}") from error
        if not (piece or packed or self._inflater.eof):
            raise HeaderDamaged(f"the deflated data set is cut off at byte {self._packed_position}")
        self._kept += piece
        return True

    def _next_packed(self) -> bytes:
        """The next piece, empty behind the last one: the inflater may still hold something back then."""
        packed = self._packed.read(self._packed_position, _CHUNK)
        self._packed_position += len(packed)
        return packed
