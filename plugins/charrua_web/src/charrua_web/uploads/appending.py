"""The next bytes of a large file: on disk first, acknowledged then."""

from __future__ import annotations

import asyncio
import os
from typing import IO, TYPE_CHECKING

from sqlalchemy import func, update

from charrua_core.errors import StorageFull
from charrua_core.tables import upload as table
from charrua_core.web import HttpError, Request
from charrua_web.uploads.rows import Upload
from charrua_web.uploads.storing import KIND

if TYPE_CHECKING:
    from charrua_core.storage import Volume

FLUSHED_AFTER = 64 << 20
"""Bytes after which the browser waits until they are on disk, and are acknowledged wherever its connection ends."""


class Appending:
    """Bytes of one request. Two of them at the same place are no harm: they are the same bytes."""

    def __init__(self, request: Request, upload: Upload, volume: Volume, file: IO[bytes], offset: int) -> None:
        self._request, self._upload, self._volume, self._file = request, upload, volume, file
        self._at = offset
        self._flushed = offset

    async def run(self) -> None:
        """Write them; what came counts also where the connection ends too soon."""
        self._file.seek(self._at)
        try:
            async for piece in self._request.stream():
                if self._at + len(piece) > self._upload.size_bytes:
                    raise HttpError(413, "there are more bytes than the file was said to have")
                _write(self._file, piece)
                self._at += len(piece)
                if self._at - self._flushed >= FLUSHED_AFTER:
                    await self._flush()
                    self._volume.check()
        except OSError as error:
            raise StorageFull(f"the volume does not take the bytes: {error.strerror}") from error
        finally:
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        if self._at > self._flushed:
            await asyncio.to_thread(_synced, self._file)
            self._flushed = self._at
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        app, upload = self._request.app, self._upload
        values = {"received_bytes": func.greatest(table.c.received_bytes, self._at), "changed_at": func.now()}
        receiving = table.c.id == upload.id, table.c.state == "receiving"
        async with app.db.transaction() as tx:
            noted = await tx.execute(update(table).where(*receiving).values(**values))
            if noted.rowcount and self._at == upload.size_bytes:
                await tx.execute(update(table).where(*receiving).values(state="storing"))
                payload = {"upload": str(upload.id)}
                await app.jobs.enqueue(KIND, payload, lane=f"upload {upload.who}", dedup_key=str(upload.id), tx=tx)


def opened(path: str) -> IO[bytes]:
    """Open the file of an upload, made where it is not there; blocks."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    return open(descriptor, "r+b", buffering=0)


def _synced(file: IO[bytes]) -> None:
    os.fsync(file.fileno())


def _write(file: IO[bytes], piece: bytes) -> None:
    """Write all of it: a full disk takes a part, and says so at the next."""
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]
