"""Answers that are a ZIP archive, made while it is sent: entries stored as they are, of any size and number (ZIP64).

An entry is read once for its checksum before it is sent: so it says its length and checksum where it begins, which all
programs understand, and needs neither memory nor a file of its own.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from struct import pack

from charrua_core.errors import StorageFailed
from charrua_core.web.response import Piece, Response

ZIP = "application/zip"
LARGE, MANY = 0xFFFFFFFF, 0xFFFF
"""Bytes and entries from which on numbers need ZIP64."""
_READ_AT_ONCE = 1 << 20
_MOST_32, _MOST_16 = 0xFFFFFFFF, 0xFFFF
_PLAIN, _ZIP64 = 20, 45
"""Version of the format that reading an entry takes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its name, in ASCII with slashes between folders, and its bytes in pieces."""

    name: str
    pieces: Sequence[Piece]


def zip_response(entries: AsyncGenerator[Entry, None], file_name: str) -> Response:
    """Give entries, each made when the client has taken those before it, as a download of this name (ASCII)."""
    headers = [("Content-Disposition", f'attachment; filename="{file_name}"')]
    return Response(200, _zipped(entries), ZIP, headers)


async def _zipped(entries: AsyncGenerator[Entry, None]) -> AsyncGenerator[Piece, None]:
    directory: list[bytes] = []
    at = 0
    moment = _dos_moment(datetime.now())
    async with aclosing(entries) as several:
        async for entry in several:
            size = sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in entry.pieces)
            checksum = await asyncio.to_thread(_checksum, entry.pieces)
            head = _local(entry.name.encode("ascii"), moment, checksum, size)
            directory.append(_central(entry.name.encode("ascii"), moment, checksum, size, at))
            yield head
            for piece in entry.pieces:
                yield piece
            at += len(head) + size
    yield b"".join([*directory, _end(len(directory), sum(map(len, directory)), at)])


def _checksum(pieces: Sequence[Piece]) -> int:
    checksum = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            checksum = zlib.crc32(piece, checksum)
            continue
        try:
            with open(piece.path, "rb", buffering=0) as file:
                file.seek(piece.offset)
                left = piece.length
                while left and (data := file.read(min(left, _READ_AT_ONCE))):
                    checksum, left = zlib.crc32(data, checksum), left - len(data)
        except OSError as error:
            raise StorageFailed("the file of an object cannot be read") from error
        if left:
            raise StorageFailed("the file of an object is shorter than it was")
    return checksum


def _dos_moment(now: datetime) -> bytes:
    time = now.hour << 11 | now.minute << 5 | now.second // 2
    return pack("<HH", time, (now.year - 1980) << 9 | now.month << 5 | now.day)


def _local(name: bytes, moment: bytes, checksum: int, size: int) -> bytes:
    large = size >= LARGE
    extra = pack("<HHQQ", 1, 16, size, size) if large else b""
    told = _MOST_32 if large else size
    lengths = pack("<LLLHH", checksum, told, told, len(name), len(extra))
    return b"PK\3\4" + pack("<HHH", _ZIP64 if large else _PLAIN, 0, 0) + moment + lengths + name + extra


def _central(name: bytes, moment: bytes, checksum: int, size: int, at: int) -> bytes:
    large, far = size >= LARGE, at >= LARGE
    wide = [size, size] * large + [at] * far
    extra = pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version, told = _ZIP64 if wide else _PLAIN, _MOST_32 if large else size
    lengths = pack("<LLLHH", checksum, told, told, len(name), len(extra))
    place = pack("<HHHLL", 0, 0, 0, 0, _MOST_32 if far else at)
    return b"PK\1\2" + pack("<HHHH", version, version, 0, 0) + moment + lengths + place + name + extra


def _end(number: int, size: int, at: int) -> bytes:
    wide = b""
    if number >= MANY or size >= LARGE or at >= LARGE:
        wide = b"PK\6\6" + pack("<QHHLLQQQQ", 44, _ZIP64, _ZIP64, 0, 0, number, number, size, at)
        wide += b"PK\6\7" + pack("<LQL", 0, at + size, 1)
        number, size, at = _MOST_16, _MOST_32, _MOST_32
    return wide + b"PK\5\6" + pack("<HHHHLLH", 0, 0, number, number, size, at, 0)
