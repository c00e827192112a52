"""An object on its way in: its bytes go to a file on the volume as they come from the socket, digested as they pass.

Memory does not grow with the object. What goes wrong with the disk is kept until the object has ended, so that the peer
gets a status instead of an abort.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from blake3 import blake3

from charrua_core import faults
from charrua_core.archive.ingest import measured
from charrua_core.errors import CharruaError, ObjectRefused, StorageFailed, StorageFull
from charrua_core.types import Arrival

if TYPE_CHECKING:
    from charrua_core.storage import Volume

FLUSH_BYTES = 64 << 20
"""After so many bytes the peer waits until they are on disk: a fast network does not fill the memory of a slow disk."""
log = logging.getLogger(__name__)
_MOST_PIECES = 1000  # IOV_MAX is 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Spool:
    """One object's file before it has its place; `write` and `writev` are the sink of a DICOM message or an upload.

    `Ingest.begin` makes it, `Ingest.store` takes it over; whoever does neither calls `abort`.
    """

    __slots__ = (
        "_dataset",
        "_descriptor",
        "_handed_over",
        "_limit",
        "_unflushed",
        "arrival",
        "began",
        "check_room",
        "dataset_offset",
        "failure",
        "meta_digest",
        "path",
        "size",
        "sop_class_uid",
        "sop_instance_uid",
        "taken",
        "transfer_syntax_uid",
        "volume",
    )

    def __init__(
        self,
        volume: Volume,
        path: str,
        uids: tuple[str, str, str],
        arrival: Arrival,
        meta: bytes,
        *,
        limit: int,
        check_room: Callable[[], None],
    ) -> None:
        self.volume = volume
        self.path = path
        self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid = uids
        self.arrival = arrival
        self.dataset_offset = len(meta)
        self.meta_digest = blake3(meta).digest()
        self.check_room = check_room
        self.began = time.monotonic()
        self.taken = False
        """Whether `Ingest.store` has taken it over."""
        self.failure: CharruaError | None = None
        self.size = 0
        """Bytes of the file so far."""
        self._limit = limit + len(meta)
        self._unflushed = 0
        self._handed_over = False
        self._dataset = blake3()
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise storage_error(error) from error
        self._put([memoryview(meta)], len(meta))

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._descriptor

    @property
    def dataset_digest(self) -> bytes:
        """BLAKE3 of the data set's bytes so far."""
        return self._dataset.digest()

    def write(self, view: memoryview) -> Awaitable[None] | None:
        """Take bytes of the data set, at once and whole; what is given back must be awaited before the next ones."""
        return self.writev((view,))

    def writev(self, views: Sequence[memoryview]) -> Awaitable[None] | None:
        """Take several pieces in one go; see `write`."""
        length = 0
        for view in views:
            self._dataset.update(view)
            length += len(view)
        if self.failure is None:
            self._put(views, length)
        if self._unflushed < FLUSH_BYTES or self.failure is not None:
            return None
        self._unflushed = 0
        return self._flush()

    def _put(self, views: Sequence[memoryview], length: int) -> None:
        if self.size + length > self._limit:
            self._fail(ObjectRefused("the object is larger than this archive takes", 0xA700, 413))
            return
        try:
            written = os.writev(self._descriptor, views[:_MOST_PIECES])
            if written < length:
                self._put_rest(views, written)
            faults.passing("after_write")
        except OSError as error:
            self._fail(storage_error(error))
        self.size += length
        self._unflushed += length

    def _put_rest(self, views: Sequence[memoryview], written: int) -> None:
        """Write what one call did not take: a full disk says so at the second."""
        for view in views:
            part = view[min(written, len(view)) :]
            written -= len(view) - len(part)
            while part:
                part = part[os.write(self._descriptor, part) :]

    def _fail(self, failure: CharruaError) -> None:
        self.failure = failure
        if self._descriptor >= 0:
            with suppress(OSError):  # the disk that failed may fail here, too
                os.ftruncate(self._descriptor, 0)  # room for others while the rest of the object is thrown away

    async def _flush(self) -> None:
        """Have the bytes on disk, and see that there is still room for more."""
        try:
            await asyncio.to_thread(os.fdatasync, self._descriptor)
            self.check_room()
        except OSError as error:
            self._fail(storage_error(error))
        except CharruaError as error:
            self._fail(error)

    def hand_over(self) -> None:
        """Leave the file to who places it: from now on `abort` does nothing, until `placed`."""
        self._handed_over = True

    def placed(self, *, done: bool) -> None:
        """Close the file; it is removed unless it has got its place."""
        self._handed_over = False
        if done:
            self._close()
        else:
            self.abort()

    def abort(self) -> None:
        """Close the file and remove it, wherever the object was broken off; a second time does nothing.

        A file that the volume does not let go stays in the spool, which is emptied when this process has ended.
        """
        if self._descriptor >= 0 and not self._handed_over:
            self._close()
            if not self.taken:
                measured.ended(self, "broken off")
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                return
            except OSError as error:
                log.warning("a spooled file stays: %s", error.strerror, extra={"action": "spool", "path": self.path})

    def _close(self) -> None:
        """Close the file. What mattered of it was flushed: an error here tells nothing more."""
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)


def storage_error(error: OSError) -> CharruaError:
    """What the error of a disk means to a peer: StorageFull or StorageFailed, both 0xA700."""
    if error.errno in _NO_ROOM:
        return StorageFull(f"the volume is full: {error.strerror}")
    return StorageFailed(f"the volume failed: {error.strerror}")
