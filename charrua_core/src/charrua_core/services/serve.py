"""`charrua serve`: the archive from its start to SIGTERM, in one process or as the head of several."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from charrua_core.app import App
from charrua_core.archive import journal, regenerate
from charrua_core.audit import Event
from charrua_core.errors import CharruaError, SettingInvalid
from charrua_core.services.listener import bind_dicom
from charrua_core.services.lock import ServerLock
from charrua_core.services.service import ALL_ROLES, Service, run_services
from charrua_core.services.start import Start
from charrua_core.services.workers import Workers
from charrua_core.types import Origin

log = logging.getLogger(__name__)

RESTART = "restart"
SHARES_LISTENERS = os.name == "posix"
"""Whether a process can hand its listening sockets on to others here."""


class IndexIncomplete(CharruaError):
    """The index is being built anew: run `charrua archive regenerate` to its end before serving."""


GARBAGE_AFTER = 20_000
"""Objects made before the youngest are looked through: with Python's 700, a tenth of the receiving time goes there."""


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run on uvloop where it is installed."""
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 20, 50)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    return uvloop.run(main())


class Stop:
    """The wish to stop: SIGTERM and SIGINT stop, SIGHUP restarts."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.reason = ""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if hasattr(signal, name):
                reason = RESTART if name == "SIGHUP" else name
                self._on(loop, getattr(signal, name), reason)

    def _on(self, loop: asyncio.AbstractEventLoop, number: signal.Signals, reason: str) -> None:
        try:
            loop.add_signal_handler(number, self.ask, reason)
        except NotImplementedError:  # the loop of Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.ask, reason))

    def ask(self, reason: str) -> None:
        """Stop, or restart; the first wish counts."""
        self.reason = self.reason or reason
        self._asked.set()

    async def wait(self) -> None:
        """Return when somebody asked."""
        await self._asked.wait()


async def serve(start: Start) -> str:
    """Serve until a signal; give its reason. Prints the line `ready …` once every service listens."""
    stop = Stop()
    async with AsyncExitStack() as parts:
        hooks = start.hooks()
        settings = start.settings(hooks)
        parts.enter_context(ServerLock(start.data_dir(settings)))
        several = _several(settings["workers"])
        roles = ALL_ROLES - {"dicom"} if several else ALL_ROLES
        app = await parts.enter_async_context(App.opened(start, roles=roles))
        await _mend(app)
        services = _with_workers(app) if several else app.services()
        told = await parts.enter_async_context(run_services(services))
        app.audit.later(Event.APPLICATION_ACTIVITY, "E", "charrua", Origin("cli"), type="start")
        print("ready", *told, flush=True)
        await stop.wait()
        log.info("stopping: %s", stop.reason)
        app.audit.later(Event.APPLICATION_ACTIVITY, "E", "charrua", Origin("cli"), type="stop")
    return stop.reason


def _several(workers: int) -> bool:
    """Whether there are worker processes; SettingInvalid where the platform cannot hand sockets on to them."""
    if workers > 1 and not SHARES_LISTENERS:
        raise SettingInvalid("workers: this platform cannot share a listener among processes; leave it at 1")
    return workers > 1


async def _mend(app: App) -> None:
    """Put right what a crash may have left; refuse to serve half an index."""
    if await regenerate.under_way(app.db):
        raise IndexIncomplete
    marked = await journal.reconcile(app.db, app.volumes.all())
    if marked:
        log.warning("edits that a crash cut off were marked as not made", extra={"edits": marked})


def _with_workers(app: App) -> list[Service]:
    return [*app.services(), Workers(app, bind_dicom(app.settings))]


def serve_forever(start: Start) -> None:
    """Serve; after a wish to restart, become the same command anew, under the same process id."""
    if run(lambda: serve(start)) == RESTART:
        os.environ.update(start.environment())
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 -- our own command line
