"""How a received file gets its place for good: flushed, renamed without ever overwriting, its folders flushed.

The order of the steps is the promise (DESIGN §4): bytes, name, names of the folders; only then may a row be committed that
speaks of the file. All functions block; `Volume` runs them in its threads.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from charrua_core import faults
from charrua_core.errors import CharruaError, DatasetMismatch, StorageFailed, StorageFull
from charrua_core.types import is_valid_uid

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Placing:
    """A spooled file and the place that it shall have on its volume, a relative path with slashes.

    `descriptor` is the one that it was written through, which sees every error of writing back; the caller closes it.
    """

    spool: str
    relative: str
    descriptor: int | None = None


def object_path(received_at: datetime, study_uid: str, series_uid: str, sop_instance_uid: str) -> str:
    """Give the place of an object on its volume: `YYYY/MM/DD/<study>/<series>/<sop instance>.dcm`.

    Raises DatasetMismatch for what is no UID: nothing else ever becomes part of a path.
    """
    if not (is_valid_uid(study_uid) and is_valid_uid(series_uid) and is_valid_uid(sop_instance_uid)):
        raise DatasetMismatch("a UID of the object is not valid (PS3.5 9.1)")
    day = f"{received_at.year:04d}/{received_at.month:02d}/{received_at.day:02d}"
    return f"{day}/{study_uid}/{series_uid}/{sop_instance_uid}.dcm"


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


def open_folder(path: str) -> int:
    """Give a descriptor of a folder, for `rename_new` and `sync_folder`; FileNotFoundError where there is none."""
    if sys.platform == "win32":  # a folder cannot be held open there
        if not os.path.isdir(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return -1
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def close_folder(descriptor: int) -> None:
    """End `open_folder`."""
    if descriptor >= 0:
        os.close(descriptor)


def sync_folder(path: str, held: int | None = None) -> None:
    """Flush the names in a folder, through its descriptor where it is held open."""
    if sys.platform == "win32":
        return  # NTFS keeps its names in a journal, and a folder cannot be flushed
    if held is not None:
        os.fsync(held)
        return
    descriptor = open_folder(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: str) -> list[str]:
    """Make a folder and those above it, all for us alone; gives those that were not there.

    FileNotFoundError where another process removes one meanwhile.
    """
    made: list[str] = []
    with suppress(FileExistsError):
        try:
            os.mkdir(path, mode=0o700)
        except FileNotFoundError:
            made = make_folder(os.path.dirname(path))
            os.mkdir(path, mode=0o700)
        made.append(path)
    return made


def rename_new(source: str, folder: int, target: str) -> None:
    """Rename a file into the folder that is held open; `target` is the path of the new name in it.

    FileExistsError where that name is taken, by whomever and however late; FileNotFoundError where the folder was removed.
    """
    if sys.platform == "win32":
        os.rename(source, target)
        return
    name = os.path.basename(target)
    if _renameat2 is not None:
        if _renameat2(_AT_FDCWD, os.fsencode(source), folder, os.fsencode(name), _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NOT_SUPPORTED:
            raise OSError(code, os.strerror(code), source, None, target)
    os.link(source, name, dst_dir_fd=folder)
    os.unlink(source)


def failure(error: OSError) -> CharruaError:
    """Give the error in the archive's words."""
    kind = StorageFull if error.errno in _NO_ROOM else StorageFailed
    named = kind(f"the volume does not take the object: {error.strerror or error}")
    named.__cause__ = error
    return named


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
