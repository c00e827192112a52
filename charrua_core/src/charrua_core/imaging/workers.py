"""The worker processes of imaging: started when first needed, kept warm, killed when they hang, replaced when they die.

Codecs hang, crash and ask for all memory on damaged bytes (several of them by plain truncation), so none runs in the
server. A call waits for a free process, and never longer than it may; the loop is never blocked.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from charrua_core import errors, metrics
from charrua_core.db import Values
from charrua_core.errors import FramePoisoned, ImagingBusy, ImagingCrashed, ImagingFailed, ImagingTimeout
from charrua_core.imaging.codecs import Codecs
from charrua_core.imaging.messages import Failure, Reply, Request, Setup
from charrua_core.imaging.poison import MOST_DEATHS, Poison, frame_key
from charrua_core.imaging.process import WorkerProcess
from charrua_core.settings import Setting

SETTINGS = (
    Setting(
        "imaging_workers",
        int,
        None,
        minimum=1,
        maximum=64,
        unit="processes",
        help="Processes that decode and encode images, for each process of the archive. Empty: one for each processor, "
        "at most 4.",
        since="0.1",
        local=True,
    ),
    Setting(
        "imaging_timeout",
        timedelta,
        timedelta(seconds=10),
        minimum=0.1,
        maximum=3600,
        help="Time that one image may take to be decoded or encoded; then its process is killed.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "imaging_memory_bytes",
        int,
        2 << 30,
        minimum=1 << 30,
        maximum=1 << 40,
        unit="bytes",
        help="Address space that each of these processes may take, where the system can limit it (not on macOS and Windows).",
        since="0.1",
        local=True,
    ),
)
MOST_WAITING = 1000
LONGEST_WAIT_S = 60.0
CALLS_OF_A_PROCESS = 2000
"""After so many it is replaced, and with it whatever its codecs have leaked. To start one takes as long as 200 slices."""

_CALLS = metrics.counter(
    "charrua_imaging_calls_total",
    "Calls of imaging's processes, by work and what became of it.",
    work=metrics.Bound.IMAGING,
    outcome=("done", "cancelled", "failed", "timeout", "crash", "refused", "busy"),
)
_CALL_SECONDS = metrics.histogram(
    "charrua_imaging_call_seconds",
    "How long they took, the wait for a free process included.",
    work=metrics.Bound.IMAGING,
)
_STARTED = metrics.counter("charrua_imaging_processes_started_total", "Processes that imaging has started.")
_WAITING = metrics.gauge("charrua_imaging_calls_waiting", "Calls that wait for a free process of imaging.")

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass
class Figures:
    """What the processes have been through."""

    started: int = 0
    calls: int = 0
    timeouts: int = 0
    crashes: int = 0
    poisoned: int = 0
    """Calls that were refused for a frame that had ended two processes."""


class Imaging:
    """The pool. `codecs` are those that its processes use; `close` ends them."""

    def __init__(self, settings: Values, codecs: Codecs) -> None:
        self.codecs = codecs
        self.figures = Figures()
        self._settings = settings
        self._number = settings["imaging_workers"] or min(4, os.cpu_count() or 1)
        self._free = asyncio.Semaphore(self._number)
        self._waiting = 0
        self._idle: list[WorkerProcess] = []
        self._calls: set[asyncio.Task[Reply]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._poison = Poison()
        self._closed = False

    def decodes(self, transfer_syntax_uid: str) -> bool:
        """Whether there is a decoder for frames of this transfer syntax."""
        return transfer_syntax_uid in self.codecs.decoders

    def encodes(self, transfer_syntax_uid: str) -> bool:
        """Whether there is an encoder for this transfer syntax; `codecs.encoded_format` says for which pixels."""
        return transfer_syntax_uid in self.codecs.encoders

    async def run(self, function: Callable[..., T], *arguments: Any, timeout_s: float | None = None) -> T:
        """Give what `function(*arguments)` gives, called in a worker process.

        The function is found there by its module and name, so it is at the top level of a module. Arguments are anything
        that pickles; large ones are best given as `FileRange` for the function to read. Results are plain values, bytes,
        numpy arrays (read-only) and dataclasses of `charrua_core.imaging`. `timeout_s` counts from when a process takes
        the call, and is `imaging_timeout` where you give none.

        Raises what the function raises of the CharruaError family, ImagingFailed for anything else that it raises,
        ImagingTimeout and ImagingCrashed when its process had to be killed or died, FramePoisoned at once for a frame
        that has ended two processes, ImagingBusy when too much is waiting. A caller that is cancelled while it waits takes
        its place in the line with it; once begun, a call runs to its end.
        """
        name, began, outcome = _name_of(function), time.monotonic(), "cancelled"
        try:
            result: T = await self._run(name, arguments, timeout_s)
            outcome = "done"
        except Exception as error:
            outcome = _OUTCOMES.get(type(error), "failed")
            raise
        finally:
            _CALLS.labels(function.__name__, outcome).inc()
            _CALL_SECONDS.labels(function.__name__).observe(time.monotonic() - began)
        return result

    async def _run(self, name: str, arguments: tuple[Any, ...], timeout_s: float | None) -> Any:
        await self._refuse_poison(name, arguments)
        limit = timeout_s or self._settings["imaging_timeout"].total_seconds()
        await self._turn()
        task = asyncio.create_task(self._call(Request(name, arguments, limit)), name=f"imaging {name}")
        self._calls.add(task)
        task.add_done_callback(self._ended)
        reply = await self._reply(task)
        if reply.failure is not None:
            raise _raised(reply.failure)
        return reply.result

    async def close(self) -> None:
        """End all processes; calls under way are cancelled."""
        self._closed = True
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await asyncio.gather(*self._ending, *(worker.end() for worker in self._idle))
        self._idle.clear()

    # -- waiting ---------------------------------------------------------------------------------------------------------
    async def _turn(self) -> None:
        if self._waiting >= MOST_WAITING:
            raise ImagingBusy
        self._waiting += 1
        _WAITING.inc()
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._free.acquire()
        except TimeoutError as error:
            raise ImagingBusy from error
        finally:
            self._waiting -= 1
            _WAITING.dec()

    def _ended(self, task: asyncio.Task[Reply]) -> None:
        self._calls.discard(task)
        self._free.release()
        if not task.cancelled():
            task.exception()  # so that nobody misses it: the caller may be gone

    async def _reply(self, task: asyncio.Task[Reply]) -> Reply:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is None or caller.cancelling():
                raise
            raise ImagingBusy("the archive is stopping") from None  # it is the call that was cancelled, not the caller

    # -- calling ---------------------------------------------------------------------------------------------------------
    async def _call(self, request: Request) -> Reply:
        worker = await self._worker()
        self.figures.calls += 1
        try:
            reply = await worker.call(request)
        except (ImagingTimeout, ImagingCrashed) as error:
            await self._note_death(error, request, worker)
            raise
        self._put_back(worker, reply)
        return reply

    async def _worker(self) -> WorkerProcess:
        if self._closed:
            raise ImagingBusy("the archive is stopping")
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
        self.figures.started += 1
        _STARTED.inc()
        return await WorkerProcess.start(Setup(tuple(sys.path), self.codecs, self._settings["imaging_memory_bytes"]))

    def _put_back(self, worker: WorkerProcess, reply: Reply) -> None:
        spent = reply.failure is not None and reply.failure.error == errors.FrameTooLarge.__name__
        if not (spent or self._closed or worker.calls >= CALLS_OF_A_PROCESS):
            self._idle.append(worker)
            return
        ending = asyncio.create_task(worker.end(), name="imaging process ends")  # which the caller need not wait for
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    # -- poison ----------------------------------------------------------------------------------------------------------
    async def _refuse_poison(self, name: str, arguments: tuple[Any, ...]) -> None:
        if self._poison and self._poison.holds(await asyncio.to_thread(frame_key, name, arguments)):
            self.figures.poisoned += 1
            raise FramePoisoned

    async def _note_death(self, error: Exception, request: Request, worker: WorkerProcess) -> None:
        timeout = isinstance(error, ImagingTimeout)
        self.figures.timeouts += timeout
        self.figures.crashes += not timeout
        deaths = self._poison.note(await asyncio.to_thread(frame_key, request.function, request.arguments))
        log.error(
            "imaging process ended: %s%s",
            error,
            ", the frame is not tried again" if deaths >= MOST_DEATHS else "",
            extra={"pid": worker.pid, "function": request.function, "deaths": deaths},
        )


_OUTCOMES: dict[type[Exception], str] = {
    ImagingTimeout: "timeout",
    ImagingCrashed: "crash",
    FramePoisoned: "refused",
    ImagingBusy: "busy",
}


def _name_of(function: Callable[..., Any]) -> str:
    if not inspect.isroutine(function) or not function.__qualname__.isidentifier():
        raise TypeError(f"{function!r} is not at the top level of a module")
    return f"{function.__module__}:{function.__qualname__}"


def _raised(failure: Failure) -> Exception:
    if failure.traceback:
        log.error("imaging failed: %s\n%s", failure.message, failure.traceback)
    kind = getattr(errors, failure.error, ImagingFailed)
    error: Exception = kind(failure.message) if failure.message else kind()
    return error
