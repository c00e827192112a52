"""Messages cut into P-DATA-TF PDUs (PS3.8 9.3.5): stored bytes go out as they are, read straight between the PDU headers."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack

from charrua_core.errors import StorageFailed
from charrua_core.types import FileRange

Segment = bytes | FileRange

COMMAND, LAST = 1, 2
_HEADER = struct.Struct(">BxIIBB")
_OVERHEAD = 6
"""Bytes of a PDU's variable field that are not the fragment: PDV length, context, control (PS3.8 D.1)."""
BLOCK = 1 << 20
"""Payload that is read and written at once."""
_IOV_MAX = 1024
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


def framed(context_id: int, control: int, data: bytes, max_pdu: int) -> bytes:
    """A whole command set (control COMMAND) or data set (0) as PDUs of at most `max_pdu` bytes after their length."""
    step = max_pdu - _OVERHEAD
    parts = []
    for start in range(0, len(data) or 1, step):
        piece = data[start : start + step]
        last = LAST if start + step >= len(data) else 0
        parts += [_HEADER.pack(4, len(piece) + _OVERHEAD, len(piece) + 2, context_id, control | last), piece]
    return b"".join(parts)


def segments_size(segments: Sequence[Segment]) -> int:
    """Bytes in all segments."""
    return sum(segment.length if isinstance(segment, FileRange) else len(segment) for segment in segments)


async def send_segments(
    prefix: bytes,
    context_id: int,
    segments: Sequence[Segment],
    max_pdu: int,
    write: Callable[[memoryview], Awaitable[None]],
) -> None:
    """Write `prefix` (the command's PDUs) and the data set of the segments, in blocks of about a megabyte.

    Raises StorageFailed if a file cannot be opened or is shorter than its range says: before anything is written, or
    between two blocks, when only an abort can follow.
    """
    left = segments_size(segments)
    step = max_pdu - _OVERHEAD
    block_size = max(step, BLOCK // step * step)
    with ExitStack() as files:
        source = _Source(segments, files)
        while True:
            payload = min(left, block_size)
            left -= payload
            block, slots = _block(prefix, context_id, payload, step, is_last=left == 0)
            await source.fill(slots)
            await write(block)
            prefix = b""
            if not left:
                return


def _block(
    prefix: bytes, context_id: int, payload: int, step: int, *, is_last: bool
) -> tuple[memoryview, list[memoryview]]:
    """A block with all PDU headers in place, and the slots between them that the payload goes to."""
    count = max(1, -(-payload // step))
    block = memoryview(bytearray(len(prefix) + payload + count * _HEADER.size))
    block[: len(prefix)] = prefix
    offset, slots = len(prefix), []
    for index in range(count):
        size = min(step, payload - index * step)
        control = LAST if is_last and index == count - 1 else 0
        _HEADER.pack_into(block, offset, 4, size + _OVERHEAD, size + 2, context_id, control)
        offset += _HEADER.size
        slots.append(block[offset : offset + size])
        offset += size
    return block, slots


class _Source:
    """The segments' bytes, one after the other."""

    def __init__(self, segments: Sequence[Segment], files: ExitStack) -> None:
        self._segments = [(_opened(segment, files), segment) for segment in segments]
        self._index = 0
        self._done = 0

    async def fill(self, slots: list[memoryview]) -> None:
        """Fill the slots in order."""
        slots = [slot for slot in slots if len(slot)]
        while slots:
            descriptor, segment = self._segments[self._index]
            size = segment.length if isinstance(segment, FileRange) else len(segment)
            if self._done == size:
                self._index, self._done = self._index + 1, 0
                continue
            views = _prefix(slots, size - self._done)
            if isinstance(segment, FileRange):
                count = await _read(descriptor, views, segment.offset + self._done)
                if count == 0:
                    raise StorageFailed("a file is shorter than the index says")
            else:
                count = _copy(segment, self._done, views)
            self._done += count
            slots = _after(slots, count)


def _opened(segment: Segment, files: ExitStack) -> int:
    if not isinstance(segment, FileRange):
        return -1
    try:
        descriptor = os.open(segment.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise StorageFailed("a file cannot be opened") from error
    files.callback(os.close, descriptor)
    return descriptor


def _prefix(slots: list[memoryview], size: int) -> list[memoryview]:
    """The first slots, cut to `size` bytes in all."""
    views = []
    for slot in slots[:_IOV_MAX]:
        views.append(slot[:size])
        size -= len(slot)
        if size <= 0:
            break
    return views


def _after(slots: list[memoryview], count: int) -> list[memoryview]:
    """What is left of the slots after `count` bytes."""
    for index, slot in enumerate(slots):
        if count < len(slot):
            return [slot[count:], *slots[index + 1 :]]
        count -= len(slot)
    return []


def _copy(data: bytes, start: int, views: list[memoryview]) -> int:
    first = views[0]
    first[:] = data[start : start + len(first)]
    return len(first)


async def _read(descriptor: int, views: list[memoryview], offset: int) -> int:
    """Read into the views: at once what the page cache has, in a thread what the disk must give."""
    if _NOWAIT is not None:
        try:
            if count := os.preadv(descriptor, views, offset, _NOWAIT):
                return count
        except OSError:  # not in the cache, or a file system that cannot tell: the thread finds out
            pass
    try:
        return await asyncio.to_thread(_read_blocking, descriptor, views, offset)
    except OSError as error:
        raise StorageFailed("a file cannot be read") from error


def _read_blocking(descriptor: int, views: list[memoryview], offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, views, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    data = os.read(descriptor, len(views[0]))
    views[0][: len(data)] = data
    return len(data)
