"""One server to a data folder: a locked file, and beside it the number of the process that holds it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from charrua_core.errors import CharruaError
from charrua_core.postgresql.locks import FileLock


class ServerRuns(CharruaError):
    """A server runs already in this data folder."""


class ServerLock:
    """Held by `charrua serve` while it runs; the kernel frees it however the process ends."""

    def __init__(self, data_dir: Path) -> None:
        self._lock = FileLock(data_dir / "serve.lock")
        self._number = data_dir / "serve.pid"

    def __enter__(self) -> ServerLock:
        if not self._lock.take_at_once():
            raise ServerRuns(f"a server runs already in {self._number.parent}, as process {self._pid()}")
        self._number.write_text(f"{os.getpid()}\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._number.unlink(missing_ok=True)
        self._lock.release()

    def _pid(self) -> int | None:
        try:
            return int(self._number.read_text())
        except (OSError, ValueError):
            return None

    def since(self) -> datetime:
        """Give when the running server has started."""
        return datetime.fromtimestamp(self._number.stat().st_mtime, UTC)

    def holder(self) -> int | None:
        """Give the process id of the running server, None if none runs."""
        if self._lock.take_at_once():
            self._lock.release()
            return None
        return self._pid()
