"""One turn of one contestant: a fresh archive, started, measured and thrown away, so that nobody runs beside another."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.contestants import ALL, Contestant, Peer


@contextlib.contextmanager
def started(kind: type[Contestant], peers: Sequence[Peer] = ()) -> Iterator[Contestant]:
    """A running contestant in a temporary folder; ended, killed if need be, and wiped afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder,
        _running(kind, Path(folder), peers) as contestant,
    ):
        yield contestant


@contextlib.contextmanager
def _running(kind: type[Contestant], folder: Path, peers: Sequence[Peer]) -> Iterator[Contestant]:
    folder.chmod(0o755)  # an embedded PostgreSQL may run as another user
    contestant = kind(folder / kind.name, peers)
    os.sync()  # what the turn before wrote is not to be paid for by this one
    try:
        contestant.start()
        yield contestant
        status = contestant.stop()
        if kind.name.startswith("charrua") and status != 0:
            print(f"{kind.name}: ended with status {status}", file=sys.stderr)
    finally:
        contestant.kill()


def interleaved(
    names: Sequence[str], repeats: int, measure: Callable[[Contestant], None], peers: Sequence[Peer] = ()
) -> None:
    """A B C A B C …: measure each contestant in turn, `repeats` times.

    The folders of a round are wiped at its end: ext4 walks around inodes that were freed in the last half minute, and the
    turn that follows would pay for it at each file that it makes.
    """
    kinds = [kind for kind in ALL if kind.name in names]
    for repeat in range(repeats):
        with contextlib.ExitStack() as folders:
            for kind in kinds:
                print(f"run {repeat + 1} of {repeats}: {kind.name}", file=sys.stderr, flush=True)
                folder = folders.enter_context(tempfile.TemporaryDirectory(prefix="charrua-bench-"))
                with _running(kind, Path(folder), peers) as contestant:
                    measure(contestant)
