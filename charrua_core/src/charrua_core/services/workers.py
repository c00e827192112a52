"""Worker processes: each takes associations from the listening sockets that the head of all has bound.

A worker's standard input is a pipe from the head: it ends when that closes, so that no worker outlives a killed head. On
its standard output it says `ready`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from charrua_core import metrics
from charrua_core.dicom.certificates import tls_context
from charrua_core.services import sockets as socket_variable
from charrua_core.services.service import BACK_OFF, STOP_WITHIN, Service
from charrua_core.services.sockets import Sockets
from charrua_core.services.start import PROCESS

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

SOCKETS = "CHARRUA_WORKER_SOCKETS"
_ENDED = metrics.counter("charrua_worker_deaths_total", "Worker processes that have ended without being asked to.")
_RUNNING = metrics.gauge("charrua_workers_running", "Worker processes that run.")
_STEADY = 60.0  # seconds that a worker must have lived for its death to count as the first
_READY_WITHIN = 60.0


class Workers(Service):
    """The worker processes of role `dicom`: `workers` of them, each started again when it dies."""

    name = "workers"
    role = "dicom"

    def __init__(self, app: App, sockets: Sockets) -> None:
        self._app = app
        self._sockets = sockets
        self._keepers: list[asyncio.Task[None]] = []
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = False

    async def start(self) -> str:
        """Start them; give what the first says of its listener."""
        number = self._app.settings["workers"]
        await tls_context(self._app.settings)  # makes a missing certificate once, before each worker makes its own
        first = await asyncio.gather(*(self._spawn(n) for n in range(number)))
        self._keepers = [asyncio.create_task(self._keep(n, process)) for n, (process, _) in enumerate(first)]
        return f"{first[0][1]}, workers {number}"

    async def stop(self) -> None:
        """Let every worker finish what it is at, and end."""
        self._stopping = True
        for process in self._running:
            with suppress(ProcessLookupError):
                process.terminate()
        _, late = await asyncio.wait(self._keepers, timeout=STOP_WITHIN - 2) if self._keepers else (set(), set())
        for process in self._running:
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*late, return_exceptions=True)
        for listening in self._sockets.values():
            listening.close()

    async def _spawn(self, number: int) -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "charrua_core.services.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                **self._app.start.environment(),
                SOCKETS: socket_variable.to_variable(self._sockets),
                PROCESS: f"worker-{number + 1}",
            },
            pass_fds=[listening.fileno() for listening in self._sockets.values()],
        )
        self._running.add(process)
        _RUNNING.set(len(self._running))
        assert process.stdout is not None  # noqa: S101 -- as asked for above
        async with asyncio.timeout(_READY_WITHIN):
            line = (await process.stdout.readline()).decode().strip()
        if not line.startswith("ready"):
            raise ChildProcessError(f"worker {process.pid} ended before it was ready; the log says why")
        return process, line.removeprefix("ready").strip()

    async def _keep(self, number: int, process: asyncio.subprocess.Process) -> None:
        deaths = 0
        while True:
            born = time.monotonic()
            status = await process.wait()
            self._running.discard(process)
            _RUNNING.set(len(self._running))
            if self._stopping:
                return
            _ENDED.inc()
            deaths = 0 if time.monotonic() - born > _STEADY else deaths + 1
            log.error("worker ended and is started again", extra={"pid": process.pid, "status": status})
            process = await self._again(number, deaths)

    async def _again(self, number: int, deaths: int) -> asyncio.subprocess.Process:
        while True:
            await asyncio.sleep(BACK_OFF[min(deaths, len(BACK_OFF)) - 1] if deaths else 0)
            try:
                return (await self._spawn(number))[0]
            except Exception:
                log.exception("a worker could not be started")
                deaths += 1
