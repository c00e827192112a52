"""Where objects are written while they come in: a folder of this process on the volume, emptied when the process is gone."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from charrua_core.postgresql.locks import FileLock

LOCK_TIMEOUT_S = 10.0


class Spool:
    """This process's folder below `<volume>/spool`; a lock beside it tells the others that it is in use."""

    def __init__(self, root: Path) -> None:
        self._root = root / "spool"
        self._turn = FileLock(self._root / "lock")
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = self._root / name
        self._in_use = FileLock(self._root / f"{name}.lock")

    async def open(self) -> None:
        """Make the folder, and remove those of processes that are gone."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._turn.take(LOCK_TIMEOUT_S)
        try:
            for lock in self._locks():
                _remove_if_free(lock)
            self._in_use.take_at_once()
            self._folder.mkdir(mode=0o700)
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Remove the folder with all that is left in it."""
        await self._turn.take(LOCK_TIMEOUT_S)
        try:
            self._in_use.release()
            _remove_if_free(self._folder.with_name(f"{self._folder.name}.lock"))
        finally:
            self._turn.release()

    def path(self) -> str:
        """Give a path for a new file that nobody else has."""
        return f"{self._folder}/{secrets.token_hex(16)}"

    def _locks(self) -> Iterator[Path]:
        return self._root.glob("*.lock")


def _remove_if_free(lock: Path) -> None:
    owner = FileLock(lock)
    if owner.take_at_once():
        shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
        lock.unlink(missing_ok=True)
        owner.release()
