"""Loads: several associations at once, each in a process of its own, every object's answer timed."""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.association import Association
from benchmarks.objects import Numbered, Template, numbered
from benchmarks.templates import EXPLICIT_LITTLE
from benchmarks.wire import Context

_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Load:
    """What a load came to: wall time and each object's time from its first byte sent to its answer."""

    seconds: float
    latencies_ms: Sequence[float]

    @property
    def per_second(self) -> float:
        """Objects per second over all associations."""
        return len(self.latencies_ms) / self.seconds

    @property
    def p50_ms(self) -> float:
        """Median answer time."""
        return statistics.median(self.latencies_ms)

    @property
    def p99_ms(self) -> float:
        """The answer time that 99 of 100 objects stay below."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def send(address: tuple[str, int], called: str, template: Template, objects: Sequence[Numbered]) -> list[float]:
    """Store the objects over one association, one after the other, and return each answer's milliseconds.

    Raises AssertionError when one is not answered with success.
    """
    with _open(address, called, template) as association:
        return _send_all(association, template, objects)


def _open(address: tuple[str, int], called: str, template: Template) -> Association:
    return Association(address, called, [Context(template.sop_class, (EXPLICIT_LITTLE,))])


def _send_all(association: Association, template: Template, objects: Sequence[Numbered]) -> list[float]:
    request = template.store_request(association.context(template.sop_class), association.max_pdu)
    taken = []
    for one in objects:
        framed = request.of(one)
        start = time.perf_counter()
        status = association.exchange(framed)
        taken.append((time.perf_counter() - start) * 1000)
        assert status == 0, f"{one}: status {status:04x}"
    return taken


def load(address: tuple[str, int], called: str, template: Template, run: int, count: int, associations: int) -> Load:
    """Store `count` new objects over `associations` associations that all start at the same moment."""
    share = count // associations
    parts = [list(numbered(run, share, first=share * number)) for number in range(associations)]
    template.dataset  # noqa: B018 encoded once here, before the processes split
    barrier = _FORK.Barrier(associations + 1)
    pipes = [_FORK.Pipe(duplex=False) for _ in parts]
    workers = [
        _FORK.Process(target=_worker, args=(pipe[1], barrier, address, called, template, part), daemon=True)
        for pipe, part in zip(pipes, parts, strict=True)
    ]
    for worker in workers:
        worker.start()
    with contextlib.suppress(threading.BrokenBarrierError):  # a worker that failed broke it, and says why
        barrier.wait(timeout=120)
    start = time.perf_counter()
    answers = [pipe[0].recv() for pipe in pipes]
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    for answer in answers:
        if isinstance(answer, str):
            raise RuntimeError(answer)
    return Load(seconds, [value for answer in answers for value in answer])


def _worker(
    pipe: Connection,
    barrier: object,
    address: tuple[str, int],
    called: str,
    template: Template,
    objects: Sequence[Numbered],
) -> None:
    try:
        with _open(address, called, template) as association:
            barrier.wait(timeout=120)  # type: ignore[attr-defined]
            pipe.send(_send_all(association, template, objects))
    except Exception as error:  # handed to the parent, which raises it
        pipe.send(f"{type(error).__name__}: {error}")
        barrier.abort()  # type: ignore[attr-defined]
