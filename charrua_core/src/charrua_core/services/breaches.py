"""Which plugins took too long, kept where the commands beside the server can read it: one small file for each process."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrua_core.budgets import Watch

FOLDER = "breaches"
WRITE_EVERY_S = 1.0

_Row = tuple[int, int, float, float]


@dataclass(frozen=True, slots=True)
class Breach:
    """Calls of one plugin's hook that took longer than they should, in all processes since each has started."""

    plugin: str
    hook: str
    slow: int
    late: int
    """Those beyond the hard limit."""
    late_at: float
    """When the last of those was, in seconds since 1970."""
    longest_s: float


@contextmanager
def kept(data_dir: Path, watches: Sequence[Watch]) -> Iterator[None]:
    """Keep what the watches see, as long as the block lasts."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    mine = folder / f"{os.getpid()}.json"
    written_at = -WRITE_EVERY_S

    def write(watch: Watch) -> None:
        nonlocal written_at
        if time.monotonic() - written_at < WRITE_EVERY_S and not watch.late:
            return
        written_at = time.monotonic()
        unfinished = mine.with_suffix(".new")
        unfinished.write_text(json.dumps([_row(one) for one in watches if one.slow]))
        unfinished.replace(mine)

    for watch in watches:
        watch.on_breach = write
    try:
        yield
    finally:
        mine.unlink(missing_ok=True)


def tidy(data_dir: Path) -> None:
    """Remove what processes have left that were killed, before the first one of this start begins."""
    for file in (data_dir / FOLDER).glob("*"):
        file.unlink(missing_ok=True)


def _row(watch: Watch) -> list[Any]:
    return [watch.plugin, watch.hook, watch.slow, watch.late, round(watch.late_at), round(watch.longest_s, 3)]


def breaches(data_dir: Path) -> list[Breach]:
    """Give what the running processes of this data folder have seen."""
    found: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for file in sorted((data_dir / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError):  # its process may end at this moment
            for plugin, hook, *row in json.loads(file.read_text()):
                found[plugin, hook].append(tuple(row))
    return [_sum(plugin, hook, rows) for (plugin, hook), rows in sorted(found.items())]


def _sum(plugin: str, hook: str, rows: Sequence[_Row]) -> Breach:
    slow, late, late_at, longest = zip(*rows, strict=True)
    return Breach(plugin, hook, sum(slow), sum(late), max(late_at), max(longest))
