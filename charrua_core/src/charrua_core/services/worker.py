"""A worker process: the DICOM listener alone, at sockets that it has inherited (`charrua_core.services.workers`)."""

from __future__ import annotations

import asyncio
import os
import sys

from charrua_core.app import App
from charrua_core.errors import CharruaError
from charrua_core.services.loop import Stop, leave, nothing_left, run
from charrua_core.services.service import run_services
from charrua_core.services.sockets import from_variable
from charrua_core.services.start import Start
from charrua_core.services.workers import SOCKETS


async def work() -> None:
    """Serve until a signal, or until the head of all is gone."""
    stop = Stop()
    watching = asyncio.create_task(_watch(stop))
    sockets = from_variable(os.environ[SOCKETS])
    async with (
        App.opened(Start.from_env(), roles={"dicom"}, sockets=sockets) as app,
        run_services(app.services()) as told,
    ):
        print("ready", *told, flush=True)
        await stop.wait()
    watching.cancel()
    if not await nothing_left():
        leave(0)


async def _watch(stop: Stop) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.ask("the head of the workers is gone")


def main() -> None:
    """Run the worker; what stops it from starting is one line on standard error."""
    try:
        run(work)
    except CharruaError as error:
        sys.exit(f"charrua worker: {error}")


if __name__ == "__main__":
    main()
