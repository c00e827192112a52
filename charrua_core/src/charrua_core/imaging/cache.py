"""What imaging made, kept for the next who asks: so many bytes, the least recently used given up first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from charrua_core import metrics
from charrua_core.db import Values
from charrua_core.settings import Setting

SETTINGS = (
    Setting(
        "image_cache_bytes",
        int,
        128 << 20,
        minimum=0,
        unit="bytes",
        help="Memory, in each process of the archive, for rendered and transcoded images that may be asked for again.",
        since="0.1",
        effect="now",
    ),
)
_ASKED = metrics.counter(
    "charrua_image_cache_requests_total",
    "Rendered and transcoded images that were asked for, by whether they were kept, being made, or had to be made.",
    found=("kept", "being made", "made"),
)
_BYTES = metrics.gauge("charrua_image_cache_bytes", "Memory that these images take.")
_ENTRY_BYTES = 500
"""What an entry takes beside its value."""


class ImageCache:
    """Made once for all who ask at the same time. A key says all that decides what comes of `make`."""

    def __init__(self, settings: Values) -> None:
        self._settings = settings
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[bytes]] = {}
        self.size_bytes = 0

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give what is kept under the key, else what `make` gives, to all who wait for it.

        A failure goes to all who wait and is not kept. Who is cancelled leaves the others waiting, and what is made goes on.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            _ASKED.labels("kept").inc()
            return kept
        task = self._making.get(key)
        _ASKED.labels("made" if task is None else "being made").inc()
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make), name="make image")
            task.add_done_callback(_noticed)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is being made, and forget the rest."""
        making = list(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)
        self._kept.clear()
        self.size_bytes = 0
        _BYTES.set(0)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        try:
            made = await make()
            self._keep(key, made)
            return made
        finally:
            del self._making[key]

    def _keep(self, key: Hashable, made: bytes) -> None:
        budget: int = self._settings["image_cache_bytes"]
        if len(made) + _ENTRY_BYTES > budget:
            return
        self._kept[key] = made
        self.size_bytes += len(made) + _ENTRY_BYTES
        while self.size_bytes > budget:
            _, given_up = self._kept.popitem(last=False)
            self.size_bytes -= len(given_up) + _ENTRY_BYTES
        _BYTES.set(self.size_bytes)


def _noticed(task: asyncio.Task[bytes]) -> None:
    """All who waited may be gone: then nobody else would look at a failure."""
    if not task.cancelled():
        task.exception()
