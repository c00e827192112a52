"""Locks on files that several processes of ours share; the kernel frees them when a process dies, however it dies."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.02

if sys.platform == "win32":
    import msvcrt

    SLOTS = 64

    def _lock(descriptor: int, position: int, length: int) -> bool:
        os.lseek(descriptor, position, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, length)
        except OSError:
            return False
        return True

    def _lock_alone(descriptor: int) -> bool:
        return _lock(descriptor, 0, SLOTS)

    def _lock_shared(descriptor: int) -> bool:
        # Python's library has no shared lock here: each sharer takes a byte of its own.
        return any(_lock(descriptor, slot, 1) for slot in range(SLOTS))

else:
    import fcntl

    def _lock(descriptor: int, how: int) -> bool:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock_alone(descriptor: int) -> bool:
        return _lock(descriptor, fcntl.LOCK_EX)

    def _lock_shared(descriptor: int) -> bool:
        return _lock(descriptor, fcntl.LOCK_SH)


class FileLock:
    """A lock on a file that one holder has alone, or many share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    async def take(self, timeout_s: float) -> None:
        """Take the lock alone; raises TimeoutError when it was not free for so long."""
        await self._wait(_lock_alone, timeout_s)

    async def share(self, timeout_s: float) -> None:
        """Take the lock beside others that share it; raises TimeoutError."""
        await self._wait(_lock_shared, timeout_s)

    def take_at_once(self) -> bool:
        """Whether the lock is now held alone."""
        held = _lock_alone(self._open())
        if not held:
            self.release()
        return held

    def release(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        return self._descriptor

    async def _wait(self, attempt: Callable[[int], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not attempt(self._open()):
            if time.monotonic() > deadline:
                self.release()
                raise TimeoutError(f"{self._path} stayed locked for {timeout_s:g} s")
            await asyncio.sleep(POLL_S)
