"""What each process has measured, where one scrape finds all of it: a small file for each process in the data folder.

Feeding a metric touches nothing but memory. A thread writes the file every two seconds, so a process that is killed takes
at most so much of its counts with it. Who comes in the place of a dead process goes on from its file: what only grows must
not shrink when a worker dies, or Prometheus would take the sum of all for begun anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from charrua_core.metrics.families import Families, add, as_json, counted, from_json, measured

FOLDER = "metrics"
PUBLISH_EVERY_S = 2.0
STALE_S = 15.0  # a file that was not written for so long is of a process that has ended, or hangs

log = logging.getLogger(__name__)


class Published:
    """The measured values of all processes of a data folder, this one's written by `kept`.

    `process` is its name: the same for who comes in its place when it has died.
    """

    def __init__(self, data_dir: Path, process: str) -> None:
        self._folder = data_dir / FOLDER
        self._process = process
        self._mine = self._folder / f"{process}.json"
        self._before: Families = {}
        self._is_kept = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write what this process measures, as long as the block lasts."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._before = counted(_read(self._mine))
        self._is_kept = True
        done = threading.Event()
        thread = threading.Thread(target=self._write_until, args=[done], name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(PUBLISH_EVERY_S)  # a disk that hangs keeps no process from ending

    def all(self) -> Families:
        """Give the sum over all processes: this one's as it is now, the others' as they wrote it last."""
        families = self._own() if self._is_kept else {}
        for file in sorted(self._folder.glob("*.json")):
            if not (self._is_kept and file == self._mine):
                add(families, _read(file) if _is_fresh(file) else counted(_read(file)))
        return families

    def _own(self) -> Families:
        families = measured(self._process)
        add(families, self._before)
        return families

    def _write_until(self, done: threading.Event) -> None:
        ended = False
        while not ended:
            ended = done.wait(PUBLISH_EVERY_S)
            try:
                self._write()
            except OSError as error:
                log.warning("what is measured cannot be written: %s", error.strerror, extra={"path": self._mine})

    def _write(self) -> None:
        unfinished = self._mine.with_suffix(".new")
        unfinished.write_bytes(orjson.dumps(as_json(self._own())))
        unfinished.replace(self._mine)


def tidy(data_dir: Path) -> None:
    """Remove what an earlier start has measured."""
    for file in (data_dir / FOLDER).glob("*"):
        file.unlink(missing_ok=True)


def _read(file: Path) -> Families:
    with suppress(FileNotFoundError):  # its process has not written yet
        return from_json(orjson.loads(file.read_bytes()))
    return {}


def _is_fresh(file: Path) -> bool:
    return time.time() - file.stat().st_mtime < STALE_S
