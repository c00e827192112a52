"""What every process of the archive stands on: its event loop, and the wish to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

RESTART = "restart"
END_WITHIN_S = 3.0
GARBAGE_AFTER = 20_000
"""Objects made before the youngest are looked through: with Python's 700, a tenth of the receiving time goes there."""

log = logging.getLogger(__name__)


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run on uvloop where it is installed."""
    gc.set_threshold(GARBAGE_AFTER, 20, 50)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    return uvloop.run(main())


async def nothing_left() -> bool:
    """End what still runs on the loop and in its threads; false, with their names in the log, where something does not.

    The loop would wait for it for ever when it is closed: whoever gets false has to leave the process as it is.
    """
    loop = asyncio.get_running_loop()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    left |= {asyncio.create_task(loop.shutdown_default_executor(), name="work in a thread")}
    _, stuck = await asyncio.wait(left, timeout=END_WITHIN_S)
    for task in stuck:
        log.error("not ended: %s", task.get_name(), extra={"coroutine": getattr(task.get_coro(), "__qualname__", "")})
    return not stuck


def leave(status: int) -> NoReturn:
    """End the process without waiting for anything that still runs in it: all that matters is closed."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


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
