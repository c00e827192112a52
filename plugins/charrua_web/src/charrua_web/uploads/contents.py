"""What is in an uploaded file: one DICOM object, or those in a ZIP archive. Blocks; nothing that its headers say is trusted.

Names are shown to people and are never part of a path.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, cast

from charrua_core.errors import CharruaError
from charrua_web.uploads.limits import LARGEST_DIRECTORY, MOST_DEPTH, MOST_RATIO, PIECE, UNPACKED_AT_LEAST
from charrua_web.uploads.taking import NO_DICOM

DAMAGED = "The ZIP archive is damaged at this file: it does not unpack to what it was."
_ZIP = (b"PK\3\4", b"PK\5\6")
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error, NotImplementedError, RuntimeError)
_UNSEEN = ("__MACOSX/",)


class ArchiveRefused(CharruaError):
    """The ZIP archive cannot be unpacked."""

    http_status = 422


class ArchiveDamaged(ArchiveRefused):
    """The ZIP archive is damaged: its directory cannot be read."""


class Budget:
    """Bytes that may still be unpacked: they are counted as they come."""

    def __init__(self, packed_bytes: int, most_files: int) -> None:
        self._left = max(UNPACKED_AT_LEAST, MOST_RATIO * packed_bytes)
        self._files_left = most_files

    def spend(self, size: int) -> None:
        """Count unpacked bytes. ArchiveRefused where they are more than any real archive unpacks to."""
        self._left -= size
        if self._left < 0:
            raise ArchiveRefused("the ZIP archive unpacks to so much that it cannot be one of images")

    def count(self, files: int) -> None:
        """Count the files of an archive."""
        self._files_left -= files
        if self._files_left < 0:
            raise ArchiveRefused("the ZIP archive holds more files than this archive takes at once: send it in parts")


@dataclass(slots=True)
class Item:
    """One file. `reason`: why it is passed over, and then `read` gives nothing."""

    name: str
    read: Callable[[], bytes]
    reason: str = ""


def items(path: str, name: str, most_files: int, spool_path: Callable[[], str]) -> Iterator[Item]:
    """Give the files that an upload consists of, each to be read before the next is asked for; always in the same order.

    Raises ArchiveRefused where it is a ZIP archive that is damaged as a whole or made to do harm.
    """
    with _File(path) as file:
        if not _is_zip(file.peek()):
            yield Item(name, lambda: file.read(PIECE))
            return
        budget = Budget(os.path.getsize(path), most_files)
        yield from _unpacked(file, "", budget, 1, spool_path)


class _File(io.FileIO):
    """A file of which no large part is read at once, whatever a directory at its end claims to be."""

    def peek(self) -> bytes:
        head = self.read(132)
        self.seek(0)
        return head

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = max(0, os.fstat(self.fileno()).st_size - self.tell())
        if size > LARGEST_DIRECTORY:
            raise ArchiveRefused("the directory of the ZIP archive is larger than that of any real one")
        return super().read(size) or b""


def _is_zip(head: bytes) -> bool:
    """A DICOM file may begin with anything, also with what looks like another kind of file (PS3.10 7.1)."""
    return head[:4] in _ZIP and head[128:132] != b"DICM"


def _unpacked(
    file: IO[bytes], within: str, budget: Budget, depth: int, spool_path: Callable[[], str]
) -> Iterator[Item]:
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        raise ArchiveDamaged from error
    with archive:
        budget.count(len(archive.infolist()))
        for info in archive.infolist():
            if not info.is_dir() and not info.filename.startswith(_UNSEEN):
                yield from _entry(archive, info, within, budget, depth, spool_path)


def _entry(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    within: str,
    budget: Budget,
    depth: int,
    spool_path: Callable[[], str],
) -> Iterator[Item]:
    name = f"{within}{info.filename}"[-200:]
    if reason := _why_closed(info):
        yield Item(name, bytes, reason)
        return
    try:
        with archive.open(info) as stream:
            if not _is_zip(cast(zipfile.ZipExtFile, stream).peek(132)):
                yield Item(name, lambda: _read(stream, budget))
                return
            if depth == MOST_DEPTH:
                yield Item(name, bytes, "ZIP archives within ZIP archives are unpacked to a depth of three.")
                return
            path = _copied(stream, budget, spool_path)
    except _BROKEN:
        yield Item(name, bytes, DAMAGED)
        return
    yield from _nested(path, name, budget, depth + 1, spool_path)


def _why_closed(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "It is protected by a password: upload it unpacked."
    if info.compress_type not in _PACKED:
        return "It is packed in a way that is not read here: pack it anew with the usual method (Deflate)."
    return "" if info.file_size else NO_DICOM


def _read(stream: IO[bytes], budget: Budget) -> bytes:
    """Give the next piece, b"" at the end. ArchiveRefused where the budget is spent, ValueError where it is damaged."""
    try:
        piece = stream.read(PIECE)
    except _BROKEN as error:
        raise ValueError(DAMAGED) from error
    budget.spend(len(piece))
    return piece


def _copied(stream: IO[bytes], budget: Budget, spool_path: Callable[[], str]) -> str:
    path = spool_path()
    try:
        with open(path, "xb") as copy:
            while piece := _read(stream, budget):
                copy.write(piece)
    except BaseException:
        os.unlink(path)
        raise
    return path


def _nested(path: str, name: str, budget: Budget, depth: int, spool_path: Callable[[], str]) -> Iterator[Item]:
    try:
        with _File(path) as file:
            yield from _unpacked(file, f"{name}/", budget, depth, spool_path)
    except ArchiveDamaged:
        yield Item(name, bytes, "This ZIP archive within the archive is damaged.")
    finally:
        os.unlink(path)
