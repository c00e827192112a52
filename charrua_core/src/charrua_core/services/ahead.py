"""The first moments of `charrua serve`: the archive's own PostgreSQL comes up while Python imports the rest of the archive.

Either takes about a second after a crash. Nothing that is imported here may import the database or what stands on it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from charrua_core.postgresql import EmbeddedServer
from charrua_core.services.loop import RESTART, leave, nothing_left, run
from charrua_core.services.start import Start
from charrua_core.settings import Settings
from charrua_core.settings.core import PLACES

_SERVE = "charrua_core.services.serve"


def serve_forever(start: Start) -> None:
    """Serve; after a wish to restart, become the same command anew, under the same process id."""
    if run(lambda: _serve(start)) == RESTART:
        _become_anew(start)


async def _serve(start: Start) -> str:
    async with _own_database(start) as starting:
        module, _ = await asyncio.gather(asyncio.to_thread(importlib.import_module, _SERVE), starting)
        reason: str = await module.serve(start)
    if not await nothing_left():
        if reason == RESTART:
            _become_anew(start)
        leave(0)
    return reason


def _become_anew(start: Start) -> None:
    os.environ.update(start.environment())
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 -- our own command line


@asynccontextmanager
async def _own_database(start: Start) -> AsyncIterator[asyncio.Task[None]]:
    """Be a user of the archive's own PostgreSQL, if it is to have one: give the task that starts it."""
    places = Settings.load(PLACES, start.env, allow_unknown=True)
    server = None if places["database_url"] else EmbeddedServer.of(start.data_dir(places))
    starting = asyncio.create_task(server.join() if server else asyncio.sleep(0))
    try:
        yield starting
    finally:
        await asyncio.gather(starting, return_exceptions=True)
        if server and not starting.exception():
            await server.leave()
