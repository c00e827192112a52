"""What a machine charges to whoever comes first, paid before anything is measured.

A virtual machine gets its memory when it is first written to, which costs several microseconds a page: the first receiver
would pay for half a megabyte an object, and the others reuse its pages.
"""

from __future__ import annotations

import mmap
from pathlib import Path

_LEFT = 3 << 30  # for everybody else


def touch_memory() -> None:
    """Write once to most of the memory that is free."""
    size = _free_bytes() - _LEFT
    if size <= 0:
        return
    with mmap.mmap(-1, size) as memory:
        for start in range(0, size, mmap.PAGESIZE):
            memory[start] = 1


def _free_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) * 1024
    return 0
