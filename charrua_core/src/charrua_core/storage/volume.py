"""One volume: a folder of the local file system that holds objects for good."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import ParamSpec, TypeVar

from charrua_core import faults
from charrua_core.errors import CharruaError, StorageFailed, StorageFull
from charrua_core.storage.area import Health
from charrua_core.storage.folders import Folders
from charrua_core.storage.placing import Placing, failure, sync_file, sync_folder
from charrua_core.storage.spool import Spool
from charrua_core.types import FileRange

PROBE_EVERY_S = 2.0
ROOM_IS_KNOWN_S = 0.1
SLOW_FLUSH_S = 0.003
"""A disk that takes longer to flush a file gets those of a group beside one another, which costs more than it waits."""
MARKER = "charrua-volume.txt"
UPLOADS = "uploads"
OWN_NAMES = ("spool", "journal", UPLOADS)
"""What lies at the top of a volume beside the years."""

logger = logging.getLogger(__name__)
Outcome = str | CharruaError
T = TypeVar("T")
P = ParamSpec("P")


class Volume:
    """A volume of the archive, by its number; `Volumes` opens it."""

    def __init__(self, number: int, root: Path, threads: ThreadPoolExecutor, reserve_bytes: Callable[[], int]) -> None:
        self.id = number
        self.root = root
        self._threads = threads
        self._reserve_bytes = reserve_bytes
        self._spool = Spool(root)
        self._opened = False
        self._trouble: CharruaError | None = None
        self._watch: asyncio.Task[None] | None = None
        self._folders = Folders(str(root))
        self._flush_s = 0.0
        self._enough_until = 0.0

    async def open(self) -> None:
        """Prepare the volume to take objects. Where it does not take any now it is suspect, and can still be read."""
        try:
            await self._prepare()
        except OSError as error:
            self._suspect(failure(error))

    async def _prepare(self) -> None:
        if not self._opened:
            await self._spool.open()
            self._opened = True
        await self._run(self._probe)

    async def close(self) -> None:
        """Remove what is left in this process's spool."""
        if self._watch is not None:
            self._watch.cancel()
        if self._opened:
            self._opened = False
            await self._spool.close()
        self._folders.close()

    # -- taking objects --------------------------------------------------------------------------------------------------
    def check(self) -> None:
        """Raise StorageFull below the reserve, StorageFailed while the volume is suspect. Cheap enough for every object."""
        if self._trouble is not None:
            raise type(self._trouble)(f"volume {self.id} has failed and is being watched: {self._trouble}")
        now = time.monotonic()
        if now > self._enough_until:
            self._check_room()
            self._enough_until = now + ROOM_IS_KNOWN_S

    def _check_room(self) -> None:
        self._enough_until = 0.0
        free, _ = self._room()
        if free < self._reserve_bytes():
            raise StorageFull(f"volume {self.id} is down to its reserve: {free >> 20} MiB are free")

    def spool_path(self) -> str:
        """Give a path on this volume for a file to come, in a folder that is emptied when this process is gone."""
        return self._spool.path()

    def upload_path(self, name: str) -> Path:
        """Give the path of a file that browsers send in pieces: it outlasts this process. `name` is one component."""
        return self.path(PurePath(UPLOADS, PurePath(name).name))

    async def place(self, spool: str, relative: str) -> str:
        """Put one file in place for good and give the relative path that it got; see `place_many`."""
        [outcome] = await self.place_many([Placing(spool, relative)])
        if isinstance(outcome, CharruaError):
            raise outcome
        return outcome

    async def place_many(self, placings: Sequence[Placing]) -> list[Outcome]:
        """Put files in place for good: flush them, rename them, flush each folder once.

        Gives for each the relative path that it got (another one than wanted where that was taken), or why it has none:
        StorageFull or StorageFailed. What got no place is the caller's to remove from the spool.
        """
        if len(placings) == 1 or self._flush_s < SLOW_FLUSH_S:
            outcomes = await self._run(self._place_all, placings)
        else:
            failed = await asyncio.gather(*(self._run(self._flush, one) for one in placings))
            outcomes = await self._run(self._name_all, placings, failed)
        for outcome in outcomes:
            if isinstance(outcome, StorageFailed):
                self._suspect(outcome)
        return outcomes

    def _place_all(self, placings: Sequence[Placing]) -> list[Outcome]:
        """Do all steps in one thread: the way between threads takes longer than most disks."""
        return self._name_all(placings, [self._flush(placing) for placing in placings])

    def _flush(self, placing: Placing) -> CharruaError | None:
        began = time.monotonic()
        try:
            sync_file(placing)
        except OSError as error:
            return failure(error)
        self._flush_s += (time.monotonic() - began - self._flush_s) / 8
        return None

    def _name_all(self, placings: Sequence[Placing], failed: Sequence[CharruaError | None]) -> list[Outcome]:
        with self._folders.turn:
            outcomes = [error or self._name(placing) for placing, error in zip(placings, failed, strict=True)]
            folders = {folder_of(outcome) for outcome in outcomes if isinstance(outcome, str)}
            unflushed = {folder: error for folder in folders if (error := self._flush_names(folder))}
        return [self._settle(outcome, unflushed) for outcome in outcomes]

    def _name(self, placing: Placing) -> Outcome:
        try:
            return self._folders.put(placing.spool, placing.relative)
        except OSError as error:
            return failure(error)

    def _flush_names(self, folder: str) -> CharruaError | None:
        try:
            faults.passing("after_rename")
            self._folders.flush(folder)
            faults.passing("after_dirsync")
        except OSError as error:
            return failure(error)
        return None

    def _settle(self, outcome: Outcome, unflushed: dict[str, CharruaError]) -> Outcome:
        """Take back a file whose name may not survive: nobody was told of it."""
        if isinstance(outcome, CharruaError) or folder_of(outcome) not in unflushed:
            return outcome
        with suppress(OSError):
            self.path(outcome).unlink()
        return unflushed[folder_of(outcome)]

    # -- what lies there -------------------------------------------------------------------------------------------------
    def path(self, relative: PurePath | str) -> Path:
        """Give the path of an object; StorageFailed for one that is not on this volume."""
        inside = PurePath(relative)
        if inside.is_absolute() or ".." in inside.parts:
            raise StorageFailed(f"{relative} is not a path on a volume")
        return self.root / inside

    def range(self, relative: PurePath | str, offset: int = 0, length: int | None = None) -> FileRange:
        """Give a part of an object, to its end without a `length`; StorageFailed where there is no such file."""
        path = self.path(relative)
        try:
            rest = path.stat().st_size - offset
        except OSError as error:
            raise failure(error) from error
        return FileRange(path, offset, rest if length is None else min(length, rest))

    async def size_bytes(self, relative: PurePath | str) -> int | None:
        """Give the size of an object, None where there is no such file."""
        path = self.path(relative)
        with suppress(FileNotFoundError):
            return (await self._run(path.stat)).st_size
        return None

    async def remove(self, relative: PurePath | str) -> None:
        """Remove an object for good, or find it gone, and the folders that are empty then."""
        await self._run(self._remove, self.path(relative))

    async def list(self) -> AsyncIterator[PurePath]:
        """Give the relative paths of all files but the archive's own, in the order of their names."""
        folders, _ = await self._run(_listed, self.root)
        waiting = [folder for folder in reversed(folders) if folder.name not in OWN_NAMES]
        while waiting:
            folders, files = await self._run(_listed, waiting.pop())
            for file in files:
                yield file.relative_to(self.root)
            waiting += reversed(folders)

    def look_for_mark(self) -> None:
        """Raise StorageFailed where the folder is not the one it was: a disk that is not mounted. Blocks."""
        look_for_mark(self.root)

    async def health(self) -> Health:
        """Say whether objects can be written, and how much room there is."""
        try:
            free, total = await self._run(self._room)
        except CharruaError as error:
            return Health(False, 0, 0, str(error))
        return Health(not self._trouble and free >= self._reserve_bytes(), free, total, str(self._trouble or ""))

    def _remove(self, path: Path) -> None:
        try:
            if not path.exists():
                look_for_mark(self.root)
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or not _remove_empty(folder):
                    sync_folder(str(folder))
                    return
                with self._folders.turn:
                    self._folders.forget(folder.relative_to(self.root).as_posix())
        except FileNotFoundError:
            return
        except OSError as error:
            raise failure(error) from error

    # -- trouble ---------------------------------------------------------------------------------------------------------
    def _suspect(self, error: CharruaError) -> None:
        """Take no more objects until a probe has been written: what a failed flush lost, no later one brings back."""
        if isinstance(error.__cause__, FileNotFoundError):
            return
        logger.error("volume %s is suspect: %s", self.id, error, extra={"action": "volume suspect", "volume": self.id})
        self._trouble = error
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_it(), name=f"watch volume {self.id}")

    async def _watch_it(self) -> None:
        while self._trouble is not None:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                await self._prepare()
            except OSError as error:
                self._trouble = failure(error)
            else:
                self._trouble = None
                logger.warning("volume %s takes objects again", self.id)
        self._watch = None

    def _probe(self) -> None:
        path = self._spool.path()
        Path(path).write_bytes(b"probe")
        try:
            sync_file(Placing(path, ""))
        finally:
            os.unlink(path)

    def _room(self) -> tuple[int, int]:
        """Give free and all bytes; no bytes are free where no file can be made."""
        try:
            if hasattr(os, "statvfs"):
                found = os.statvfs(self.root)
                free = 0 if found.f_files and not found.f_favail else found.f_bavail * found.f_frsize
                return free, found.f_blocks * found.f_frsize
            usage = shutil.disk_usage(self.root)
        except OSError as error:
            raise failure(error) from error
        return usage.free, usage.total

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))


def folder_of(relative: str) -> str:
    """Give the folder of a relative path."""
    return relative.rpartition("/")[0]


def look_for_mark(root: Path) -> None:
    """Raise StorageFailed where the folder has no volume's mark; blocks."""
    if not (root / MARKER).exists():
        raise StorageFailed(
            f"{root} lacks {MARKER}: is its disk mounted? Make an empty file of that name if it is right"
        )


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Give the folders and the files in a folder, by name; of one that was just removed, nothing."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return [], []
    folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return folders, [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True
