"""Samples: of what a long test could look at a part, each day another one, or all with CHARRUA_TEST_ALL in the environment."""

from __future__ import annotations

import os
import zlib
from datetime import date


def is_todays(*of: str, parts: int) -> bool:
    """Whether what these words name is in today's of so many parts."""
    number = zlib.crc32(" ".join(of).encode()) + date.today().toordinal()
    return "CHARRUA_TEST_ALL" in os.environ or number % parts == 0
