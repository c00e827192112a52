"""Which frames have ended worker processes: after two, a frame is not tried again for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from blake3 import blake3

from charrua_core.imaging.pixels import PixelFormat
from charrua_core.types import FileRange

MOST_DEATHS = 2
REMEMBERED_S = 3600.0
"""A frame that was only unlucky, on a machine that had no time, gets another chance then."""
_MOST_REMEMBERED = 10_000


def frame_key(function: str, arguments: tuple[Any, ...]) -> bytes:
    """Give by what a call is known again: the function, its frames' bytes or file ranges, and their transfer syntax.

    A call without any of these is known by all of its arguments.
    """
    parts = list(_bulk(arguments)) or [repr(arguments).encode()]
    digest = blake3(function.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _bulk(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif isinstance(value, FileRange):
        yield f"{value.path}\0{value.offset}\0{value.length}".encode()
    elif isinstance(value, PixelFormat):
        yield value.transfer_syntax_uid.encode()
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _bulk(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _bulk(getattr(value, field.name))


class Poison:
    """The frames that ended worker processes, by `frame_key`; the oldest are forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deaths: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether any is known."""
        return bool(self._deaths)

    def note(self, key: bytes) -> int:
        """Count a process that this frame ended; gives how many there were."""
        deaths = self._known(key) + 1
        self._deaths[key] = (deaths, self._clock())
        self._deaths.move_to_end(key)
        while len(self._deaths) > _MOST_REMEMBERED:
            self._deaths.popitem(last=False)
        return deaths

    def holds(self, key: bytes) -> bool:
        """Whether the frame is not to be tried."""
        return self._known(key) >= MOST_DEATHS

    def _known(self, key: bytes) -> int:
        deaths, at = self._deaths.get(key, (0, 0.0))
        if deaths and self._clock() - at > REMEMBERED_S:
            del self._deaths[key]
            return 0
        return deaths
