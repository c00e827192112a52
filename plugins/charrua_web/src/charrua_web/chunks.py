"""The bytes of an answer in chunks: files are read one chunk ahead of the client, and no further."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import BinaryIO

from charrua_core.errors import StorageFailed
from charrua_core.types import FileRange
from charrua_core.web.response import Piece

CHUNK = 1024 * 1024
"""Bytes of a file that are read at once: what one answer holds in memory, twice."""
_SMALL = 16 * 1024
"""Pieces are joined until they are so long together: each write costs as much as copying some of these."""

Pieces = Sequence[Piece] | AsyncGenerator[Piece, None]
_Read = bytes | asyncio.Future[bytes]


async def chunks_of(pieces: Pieces) -> AsyncGenerator[bytes, None]:
    """Give the bytes of all pieces, small ones joined; while one chunk is sent, the next is read.

    Who makes pieces is asked for the next one when the one before has been read. Raises StorageFailed where a file is gone
    or shorter than it was.
    """
    ahead: _Read = b""
    async with aclosing(_reads(pieces)) as reads:
        async for read in reads:
            if ahead:
                yield ahead if isinstance(ahead, bytes) else await ahead
            ahead = read
        if ahead:
            yield ahead if isinstance(ahead, bytes) else await ahead


async def _reads(pieces: Pieces) -> AsyncGenerator[_Read, None]:
    """Chunks that are there, or on their way."""
    small = b""
    async with aclosing(_each(pieces)) as several:
        async for piece in several:
            if isinstance(piece, bytes) and len(small) + len(piece) < _SMALL:
                small += piece
                continue
            if small:
                yield small
                small = b""
            if isinstance(piece, bytes):
                yield piece
                continue
            async with aclosing(_of_file(piece)) as reads:
                async for read in reads:
                    yield read
    if small:
        yield small


async def _each(pieces: Pieces) -> AsyncGenerator[Piece, None]:
    if isinstance(pieces, AsyncGenerator):
        async with aclosing(pieces) as several:
            async for piece in several:
                yield piece
        return
    for piece in pieces:
        yield piece


async def _of_file(piece: FileRange) -> AsyncGenerator[asyncio.Future[bytes], None]:
    loop, file = asyncio.get_running_loop(), _File(piece)
    reading: list[asyncio.Future[bytes]] = []
    try:
        for at in range(0, piece.length, CHUNK):
            read = loop.run_in_executor(None, file.read, at, min(CHUNK, piece.length - at))
            reading = [*reading[-1:], read]  # those before are done: nobody is more than one chunk ahead
            yield read
    finally:
        if reading:
            await asyncio.wait(reading)
            for one in reading:
                if not one.cancelled():
                    one.exception()  # told to who waits for the chunk, if there is anybody still
        file.close()


class _File:
    """A file that stays open while its range is read: what is removed meanwhile is still sent whole."""

    def __init__(self, piece: FileRange) -> None:
        self._piece = piece
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()  # the next chunk is asked for while this one is read, in another thread

    def read(self, at: int, length: int) -> bytes:
        """Give bytes of the range; blocks."""
        try:
            with self._lock:
                if self._file is None:
                    self._file = open(self._piece.path, "rb", buffering=0)  # noqa: SIM115 -- `close` closes it
                self._file.seek(self._piece.offset + at)
                data = self._file.read(length)
        except OSError as error:
            raise StorageFailed(f"the file of an object cannot be read: {error.strerror}") from error
        if len(data) < length:
            raise StorageFailed("the file of an object is shorter than it was")
        return data

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
