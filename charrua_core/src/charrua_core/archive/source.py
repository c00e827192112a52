"""Windows onto a data set that is never read whole: a file, a buffer, or a deflated stream with its budget."""

from __future__ import annotations

import os
import zlib
from time import perf_counter, thread_time
from typing import Protocol

from charrua_core.errors import HeaderDamaged

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
