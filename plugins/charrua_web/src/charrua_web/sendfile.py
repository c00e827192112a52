"""Ranges of files from the page cache straight to a plain socket (sendfile(2)), on systems that can."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hypercorn.events import Event

from charrua_core.errors import StorageFailed
from charrua_core.types import FileRange

AVAILABLE = hasattr(os, "sendfile")
AT_LEAST = 64 * 1024
"""Bytes of a range below which reading it costs no more."""
_AT_ONCE, _CALLS = 1 << 20, 4
"""Bytes of one call, and calls in a row: the threads are there for others too."""


SendFile = Callable[[FileRange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FileData(Event):
    """Bytes of an answer that lie in a file."""

    piece: FileRange


class Stalled(OSError):
    """The client takes nothing any more."""


class Length:
    """What stands for the bytes of a file where only their number counts."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


async def send_file(transport: asyncio.BaseTransport, piece: FileRange, stall_s: float) -> None:
    """Send a range over a transport that has nothing left to send itself.

    Raises StorageFailed where the file is gone or shorter than it was, Stalled, and OSError where the connection is gone.
    """
    loop, sending = asyncio.get_running_loop(), _Sending(transport.get_extra_info("socket").fileno(), piece)
    running: asyncio.Future[bool] | None = None
    try:
        while sending.left:
            running = loop.run_in_executor(None, sending.some)
            if not await asyncio.shield(running):
                async with asyncio.timeout(stall_s):
                    await _writable(sending.out)
    except TimeoutError as error:
        raise Stalled from error
    finally:
        # A thread may still be at it when this is broken off: its descriptors are not closed under it.
        if running is None or running.done():
            sending.close()
        else:
            running.add_done_callback(lambda _: sending.close())


class _Sending:
    """A range on its way, `left` bytes of it still to go."""

    def __init__(self, descriptor: int, piece: FileRange) -> None:
        # The transport watches its own descriptor; a second one for the same socket is ours to watch.
        self.out = os.dup(descriptor)
        self.left = piece.length
        self._piece = piece
        self._file = -1

    def some(self) -> bool:
        """Send as much as the socket takes; False where it is full. Blocks for the disk alone."""
        if self._file < 0:
            self._file = self._opened()
        for _ in range(_CALLS):
            at = self._piece.offset + self._piece.length - self.left
            try:
                sent = os.sendfile(self.out, self._file, at, min(_AT_ONCE, self.left))
            except BlockingIOError:
                return False
            if not sent:
                raise StorageFailed("the file of an object is shorter than it was")
            self.left -= sent
            if not self.left:
                break
        return True

    def _opened(self) -> int:
        try:
            return os.open(self._piece.path, os.O_RDONLY)
        except OSError as error:
            raise StorageFailed(f"the file of an object cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Close the file, and the second descriptor of the socket."""
        os.close(self.out)
        if self._file >= 0:
            os.close(self._file)


async def _writable(descriptor: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)
