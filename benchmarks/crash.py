"""Kills an archive in the middle of stores, again and again, and looks for what it had acknowledged.

`python -m benchmarks.crash [--cycles 200] [--target charrua] [--web]`: each cycle starts the archive, lets four senders store,
sends SIGKILL to all its processes at a random moment, database included, starts it again and compares. The last line is
the figures; the exit status is 1 when an acknowledged object was lost or anything was half there.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contestants import ALL, Contestant
from benchmarks.isolation import isolate
from benchmarks.ledger import Files, Findings, Ledger, check, senders, wait_for_answers


@dataclass
class Crashes:
    """The cycles so far on one archive."""

    contestant: Contestant
    chance: random.Random
    web: bool = False
    findings: Findings = field(default_factory=Findings)
    restarts_s: list[float] = field(default_factory=list)
    ledgers: dict[int, Ledger] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = Files(self.contestant.folder)
        self._start()
        self._token = self.contestant.authorization() if self.web else None

    def _start(self) -> None:
        start = time.monotonic()
        self.contestant.start()
        self.restarts_s.append(time.monotonic() - start)

    def cycle(self, run: int, longest_s: float) -> Findings:
        """Store, kill, restart, compare."""
        path = self.contestant.folder.with_suffix(f".ledger-{run}")
        with senders(self.contestant, run, path, self._token):
            wait_for_answers(path)
            time.sleep(self.chance.random() * longest_s)
            self.contestant.kill()
        self._start()
        self.ledgers[run] = Ledger.read(path)
        found = check(self.contestant, run, self.ledgers[run], self.files.new())
        self.findings += found
        return found

    def check_all_again(self) -> Findings:
        """What every cycle stored, after all of them: later crashes must not undo earlier stores."""
        files, summed = Files(self.contestant.folder).new(), Findings()
        for run, ledger in self.ledgers.items():
            mine = {uid: digest for uid, digest in files.items() if uid in ledger.digests}
            summed += check(self.contestant, run, ledger, mine)
        return summed


def _options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=__doc__)
    arguments.add_argument("--cycles", type=int, default=200)
    arguments.add_argument("--target", default="charrua", choices=[kind.name for kind in ALL])
    arguments.add_argument("--longest", type=float, default=1.5, help="seconds that senders store at most")
    arguments.add_argument("--web", action="store_true", help="the senders speak STOW-RS")
    arguments.add_argument("--seed", type=int, default=None, help="of the moments of death; printed")
    return arguments.parse_args()


def main() -> None:
    """Run the cycles and print the line of figures."""
    options = _options()
    isolate()
    seed = options.seed if options.seed is not None else random.randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="charrua-crash-") as folder:
        Path(folder).chmod(0o755)  # an embedded PostgreSQL may run as another user
        kind = next(kind for kind in ALL if kind.name == options.target)
        contestant = kind(Path(folder) / kind.name)
        try:
            kept = _run(contestant, random.Random(seed), options)
        finally:
            contestant.kill()
    sys.exit(0 if kept else 1)


def _run(contestant: Contestant, chance: random.Random, options: argparse.Namespace) -> bool:
    crashes = Crashes(contestant, chance, options.web)
    for run in range(1, options.cycles + 1):
        found = crashes.cycle(run, options.longest)
        print(f"{run:4} ready in {crashes.restarts_s[-1]:.2f} s: {found}", file=sys.stderr, flush=True)
    at_last = crashes.check_all_again()
    restarts = sorted(crashes.restarts_s[1:])
    print(
        f"crash: {contestant.name}, {options.cycles} x kill -9, {crashes.findings};"
        f" at the end {at_last.lost} lost, {at_last.damaged} damaged, {at_last.rows_without_file} rows without file;"
        f" ready again p95 {restarts[int(len(restarts) * 0.95)]:.2f} s"
    )
    return crashes.findings.promise_kept and at_last.promise_kept


if __name__ == "__main__":
    main()
