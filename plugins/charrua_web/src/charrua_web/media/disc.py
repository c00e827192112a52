"""The image of a CD or DVD (ISO 9660 level 1 as PS3.12 F wants it, with Joliet): made on the volume, then sent."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from charrua_core.errors import StorageFailed, StorageFull, TooManyResults
from charrua_core.types import FileRange
from charrua_core.web import Entry

if TYPE_CHECKING:
    from pycdlib import PyCdlib

    from charrua_core.app import App
    from charrua_core.web.response import Piece

VOLUME_NAME = "DICOM"
LARGEST_FILE = (1 << 32) - 2048
"""Bytes of a file that ISO 9660 takes in one piece."""
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Filed:
    """A file that is to be on the disc, and where its bytes are kept."""

    name: str
    offset: int
    length: int


async def disc_image(app: App, entries: AsyncGenerator[Entry, None]) -> FileRange:
    """Make the image of a disc with these files, and give the file, which the caller removes.

    Raises TooManyResults where a file is too large for a disc, StorageFull, and what making the entries raises.
    """
    volume = app.volumes.current
    kept, image = volume.spool_path(), volume.spool_path()
    try:
        filed = await _keep(kept, entries, volume.check)
        volume.check()
        return FileRange(image, 0, await asyncio.to_thread(_write, kept, filed, image))
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(image)
        raise
    finally:
        with suppress(FileNotFoundError):
            os.unlink(kept)


async def _keep(path: str, entries: AsyncGenerator[Entry, None], check_room: Callable[[], None]) -> list[Filed]:
    """Copy the pieces of all entries into one file: they do not last."""
    filed: list[Filed] = []
    with await asyncio.to_thread(open, path, "xb") as kept:
        async with aclosing(entries) as several:
            async for entry in several:
                check_room()
                start = kept.tell()
                await asyncio.to_thread(_copy, entry.pieces, kept)
                filed.append(Filed(entry.name, start, kept.tell() - start))
                if filed[-1].length > LARGEST_FILE:
                    raise TooManyResults(
                        "one of the objects is larger than a file on a disc can be: use the ZIP archive"
                    )
    return filed


def _copy(pieces: Sequence[Piece], kept: IO[bytes]) -> None:
    try:
        for piece in pieces:
            if isinstance(piece, bytes):
                kept.write(piece)
            else:
                _copy_range(piece, kept)
    except OSError as error:
        raise StorageFull(f"the disc image cannot be written: {error.strerror}") from error


def _copy_range(piece: FileRange, kept: IO[bytes]) -> None:
    with open(piece.path, "rb", buffering=0) as file:
        file.seek(piece.offset)
        left = piece.length
        while left and (data := file.read(min(left, _READ_AT_ONCE))):
            kept.write(data)
            left -= len(data)
    if left:
        raise StorageFailed("the file of an object is shorter than it was")


def _write(kept: str, filed: Sequence[Filed], image: str) -> int:
    """Write the image, and give its bytes."""
    from pycdlib import PyCdlib

    disc = PyCdlib()
    disc.new(interchange_level=1, joliet=3, vol_ident=VOLUME_NAME, app_ident_str="CHARRUA")
    try:
        with open(kept, "rb", buffering=0) as file:
            folders: set[str] = set()
            for one in filed:
                _add_folders(disc, one.name, folders)
                name = one.name if "." in one.name else f"{one.name}."
                disc.add_fp(cast(BinaryIO, _Part(file, one)), one.length, f"/{name};1", joliet_path=f"/{one.name}")
            with open(image, "xb") as made:
                disc.write_fp(made, blocksize=_READ_AT_ONCE)
                return made.seek(0, os.SEEK_END)
    except OSError as error:
        raise StorageFull(f"the disc image cannot be written: {error.strerror}") from error
    finally:
        disc.close()


def _add_folders(disc: PyCdlib, name: str, known: set[str]) -> None:
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        folder = "/" + "/".join(parts[:depth])
        if folder not in known:
            known.add(folder)
            disc.add_directory(folder, joliet_path=folder)


class _Part(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: IO[bytes], filed: Filed) -> None:
        super().__init__()
        self._file = file
        self._start, self._length, self._at = filed.offset, filed.length, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._length)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._length - self._at)
        self._file.seek(self._start + self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data
