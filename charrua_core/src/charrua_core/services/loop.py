"""What every process of the archive stands on: its event loop, and the wish to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

RESTART = "restart"


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run on uvloop where it is installed."""
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
