"""Routing: CT a second from the first byte stored until the last object is at its destination, a sink that throws away.

Charrua has one rule that takes everything; Orthanc a script that sends each instance. `storescu` and `dcmsend` send the same
objects straight to the sink: the ceiling of a forwarder that does nothing else.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import objects, processes, stock
from benchmarks.contestants import Charrua, Contestant
from benchmarks.results import Results
from benchmarks.sending import send
from benchmarks.sink import AET, Sink, sink
from benchmarks.turns import interleaved

CONTESTANTS = ("charrua", "orthanc-forwarding")
IMAGES = 400
PATIENCE_S = 120.0
TITLE = "stored and forwarded: CT/s"


def measure_forward(results: Results, names: Sequence[str], repeats: int, scale: float) -> None:
    """Store over one association, with a rule that forwards to the sink; then send straight to it."""
    images = max(20, int(IMAGES * scale))

    def turn(contestant: Contestant) -> None:
        if isinstance(contestant, Charrua):
            contestant.run("routing", "add", "--name", "everything", "--destination", AET)
        _forwarded(contestant, destination, 90, 20)  # the first association, and what is loaded at its time
        before = contestant.usage().whole_cpu_ms
        results.add(TITLE, contestant.name, images / _forwarded(contestant, destination, 91, images))
        spent = contestant.usage().whole_cpu_ms - before
        results.add("stored and forwarded: CPU ms/CT", contestant.name, spent / images)

    with sink() as destination:
        interleaved(names, repeats, turn, [destination])
        _straight(results, destination, repeats, images)


def _forwarded(contestant: Contestant, destination: Sink, run: int, images: int) -> float:
    """Seconds until all are there; AssertionError where they do not come."""
    wanted, start = destination.taken + images, time.perf_counter()
    send(contestant.address, contestant.aet, objects.ct(), list(objects.numbered(run, images)))
    for _ in processes.wait_until(PATIENCE_S, 0.005):
        if destination.taken >= wanted:
            return time.perf_counter() - start
    raise AssertionError(f"{contestant.name}: {wanted - destination.taken} of {images} never came")


def _straight(results: Results, destination: Sink, repeats: int, images: int) -> None:
    command = ["-aec", destination.aet, destination.host, str(destination.port)]
    with tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder:
        files = objects.write_files(objects.ct(), objects.numbered(92, images), Path(folder))
        for _ in range(repeats):
            for program in ("storescu", "dcmsend"):
                results.add(TITLE, program, images / stock.timed([program, *command, *map(str, files)]))
