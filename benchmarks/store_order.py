"""Traces an archive while it stores, and proves of every object the order that makes its answer true.

`python -m benchmarks.store_order [--stores 400] [--target charrua]`: bytes written, file flushed, renamed into place, its
folder and every new folder above it flushed, row committed, database's log flushed, and only then C-STORE-RSP.
The last line is the figures; the exit status is 1 when one object broke the order.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from benchmarks import objects
from benchmarks.contestants import ALL, Contestant
from benchmarks.isolation import isolate
from benchmarks.sending import load
from benchmarks.strace import FLUSHES, RENAMES, WRITES, Call, calls, traced
from benchmarks.turns import started

_RUN_SR, _RUN_CT = 41, 42
_SENDERS = 4


class Broken(Exception):
    """A step is missing, or came too late; the message names it."""


@dataclass
class Trace:
    """A trace by what its calls touch."""

    folder: str
    port: int
    writes: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    flushes: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    renames: dict[str, Call] = field(default_factory=dict)
    folders_made: dict[str, Call] = field(default_factory=dict)
    log_flushes: list[Call] = field(default_factory=list)
    to_database: list[Call] = field(default_factory=list)
    log_writes: list[Call] = field(default_factory=list)
    answers: list[Call] = field(default_factory=list)

    def take(self, call: Call) -> None:
        """Sort one call in."""
        path = call.path
        if call.name in RENAMES:
            self.renames[_absolute(call, 0)] = call
        elif call.name.startswith("mkdir"):
            self.folders_made[_absolute(call, 0)] = call
        elif call.name in FLUSHES:
            (self.log_flushes if "/pg_wal/" in path else self.flushes[path]).append(call)
        elif call.name in WRITES:
            self._take_write(call, path)

    def _take_write(self, call: Call, path: str) -> None:
        if path.startswith("TCP:"):
            if f":{self.port}->" in path:
                self.answers.append(call)
        elif path.startswith("UNIX"):
            if ".s.PGSQL" not in path:  # the database's own end of the socket has its name: those are its replies
                self.to_database.append(call)
        elif "/pg_wal/" in path:
            self.log_writes.append(call)
        elif path.startswith(self.folder) and "/postgresql/" not in path:
            self.writes[path].append(call)

    def prove(self, uid: str) -> None:
        """Raises Broken when this object was answered before it was safe."""
        answer = _only(self.answers, uid, "answered")[0]
        path, written = self._written(uid)
        flushed = _after(self.flushes[path], written[-1].ended, answer, "file flushed after its last byte")
        renamed = self.renames.get(path)
        if renamed is None or renamed.began < flushed.ended:
            raise Broken("renamed after the flush")
        named = self._folders(_absolute(renamed, 1), renamed, answer)
        row = _only(self.to_database, uid, "row sent to the database", before=answer.began)[-1]
        committed = self._committed(row, named, answer)
        # A COMMIT's own record names nobody, and the page with the row may be written again for others.
        logged = [call for call in self.log_writes if uid in call.arguments and row.began <= call.began]
        start = logged[0].ended if logged and committed is row else committed.began
        _after(self.log_flushes, start, answer, "database's log flushed after the commit")

    def _committed(self, row: Call, named: Call, answer: Call) -> Call:
        """The call that made the row last: its own where it came after the files, else the COMMIT that followed."""
        if row.began >= named.ended:
            return row
        commits = [call for call in self.to_database if "COMMIT" in call.arguments]
        found = [call for call in commits if row.ended <= call.began < answer.began]
        if not found or found[0].began < named.ended:
            raise Broken("row committed after the folder's flush")
        return found[0]

    def _written(self, uid: str) -> tuple[str, list[Call]]:
        """The file that named this object first (an index beside it may name it later), and all that was written to it."""
        named = [
            (call.began, path) for path, written in self.writes.items() for call in written if uid in call.arguments
        ]
        if not named:
            raise Broken("written to a file")
        path = min(named)[1]
        return path, self.writes[path]

    def _folders(self, target: str, renamed: Call, answer: Call) -> Call:
        """The flush of the object's folder, after those of new folders were looked for, too."""
        folder = PurePosixPath(target).parent
        flushed = _after(self.flushes[str(folder)], renamed.ended, answer, "folder flushed after the rename")
        for made in (folder, *folder.parents):
            if (call := self.folders_made.get(str(made))) is not None:
                _after(self.flushes[str(made.parent)], call.ended, answer, "parent of a new folder flushed")
        return flushed


def _absolute(call: Call, which: int) -> str:
    """Path number `which` of a call; a relative one belongs to the descriptor before it, which strace resolves."""
    named = call.paths[which]
    if named.startswith("/"):
        return named
    before = call.arguments.split(f'"{named}"')[0]
    return str(PurePosixPath(before.rpartition("<")[2].partition(">")[0]) / named)


def _only(among: Iterable[Call], uid: str, step: str, before: float = float("inf")) -> list[Call]:
    found = [call for call in among if uid in call.arguments and call.began < before]
    if not found:
        raise Broken(step)
    return found


def _after(among: Iterable[Call], start: float, answer: Call, step: str) -> Call:
    """The first that began at or after `start` and had ended when the answer was begun."""
    for call in among:
        if call.began >= start and call.ended <= answer.began:
            return call
    raise Broken(step)


def _options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.store_order", description=__doc__)
    arguments.add_argument("--stores", type=int, default=400, help="reports; a tenth as many CT besides")
    arguments.add_argument("--target", default="charrua", choices=[kind.name for kind in ALL])
    return arguments.parse_args()


def trace_stores(contestant: Contestant, stores: int, output: Path) -> list[str]:
    """Store reports and CT over four associations under strace; returns their SOP Instance UIDs."""
    senders = _SENDERS if contestant.concurrent else 1
    images = max(senders, stores // 10)
    with traced(contestant.pids(), output):
        load(contestant.address, contestant.aet, objects.sr(), _RUN_SR, stores, senders)
        load(contestant.address, contestant.aet, objects.ct(), _RUN_CT, images, senders)
    sent = ((_RUN_SR, stores // senders * senders), (_RUN_CT, images // senders * senders))
    return [one.uid(3) for run, count in sent for one in objects.numbered(run, count)]


def main() -> None:
    """Trace, prove and print the line of figures."""
    options = _options()
    isolate()
    kind = next(kind for kind in ALL if kind.name == options.target)
    broken: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="charrua-trace-") as folder, started(kind) as contestant:
        uids = trace_stores(contestant, options.stores, Path(folder) / "trace")
        trace = Trace(str(contestant.folder), contestant.port)
        for call in calls(Path(folder) / "trace"):
            trace.take(call)
    for uid in uids:
        try:
            trace.prove(uid)
        except Broken as step:
            broken[f"not {step}"] += 1
    proven = len(uids) - broken.total()
    rows = "".join(f"; {count} {step}" for step, count in broken.items())
    print(f"store order: {kind.name}, {len(uids)} stores traced, {proven} in order, {broken.total()} not{rows}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
