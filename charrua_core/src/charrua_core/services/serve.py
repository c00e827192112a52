"""`charrua serve`: the archive from its start to SIGTERM, in one process or as the head of several."""

from __future__ import annotations

import logging
import os
from contextlib import AsyncExitStack

from charrua_core import metrics
from charrua_core.app import App
from charrua_core.archive.edit import journal
from charrua_core.archive.regenerate import regenerate
from charrua_core.audit import Event
from charrua_core.errors import CharruaError, SettingInvalid
from charrua_core.services import breaches
from charrua_core.services.lock import ServerLock
from charrua_core.services.loop import Stop
from charrua_core.services.service import ALL_ROLES, Service, run_services
from charrua_core.services.start import Start
from charrua_core.services.workers import Workers
from charrua_core.types import Origin

log = logging.getLogger(__name__)

SHARES_LISTENERS = os.name == "posix"
"""Whether a process can hand its listening sockets on to others here."""


class IndexIncomplete(CharruaError):
    """The index is being built anew: run `charrua archive regenerate` to its end before serving."""


async def serve(start: Start) -> str:
    """Serve until a signal; give its reason. Prints the line `ready …` once every service listens."""
    stop = Stop()
    async with AsyncExitStack() as parts:
        hooks = start.hooks()
        settings = start.settings(hooks)
        parts.enter_context(ServerLock(start.data_dir(settings)))
        breaches.tidy(start.data_dir(settings))
        metrics.tidy(start.data_dir(settings))
        several = _several(settings["workers"])
        roles = ALL_ROLES - {"dicom"} if several else ALL_ROLES
        app = await parts.enter_async_context(App.opened(start, roles=roles))
        await _mend(app)
        services = _bound(app)
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


def _bound(app: App) -> list[Service]:
    """Give the services of this process, and the worker processes if there are any; all that listen are bound."""
    services = app.services(ALL_ROLES)
    for service in services:
        app.sockets.update(service.bind())
    mine = [service for service in services if service.role in app.roles]
    return mine if app.roles == ALL_ROLES else [*mine, Workers(app, app.sockets)]
