"""Something done with every frame of an object: several on their way at the same time, their results in order."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from charrua_core.imaging.pixels import PixelFormat

MOST_IN_FLIGHT_BYTES = 256 << 20
"""Of decoded frames on their way at the same time."""

T = TypeVar("T")


async def in_order(work: Callable[[int], Awaitable[T]], pixels: PixelFormat) -> AsyncGenerator[T, None]:
    """Give `work(index)` for each frame, counted from 0; what it raises ends the rest."""
    width = max(1, min((os.cpu_count() or 1) + 1, MOST_IN_FLIGHT_BYTES // pixels.decoded_bytes))
    ahead: deque[asyncio.Task[T]] = deque()
    try:
        for index in range(pixels.number_of_frames):
            ahead.append(asyncio.ensure_future(work(index)))
            if len(ahead) == width:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
