"""Cuts an archive's power in the middle of stores, and looks for what it had acknowledged.

`python -m benchmarks.power_cut [--cuts 20] [--target charrua]`, as root. Objects and database live on an ext4 file system
inside a file. At a random moment every process of the archive is stopped and the file copied: it holds what had reached
the disk and nothing else. The archive is killed, the copy mounted (its journal replays) and the archive started on it.
What this does not show: torn sectors, and disks that lie about having flushed.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contestants import ALL, Contestant
from benchmarks.isolation import isolate
from benchmarks.ledger import Files, Findings, Ledger, check, senders, wait_for_answers

_CLONE_NEWNS = 0x00020000
_SIZE = 4 * 2**30  # sparse; an archive may keep a gigabyte free and refuse below that


def private_mounts() -> None:
    """Keep this process's mounts to itself, so that they vanish with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise PermissionError(ctypes.get_errno(), "no mounts of our own; run as root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def make_disk(image: Path) -> None:
    """An empty ext4 file system in a sparse file."""
    with image.open("wb") as file:
        file.truncate(_SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)


@contextlib.contextmanager
def mounted(image: Path, where: Path) -> Iterator[None]:
    """The file system in `image` mounted; unmounted however this ends."""
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(where)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)


def _copy(image: Path, to: Path) -> None:
    subprocess.run(["cp", "--sparse=always", str(image), str(to)], check=True)


def _stop(contestant: Contestant) -> None:
    for pid in contestant.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def cut(kind: type[Contestant], image: Path, where: Path, run: int, seconds: float) -> Path:
    """Store for `seconds`, cut, and return the disk as it was at that moment."""
    after = image.with_name(f"after-{run}.img")
    ledger = image.with_name(f"ledger-{run}")
    with mounted(image, where):
        contestant = kind(where / kind.name)
        try:
            contestant.start()
            with senders(contestant, run, ledger):
                wait_for_answers(ledger)
                time.sleep(seconds)
                _stop(contestant)
                _copy(image, after)
                contestant.kill()
        finally:
            contestant.kill()
    return after


def look(kind: type[Contestant], image: Path, where: Path, ledger: Ledger, run: int) -> tuple[Findings, float]:
    """Start the archive on the disk that is left and compare; also the seconds until it was ready."""
    with mounted(image, where):
        contestant = kind(where / kind.name)
        try:
            start = time.monotonic()
            contestant.start()
            ready_s = time.monotonic() - start
            return check(contestant, run, ledger, Files(contestant.folder).new()), ready_s
        finally:
            contestant.kill()


def _options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.power_cut", description=__doc__)
    arguments.add_argument("--cuts", type=int, default=20)
    arguments.add_argument("--target", default="charrua", choices=[kind.name for kind in ALL])
    arguments.add_argument("--longest", type=float, default=4.0, help="seconds that senders store at most")
    arguments.add_argument("--seed", type=int, default=None, help="of the moments of the cuts; printed")
    return arguments.parse_args()


def main() -> None:
    """Run the cuts and print the line of figures."""
    options = _options()
    isolate()
    private_mounts()
    seed = options.seed if options.seed is not None else random.randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)
    kind = next(kind for kind in ALL if kind.name == options.target)
    with tempfile.TemporaryDirectory(prefix="charrua-cut-") as folder:
        Path(folder).chmod(0o755)  # an embedded PostgreSQL may run as another user
        findings, slowest = _run(kind, Path(folder), random.Random(seed), options)
    print(f"power cut: {kind.name}, {options.cuts} cuts, {findings}; ready again after {slowest:.1f} s at most")
    sys.exit(0 if findings.promise_kept else 1)


def _run(
    kind: type[Contestant], folder: Path, chance: random.Random, options: argparse.Namespace
) -> tuple[Findings, float]:
    """Each cut begins with the same, once started archive: making one anew takes longer than the cut itself."""
    fresh, where = folder / "fresh.img", folder / "disk"
    make_disk(fresh)
    with mounted(fresh, where):
        first = kind(where / kind.name)
        first.start()
        first.stop()
    summed, slowest = Findings(), 0.0
    for run in range(1, options.cuts + 1):
        image = folder / "now.img"
        _copy(fresh, image)
        after = cut(kind, image, where, run, chance.random() * options.longest)
        found, ready_s = look(kind, after, where, Ledger.read(folder / f"ledger-{run}"), run)
        after.unlink()
        print(f"{run:4} ready in {ready_s:.1f} s: {found}", file=sys.stderr, flush=True)
        summed, slowest = summed + found, max(slowest, ready_s)
    return summed, slowest


if __name__ == "__main__":
    main()
