"""Jobs to four bad destinations and a good one, over ten days of a moved clock and five kill -9: what went where, and when.

    python -m benchmarks.bad_destinations [--objects 2000] [--kills 5]

Every object goes to five destinations, a job each. The worker is a process of its own, which is killed and started again; its
clock reads a file. Destinations write each call to a log of their own before they answer, as a receiver would that has
stored the object. At the end: no try off the schedule, nothing lost, and twice only what was on its way when a worker died.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from charrua_core.app import App, Start
from charrua_core.jobs import Worker
from charrua_core.sending import DestinationKind, Outcome, SendFailed, Sending, send_job
from charrua_core.settings import Setting
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study
from charrua_core.types import Destination, Origin

HOURS = (0, 1, 24, 48, 168, 240)
MOODS = ("refusing", "hanging", "half", "tls", "good")
TRIES = 5
HANGS_S = 0.005
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


class FileClock:
    """The time that stands in a file, as hours since `BEGAN`; the monotonic one is the machine's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """Give the time."""
        return BEGAN + timedelta(hours=float(self._path.read_text() or 0))

    def monotonic(self) -> float:
        """Give seconds that nobody moves."""
        return time.monotonic()


def kind(log: Path, clock: FileClock) -> DestinationKind:
    """Give a kind of destinations of all moods, which writes each call to the log."""

    async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
        mood = sending.destination.options["mood"]
        hour = (clock.now() - BEGAN) / timedelta(hours=1)
        for record in sending.records:
            takes = mood == "good" or (mood == "half" and (int(record.sop_instance_uid[-1]) % 2 or hour >= HOURS[2]))
            _note(log, mood, record.sop_instance_uid, f"{hour:g}", "taken" if takes else "not")
            if takes:
                yield Outcome(record)
            elif mood == "half":
                yield Outcome(record, "failed", "no room")
            else:
                if mood == "hanging":
                    await asyncio.sleep(HANGS_S)
                raise SendFailed(f"{mood}: nothing is taken")

    async def probe(app: App, destination: Destination) -> str:  # noqa: ARG001
        return "there"

    setting = Setting("mood", str, "good", help="How it is.", since="0.1")
    return DestinationKind("moody", "One of the benchmark.", send, probe, (setting,))


def _note(log: Path, *words: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (" ".join(words) + "\n").encode())
    os.close(descriptor)


def environment(folder: Path) -> dict[str, str]:
    """Give what the archive is started with."""
    return {**os.environ, "CHARRUA_DATA_DIR": str(folder / "data"), "CHARRUA_SEND_CONCURRENCY": "10"}


async def opened(stack: AsyncExitStack, folder: Path) -> App:
    """Open the archive with the clock of the file."""
    app = await stack.enter_async_context(App.opened(Start(environment(folder))))
    app.jobs.clock = FileClock(folder / "hours")
    moody = kind(folder / "log", app.jobs.clock)
    app.destinations.kinds[moody.name] = moody
    return app


async def work(folder: Path) -> None:
    """Be the worker, until killed."""
    async with AsyncExitStack() as stack:
        app = await opened(stack, folder)
        await Worker(app.db, [send_job(app)], clock=app.jobs.clock).run()


async def fill(app: App, objects: int) -> None:
    """Store objects, and ask for each of them to go to each destination."""
    for mood in MOODS:
        await app.destinations.add(Destination(mood.upper(), "moody", {"mood": mood}, concurrency=2), by="benchmark")
    for image in a_study(images=objects):
        sent = received_of(image)
        spool = app.ingest.begin(
            sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, Origin("dimse", "MODALITY")
        )
        spool.write(memoryview(sent.data_set))
        await app.ingest.store(spool)
        async with app.db.transaction() as tx:
            for mood in MOODS:
                uid = sent.sop_instance_uid
                payload = {"batch": f"{mood} {uid}", "destination": mood.upper(), "objects": [[uid, 1]]}
                await app.jobs.enqueue("send", payload, lane=f"send {mood.upper()}", tx=tx)


async def run(folder: Path, objects: int, kills: int) -> None:
    """Do it, and tell what came of it."""
    (folder / "hours").write_text("0")
    async with AsyncExitStack() as stack:
        app = await opened(stack, folder)
        began = time.monotonic()
        await fill(app, objects)
        print(f"{objects * len(MOODS)} jobs after {time.monotonic() - began:.0f} s", flush=True)
        killed = 0
        for hours in HOURS:
            (folder / "hours").write_text(str(hours))
            while await app.jobs.due():
                died = await worked(app, folder, die=killed < kills and hours < HOURS[-1])
                killed += died
            print(f"hour {hours}: {time.monotonic() - began:.0f} s, {killed} kills", flush=True)
        await tell(app, folder, objects, killed)


async def worked(app: App, folder: Path, *, die: bool) -> bool:
    """Have a worker work until nothing is due, or kill it in the midst of its work; whether it was killed."""
    command = (sys.executable, "-m", "benchmarks.bad_destinations", "--worker", str(folder))
    # Each failure is logged, which nobody reads here.
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        before = _lines(folder)
        while await app.jobs.due():
            await asyncio.sleep(0.2)
            if die and _lines(folder) > before + 100:
                process.send_signal(signal.SIGKILL)
                return True
        return False
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _lines(folder: Path) -> int:
    path = folder / "log"
    return path.read_bytes().count(b"\n") if path.exists() else 0


async def tell(app: App, folder: Path, objects: int, killed: int) -> None:
    """Compare the log with what should be in it."""
    tries: dict[tuple[str, str], list[float]] = defaultdict(list)
    taken: Counter[tuple[str, str]] = Counter()
    for line in (folder / "log").read_text().splitlines():
        mood, uid, hour, state = line.split()
        tries[mood, uid].append(float(hour))
        taken[mood, uid] += state == "taken"
    off = [key for key, hours in tries.items() if sorted(set(hours)) != list(HOURS[: len(set(hours))])]
    repeated = sum(len(hours) - len(set(hours)) for hours in tries.values())
    for mood in MOODS:
        got = [taken[mood, uid] for one, uid in tries if one == mood]
        most = max(len(set(hours)) for (one, _), hours in tries.items() if one == mood)
        print(
            f"{mood}: {len(got)} objects, {sum(map(bool, got))} taken, {sum(n > 1 for n in got)} twice, {most} tries at most"
        )
    states = Counter((job.lane, job.state) for job in await every_job(app))
    print(f"{killed} kills, {len(off)} off the schedule, {repeated} calls repeated after a kill; jobs: {dict(states)}")
    lost = objects * len(MOODS) - sum(states.values())
    print(f"{lost} jobs lost")


async def every_job(app: App) -> list:  # type: ignore[type-arg]
    """Give all jobs."""
    found: list = []  # type: ignore[type-arg]
    while page := await app.jobs.list(kind="send", limit=1000, before=found[-1].id if found else None):
        found += page
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--worker", type=Path)
    given = parser.parse_args()
    if given.worker:
        asyncio.run(work(given.worker))
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), given.objects, given.kills))


if __name__ == "__main__":
    main()
