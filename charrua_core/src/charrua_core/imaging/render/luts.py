"""Look-up tables of all kinds: Modality, VOI, Presentation and palette (PS3.3 C.11.1, C.11.2, C.11.6, C.7.9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrua_core.imaging.attributes import Attributes

Values = NDArray[np.float32] | NDArray[np.float64]
Mapping = Callable[[Values], Values]


@dataclass(frozen=True, eq=False, slots=True)
class Lut:
    """A table whose first entry is for input `first`; inputs beyond its ends take the value at the end."""

    first: int
    bits: int
    entries: NDArray[np.uint16]

    def __call__(self, values: Values) -> Values:
        """Give the entries for the inputs."""
        return self.entries[self.indices(values)].astype(np.float32)

    def indices(self, values: Values) -> NDArray[np.int64]:
        """Give which entry each input takes."""
        found: NDArray[np.int64] = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.int64)
        return found

    @property
    def maximum(self) -> int:
        """The greatest value that an entry can have."""
        return (1 << self.bits) - 1


def lut_of(item: Attributes | None, signed: bool) -> Lut | None:
    """Give the table of a Modality, VOI or Presentation LUT Sequence's item; None where it has none that holds together.

    `signed`: whether the inputs may be negative, which the first input's VR does not tell in every file.
    """
    if item is None:
        return None
    return table(item.numbers("LUTDescriptor"), item.binary("LUTData"), signed)


def table(descriptor: list[float], data: bytes | None, signed: bool) -> Lut | None:
    """Give the table of a descriptor (entries, first input, bits of an entry) and its data."""
    if len(descriptor) != 3 or not data:
        return None
    count, first, bits = (int(number) for number in descriptor)
    count = count & 0xFFFF or 1 << 16
    if signed and first >= 1 << 15:
        first -= 1 << 16
    entries = _entries(data, count)
    if entries is None:
        return None
    return Lut(first, _bits(bits, entries), entries)


def _entries(data: bytes, count: int) -> NDArray[np.uint16] | None:
    """One byte or one word an entry: the length decides, as the descriptor says 16 for either in some files."""
    if len(data) >= 2 * count:
        return np.frombuffer(data, "<u2", count).astype(np.uint16)
    if len(data) >= count:
        return np.frombuffer(data, np.uint8, count).astype(np.uint16)
    return None


def _bits(told: int, entries: NDArray[np.uint16]) -> int:
    """The bits of an entry; those that the greatest needs where fewer were told, or where that makes no sense."""
    needed = max(1, int(entries.max()).bit_length())
    return max(told, needed) if 1 <= told <= 16 else max(8, needed)
