"""A service: started in the processes of its role, named in the `ready` line, stopped in reverse order."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Literal

from charrua_core.services.sockets import Sockets

log = logging.getLogger(__name__)

Role = Literal["dicom", "web", "jobs", "followers"]
ALL_ROLES: frozenset[Role] = frozenset({"dicom", "web", "jobs", "followers"})
STOP_WITHIN = 20.0  # seconds that one service has to end what it is doing
CANCEL_AGAIN_S = 2.0
BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a failed background service starts again


class Service(ABC):
    """Something that runs in the processes of `role` from start to stop."""

    name: str
    role: Role

    def bind(self) -> Sockets:
        """Give the sockets that it listens at, each by a name of its own; AddressTaken where one cannot be had.

        Called once in the whole archive, before any service starts. Its process, or every worker process that runs it,
        finds the same ones in `app.sockets`.
        """
        return {}

    @abstractmethod
    async def start(self) -> str:
        """Begin; once this returns the service works. Give what `ready` says of it ("web http://127.0.0.1:8080"), or ""."""

    @abstractmethod
    async def stop(self) -> None:
        """End: take nothing new, finish what is begun, let go of everything."""


class Background(Service):
    """A service that is one coroutine without end; if it fails it is logged and started again after a while."""

    def __init__(self, name: str, role: Role, run: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.role = role
        self._run = run
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Begin to run it."""
        self._task = asyncio.create_task(self._keep_running(), name=self.name)
        return ""

    async def stop(self) -> None:
        """Cancel it, again and again: libraries exist in which one cancellation gets lost."""
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_AGAIN_S)

    async def _keep_running(self) -> None:
        failures = 0
        while True:
            try:
                return await self._run()
            except Exception:
                wait = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
                failures += 1
                log.exception("%s failed and starts again in %.1f s", self.name, wait, extra={"service": self.name})
                await asyncio.sleep(wait)


@asynccontextmanager
async def run_services(services: Iterable[Service]) -> AsyncIterator[list[str]]:
    """Start the services in order; give what they say of themselves; stop them in reverse order at the end.

    Background services that follow one another are stopped together: a database that hangs makes each of them wait.
    """
    started: list[Service] = []
    told = []
    try:
        for service in services:
            started.append(service)
            told.append(await service.start())
        yield [line for line in told if line]
    finally:
        for is_background, several in groupby(reversed(started), key=lambda one: isinstance(one, Background)):
            if is_background:
                await asyncio.gather(*map(_stop, several))
            else:
                for service in several:
                    await _stop(service)


async def _stop(service: Service) -> None:
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await service.stop()
    except Exception:
        # The others must be stopped as well.
        log.exception("%s did not stop as it should", service.name, extra={"service": service.name})
