"""How a received file gets its place for good: flushed, renamed without ever overwriting, its folders flushed.

The order of the steps is the promise (DESIGN §4): bytes, name, names of the folders; only then may a row speak of the file.
All functions block; `Volume` runs them in its threads.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from charrua_core import faults
from charrua_core.errors import CharruaError, DatasetMismatch, StorageFailed, StorageFull
from charrua_core.types import is_valid_uid

TRIES = 50  # to name a file while others remove its folder, each time just then
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Placing:
    """A spooled file and the place that it shall have on its volume.

    `descriptor` is the one that it was written through, which sees every error of writing back; the caller closes it.
    """

    spool: Path
    relative: PurePath
    descriptor: int | None = None


def object_path(received_at: datetime, study_uid: str, series_uid: str, sop_instance_uid: str) -> PurePosixPath:
    """Give the place of an object on its volume: `YYYY/MM/DD/<study>/<series>/<sop instance>.dcm`.

    Raises DatasetMismatch for what is no UID: nothing else ever becomes part of a path.
    """
    for uid in (study_uid, series_uid, sop_instance_uid):
        if not is_valid_uid(uid):
            raise DatasetMismatch("a UID of the object is not valid (PS3.5 9.1)")
    return PurePosixPath(received_at.strftime("%Y/%m/%d"), study_uid, series_uid, f"{sop_instance_uid}.dcm")


def sync_file(placing: Placing) -> None:
    """Flush the file's bytes. After an error the bytes may be gone from memory and disk: never try again."""
    if placing.descriptor is not None:
        _fdatasync(placing.descriptor)
    else:
        descriptor = os.open(placing.spool, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            _fdatasync(descriptor)
        finally:
            os.close(descriptor)
    faults.passing("after_fsync")


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder."""
    if sys.platform == "win32":
        return  # NTFS keeps its names in a journal, and a folder cannot be flushed
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(placing: Placing, root: Path) -> tuple[Path, list[Path]]:
    """Give the file its name, or `<name>-2.dcm`, `-3` … where that is taken.

    Gives the relative path that it got, and the folders that were made for it.
    """
    for relative in _names(placing.relative):
        with suppress(FileExistsError):
            return relative, _rename_into_folder(placing.spool, root / relative)
    raise AssertionError("names do not end")


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it, all for us alone; gives those that were not there.

    FileNotFoundError where another process removes one meanwhile.
    """
    made: list[Path] = []
    with suppress(FileExistsError):
        try:
            folder.mkdir(mode=0o700)
        except FileNotFoundError:
            made = make_folder(folder.parent)
            folder.mkdir(mode=0o700)
        made.append(folder)
    return made


def failure(error: OSError) -> CharruaError:
    """Give the error in the archive's words."""
    kind = StorageFull if error.errno in _NO_ROOM else StorageFailed
    named = kind(f"the volume does not take the object: {error.strerror or error}")
    named.__cause__ = error
    return named


def _names(wanted: PurePath) -> Iterator[Path]:
    yield Path(wanted)
    for number in count(2):
        yield Path(wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}"))


def _rename_into_folder(spool: Path, target: Path) -> list[Path]:
    made: list[Path] = []
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            rename_new(spool, target)
            return made
        if not spool.exists():
            raise FileNotFoundError(errno.ENOENT, "the spooled file is gone", str(spool))
        with suppress(FileNotFoundError):
            made += make_folder(target.parent)
    raise OSError(errno.EBUSY, "its folder vanishes again and again", str(target))


def rename_new(source: Path, target: Path) -> None:
    """Rename a file; FileExistsError where the new name is taken, by whomever and however late."""
    if sys.platform == "win32":
        source.rename(target)
        return
    if _renameat2 is not None:
        if _renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NOT_SUPPORTED:
            raise OSError(code, os.strerror(code), str(source), None, str(target))
    os.link(source, target)
    source.unlink()


def _load_renameat2() -> Any:
    with suppress(OSError, AttributeError):
        function = ctypes.CDLL(None, use_errno=True).renameat2
        function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
        return function
    return None


_renameat2 = _load_renameat2() if sys.platform == "linux" else None

if sys.platform == "darwin":
    import fcntl

    def _fdatasync(descriptor: int) -> None:
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync leaves the bytes in the disk's cache there

elif sys.platform == "win32":
    _fdatasync = os.fsync
else:
    _fdatasync = os.fdatasync
