"""µ-law and A-law samples as linear ones (ITU-T G.711), which voice recordings have (PS3.3 C.10.9.1.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _mu_law() -> NDArray[np.float64]:
    code = ~np.arange(256, dtype=np.int64) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float64)


def _a_law() -> NDArray[np.float64]:
    code = np.arange(256, dtype=np.int64) ^ 0x55
    segment, step = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, step + 0x108 << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.float64)


MU_LAW = _mu_law()
"""Sample byte → value from -32124 to 32124."""
A_LAW = _a_law()
"""Sample byte → value from -32256 to 32256."""
