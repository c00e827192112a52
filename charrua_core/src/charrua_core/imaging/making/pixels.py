"""A decoded picture on its way out of a worker process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Picture:
    """Upright pixels, row by row; 16-bit ones little endian."""

    rows: int
    columns: int
    samples: int
    """1 grey, 3 red, green and blue."""
    bits: int
    """8 or 16."""
    data: bytes = field(repr=False)
    was_lossy: bool = False
