"""What `/metrics` and `charrua metrics` answer: what all processes have measured, and what is read at that moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from charrua_core.errors import CharruaError
from charrua_core.implementation import Implementation
from charrua_core.metrics import CONTENT_TYPE, Published, Read, read_families, rendered

if TYPE_CHECKING:
    from charrua_core.app import App

__all__ = ["CONTENT_TYPE", "Metrics"]

READ_EVERY_S = 5.0
"""What plugins read, they read once in so long, however many ask."""

log = logging.getLogger(__name__)


class Metrics:
    """The metrics of the archive as this process sees them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._published = Published(app.data_dir, app.start.process)
        self._read: list[Read] = []
        self._read_at = -READ_EVERY_S
        self._turn = asyncio.Lock()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let the others see what this process measures, as long as the block lasts."""
        with self._published.kept():
            yield

    async def exposition(self) -> bytes:
        """Give all metrics of all processes in Prometheus' text format, to be served as `CONTENT_TYPE`.

        Counts of other processes are those of up to two seconds ago. A plugin that fails, or takes longer than its budget,
        is left out. Blocks for no longer than the reading of a few small files.
        """
        async with self._turn:
            if time.monotonic() - self._read_at >= READ_EVERY_S:
                implementations = self._app.hooks.implementations("metrics")
                found = await asyncio.gather(*(self._ask(one) for one in implementations))
                self._read, self._read_at = [read for reads in found for read in reads], time.monotonic()
        families = await asyncio.to_thread(self._published.all)
        return rendered(families | read_families(self._read))

    async def total(self, sample: str, **labels: str) -> float:
        """Give the sum of a measured value over all processes: its samples of this name that have these labels."""
        families = await asyncio.to_thread(self._published.all)
        return sum(
            value
            for family in families.values()
            for (name, its), value in family.values.items()
            if name == sample and labels.items() <= dict(its).items()
        )

    async def _ask(self, one: Implementation) -> list[Read]:
        try:
            return list(one.listed(await one.call_async({"app": self._app})))
        except CharruaError:
            log.exception("metrics of a plugin cannot be read", extra={"plugin": one.plugin})
            return []
