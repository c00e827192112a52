"""The folders that objects are put into, each held open: a name goes into the very folder that is flushed after it.

All methods block; `Volume` calls them in its threads, one at a time.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from charrua_core.storage import placing

TRIES = 50  # to name a file while others remove its folder, each time just then
HELD_OPEN = 64


class Folders:
    """The folders of one volume, by their paths below its root."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._held: OrderedDict[str, int] = OrderedDict()
        # Folders whose own names this process has flushed in the folders above them.
        self._flushed = {""}
        self.turn = threading.Lock()
        """To be held around `put` and `flush`."""

    def put(self, spool: str, relative: str) -> str:
        """Give the file its name, or `<name>-2.dcm`, `-3` … where that is taken; gives the relative path that it got."""
        folder, _, wanted = relative.rpartition("/")
        for name in _names(wanted):
            with suppress(FileExistsError):
                self._put(spool, folder, name)
                return f"{folder}/{name}"
        raise AssertionError("names do not end")

    def flush(self, folder: str) -> None:
        """Flush the names in the folder, and the names of those above it that this process has not flushed yet."""
        placing.sync_folder(self._path(folder), self._held.get(folder))
        while folder not in self._flushed:
            above = folder.rpartition("/")[0]
            placing.sync_folder(self._path(above))
            self._flushed.add(folder)
            folder = above

    def forget(self, folder: str) -> None:
        """It was removed, and those above it may have been: what is made anew must be flushed anew."""
        descriptor = self._held.pop(folder, None)
        if descriptor is not None:
            placing.close_folder(descriptor)
        while folder:
            self._flushed.discard(folder)
            folder = folder.rpartition("/")[0]

    def close(self) -> None:
        """Hold no folder open any more."""
        while self._held:
            placing.close_folder(self._held.popitem()[1])

    def _put(self, spool: str, folder: str, name: str) -> None:
        for _ in range(TRIES):
            with suppress(FileNotFoundError):
                placing.rename_new(spool, self._hold(folder), f"{self._path(folder)}/{name}")
                return
            if not os.path.exists(spool):
                raise FileNotFoundError(errno.ENOENT, "the spooled file is gone", spool)
            self.forget(folder)
        raise OSError(errno.EBUSY, "its folder vanishes again and again", folder)

    def _hold(self, folder: str) -> int:
        """Give the descriptor of the folder, which is made where it is not there."""
        held = self._held.get(folder)
        if held is None:
            held = self._held[folder] = self._opened(folder)
            while len(self._held) > HELD_OPEN:
                placing.close_folder(self._held.popitem(last=False)[1])
        else:
            self._held.move_to_end(folder)
        return held

    def _opened(self, folder: str) -> int:
        path = self._path(folder)
        for _ in range(TRIES):
            with suppress(FileNotFoundError):
                return placing.open_folder(path)
            with suppress(FileNotFoundError):
                for made in placing.make_folder(path):
                    self._flushed.discard(os.path.relpath(made, self._root).replace(os.sep, "/"))
        raise OSError(errno.EBUSY, "it vanishes again and again", path)

    def _path(self, folder: str) -> str:
        return f"{self._root}/{folder}" if folder else self._root


def _names(wanted: str) -> Iterator[str]:
    yield wanted
    stem, dot, suffix = wanted.rpartition(".")
    for number in count(2):
        yield f"{stem}-{number}{dot}{suffix}" if dot else f"{wanted}-{number}"
