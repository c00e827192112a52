"""HL7 against a real server: how many orders a second it takes, what mutated messages do to it, what `kill -9` costs.

`python -m benchmarks.hl7 throughput [--seconds 10] [--receivers 0]`: orders over 1, 4 and 16 connections, each waiting for its
answer; and so many systems that are told the state of each.
`python -m benchmarks.hl7 fuzz [--messages 200000]`: messages of CHARRUA_TEST_DATA/hl7, mutated; a good sender beside them.
`python -m benchmarks.hl7 crash [--kills 10]`: 1,000 orders a second, SIGKILL to all processes, database included, and again.

The last line of each is its figures; the exit status is 1 where a promise was broken: something acknowledged is not there,
something is there twice, a process has ended, a good sender waits too long.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from benchmarks.contestants import Charrua
from benchmarks.hl7_mutations import Mutations
from benchmarks.isolation import free_port, isolate

VT, END = b"\x0b", b"\x1c\r"
_FORK = multiprocessing.get_context("fork")


def order(number: str) -> bytes:
    """An order of this number, as it goes over the wire."""
    obr = f"OBR|1|P{number}|F{number}|CTHEAD^CT of the head{'|' * 14}{number}{'|' * 6}CT{'|' * 12}202701021030"
    lines = [
        f"MSH|^~\\&|HIS|CLINIC|CHARRUA|SITE|20270101080000||ORM^O01^ORM_O01|{number}|P|2.5.1",
        f"PID|1||{number}^^^CLINIC||Perez^Ana^Maria||19700102|F|||Street 1^^Montevideo",
        "PV1|1|O|RAD^1^2||||100^Doctor^Dora|200^Referrer^Rita",
        f"ORC|NW|P{number}|F{number}|||||^^^202701021030^^R",
        obr,
    ]
    return VT + "\r".join(lines).encode() + b"\r" + END


class Server(Charrua):
    """Charrua with a port of its own for HL7."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        super().__init__(folder)
        self.hl7 = ("127.0.0.1", free_port())
        self._own = {
            "CHARRUA_HL7_PORT": str(self.hl7[1]),
            "CHARRUA_WORKERS": str(workers),
            "CHARRUA_HL7_HOST": "127.0.0.1",
        }

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), **self._own}

    async def fetch(self, statement: str) -> list[Any]:
        """Ask its database."""
        import asyncpg

        from charrua_core.postgresql import EmbeddedServer

        url = os.environ.get("CHARRUA_DATABASE_URL") or EmbeddedServer.of(self.folder / "data").url("charrua")
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    @property
    def lives(self) -> bool:
        """Whether the process that was started is there."""
        return self.process is not None and self.process.poll() is None


# -- throughput ----------------------------------------------------------------------------------------------------------
@dataclass
class Load:
    """Senders that wait for each answer: what they were told, and how long it took."""

    where: tuple[str, int]
    times: list[float] = field(default_factory=list)
    refused: int = 0

    async def run(self, connections: int, seconds: float, prefix: str) -> float:
        """Send for so long; gives messages a second."""
        began, count = time.monotonic(), len(self.times)
        senders = (self._send(f"{prefix}{n}x", began + seconds) for n in range(connections))
        await asyncio.gather(*senders)
        return (len(self.times) - count) / (time.monotonic() - began)

    async def _send(self, prefix: str, until: float) -> None:
        reader, writer = await asyncio.open_connection(*self.where)
        number = 0
        while time.monotonic() < until:
            began = time.perf_counter()
            writer.write(order(f"{prefix}{number}"))
            answer = await reader.readuntil(END)
            self.times.append(time.perf_counter() - began)
            self.refused += b"MSA|AA" not in answer
            number += 1
        writer.close()


def quantile(times: Sequence[float], part: float) -> float:
    """In milliseconds."""
    ordered = sorted(times) or [0.0]
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000


def _receiver(ours: socket.socket, taken: Any) -> None:
    """Answer AA to each message, whoever sends it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                control_id = (await reader.readuntil(END)).split(b"|")[9]
                taken.value += 1
                head = b"MSH|^~\\&|HIS|||||20270101080000||ACK|1|P|2.5\rMSA|AA|"
                writer.write(VT + head + control_id + b"\r" + END)
        writer.close()

    async def listen() -> None:
        await (await asyncio.start_server(answer, sock=ours)).serve_forever()

    asyncio.run(listen())


@contextlib.contextmanager
def receivers(server: Server, count: int) -> Iterator[list[Any]]:
    """So many systems that are told the state of orders, each a process of its own: how many messages each has taken."""
    processes, taken = [], []
    for number in range(count):
        with socket.create_server(("127.0.0.1", 0)) as ours:
            taken.append(_FORK.Value("q"))
            processes.append(_FORK.Process(target=_receiver, args=(ours, taken[-1]), daemon=True))
            processes[-1].start()
            address = (ours.getsockname()[0], str(ours.getsockname()[1]))
        server.run("hl7", "receiver", "add", f"R{number}", *address, "--sends", "orders")
    try:
        yield taken
    finally:
        for one in processes:
            one.terminate()


async def throughput(server: Server, options: argparse.Namespace) -> bool:
    """Measure it."""
    with receivers(server, options.receivers) as taken:
        return await _throughput(server, options, taken)


async def _throughput(server: Server, options: argparse.Namespace, taken: Sequence[Any]) -> bool:
    told, refused, began = [], 0, time.monotonic()
    await Load(server.hl7).run(4, 2, "W")
    for connections in (1, 4, 16):
        load, before = Load(server.hl7), server.usage()
        rate = await load.run(connections, options.seconds, f"T{connections}y")
        used = server.usage()
        each = [(getattr(used, one) - getattr(before, one)) / len(load.times) for one in ("cpu_ms", "database_cpu_ms")]
        refused += load.refused
        told.append(
            f"{connections}: {rate:.0f}/s p50 {quantile(load.times, 0.5):.1f} p99 {quantile(load.times, 0.99):.1f} ms"
            f" (CPU {each[0]:.2f} + {each[1]:.2f} ms each)"
        )
    seconds = time.monotonic() - began
    sent = "".join(f"; a receiver was told of {one.value / seconds:.0f}/s" for one in taken)
    print(f"throughput: {'; '.join(told)}; {refused} refused{sent}")
    return not refused


# -- mutated messages ----------------------------------------------------------------------------------------------------
@dataclass
class Fuzz:
    """Sends mutated messages, and takes note of the numbers of those that were acknowledged with AA."""

    where: tuple[str, int]
    mutations: Mutations
    left: int
    until: float
    accepted: set[int] = field(default_factory=set)
    told: Counter[str] = field(default_factory=Counter)
    pings: int = 0
    sent: int = 0

    async def run(self, connections: int) -> None:
        """Send all of them."""
        await asyncio.gather(*(self._sender() for _ in range(connections)))

    async def _sender(self) -> None:
        while self.left > 0:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._connection()

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection(*self.where, limit=1 << 22)
        try:
            while self.left > 0:
                several = [self.mutations.frame() for _ in range(min(self.left, 20))]
                self.left = self.left - len(several) if time.monotonic() < self.until else 0
                self.sent += len(several)
                self.pings += 1
                ping = f"PING{self.pings}"
                writer.write(b"".join(several) + order(ping))
                await self._answers(reader, b"|" + ping.encode())
                if self.mutations.chance.random() < 0.01:
                    writer.write(self.mutations.rude())
                    return
        finally:
            self.told["connections"] += 1
            writer.close()

    async def _answers(self, reader: asyncio.StreamReader, last: bytes) -> None:
        while True:
            async with asyncio.timeout(60):
                frame = await reader.readuntil(END)
            for one in frame[1:-2].split(b"\rMSH") if frame[1:4] in (b"FHS", b"BHS") else [frame[1:-2]]:
                self._note(one)
            if last in frame:
                return

    def _note(self, answer: bytes) -> None:
        separator = answer.removeprefix(b"MSH")[:1]
        segments = answer.split(b"\r")
        msa = next((one for one in segments if one.startswith(b"MSA")), b"").split(separator)
        if len(msa) < 2:
            return
        code = msa[1].decode("ascii", "replace")
        self.told[code] += 1
        control = segments[0].split(separator)[9]
        if code in ("AA", "CA") and control[1:].isdigit():
            self.accepted.add(int(control[1:]))


def _good_sender(where: tuple[str, int], pipe: Pipe) -> None:
    async def send() -> list[float]:
        load, number = Load(where), 0
        reader, writer = await asyncio.open_connection(*where)
        while not pipe.poll():
            began = time.perf_counter()
            writer.write(order(f"GOOD{number}"))
            answer = await reader.readuntil(END)
            load.times.append(time.perf_counter() - began)
            assert b"MSA|AA" in answer
            number += 1
            await asyncio.sleep(0.02)
        return load.times

    pipe.send(asyncio.run(send()))


@contextlib.contextmanager
def good_sender(where: tuple[str, int]) -> Iterator[list[float]]:
    """A sender of good orders in a process of its own; at the end the list holds how long its answers took."""
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_good_sender, args=(where, theirs), daemon=True)
    process.start()
    times: list[float] = []
    try:
        yield times
    finally:
        ours.send("stop")
        times += ours.recv() if ours.poll(60) else [float("inf")]
        process.join(5)


async def fuzz(server: Server, options: argparse.Namespace) -> bool:
    """Send mutated messages and look for what was acknowledged."""
    folder = Path(os.environ.get("CHARRUA_TEST_DATA", "../shared/data")) / "hl7"
    mutations = Mutations.of_folder(folder, random.Random(options.seed))
    began = time.monotonic()
    run = Fuzz(server.hl7, mutations, options.messages, began + options.minutes * 60)
    with good_sender(server.hl7) as times:
        await run.run(options.connections)
    seconds = time.monotonic() - began
    kept = {row["id"]: row for row in await server.fetch("SELECT id, state, sentence FROM charrua_hl7.message")}
    missing = [number for number in run.accepted if number not in kept or kept[number]["state"] != "done"]
    added = (await server.fetch(_ADDED))[0][0] or 0
    entries = (await server.fetch("SELECT count(*) FROM charrua_hl7.entry"))[0][0]
    internal = (await server.fetch(_INTERNAL))[0][0]
    told = ", ".join(f"{count} {name}" for name, count in sorted(run.told.items()))
    p99 = quantile(times, 0.99)
    lives = server.lives and "worker ended" not in server.log.read_text(errors="replace")
    print(
        f"fuzz: {run.sent} mutated messages in {seconds:.0f} s: {told}; {len(missing)} acknowledged are missing; "
        f"{added} entries told, {entries} there; {internal} errors of ours; "
        f"a good sender's {len(times)} answers p50 {quantile(times, 0.5):.1f} p99 {p99:.1f} ms; "
        f"the server {'lives' if lives else 'DIED'}"
    )
    return lives and not missing and added == entries and p99 < 100


_ADDED = """
SELECT sum((found)[1]::int) FROM charrua_hl7.message, regexp_matches(sentence, '(\\d+) entr(?:y|ies) added', 'g') AS found
WHERE state = 'done' AND direction = 'in'
"""
_INTERNAL = """
SELECT count(*) FROM charrua_hl7.message WHERE state = 'failed' AND sentence LIKE 'An error in this archive%'
"""


# -- crashes -------------------------------------------------------------------------------------------------------------
@dataclass
class Ledger:
    """What was sent, and what was acknowledged, over all crashes."""

    rate: float
    next: int = 0
    acknowledged: set[str] = field(default_factory=set)
    unanswered: dict[str, None] = field(default_factory=dict)
    down: asyncio.Event = field(default_factory=asyncio.Event)
    seconds: float = 0.0
    """In which messages were offered."""

    async def run(self, where: tuple[str, int], connections: int) -> None:
        """Offer messages at the rate until the server is gone."""
        self.down.clear()
        self._began, self._offered = time.monotonic(), 0
        await asyncio.gather(*(self._sender(where) for _ in range(connections)))
        self.seconds += time.monotonic() - self._began

    async def _sender(self, where: tuple[str, int]) -> None:
        try:
            reader, writer = await asyncio.open_connection(*where)
            while not self.down.is_set():
                await self._turn()
                number = self._number()
                writer.write(order(number))
                answer = await reader.readuntil(END)
                if b"MSA|AA" in answer:
                    self.acknowledged.add(number)
                    self.unanswered.pop(number, None)
        except (OSError, asyncio.IncompleteReadError):
            self.down.set()

    async def _turn(self) -> None:
        """A sender that is behind does not wait."""
        self._offered += 1
        due = self._began + self._offered / self.rate
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    def _number(self) -> str:
        """What had no answer is sent again first, as it was."""
        if self.unanswered and self._offered < 200:
            number = next(iter(self.unanswered))
            self.unanswered[number] = self.unanswered.pop(number)
            return number
        self.next += 1
        number = f"N{self.next}"
        self.unanswered[number] = None
        return number


async def crash(server: Server, options: argparse.Namespace) -> bool:
    """Kill it again and again."""
    chance, ledger = random.Random(options.seed), Ledger(options.rate)
    lost = doubled = 0
    restarts = []
    for kill in range(1, options.kills + 1):
        sending = asyncio.create_task(ledger.run(server.hl7, options.connections))
        await asyncio.sleep(0.5 + chance.random() * options.longest)
        await asyncio.to_thread(server.kill)
        await sending
        began = time.monotonic()
        await asyncio.to_thread(server.start)
        restarts.append(time.monotonic() - began)
        now_lost, now_doubled = await _compared(server, ledger)
        lost, doubled = lost + now_lost, doubled + now_doubled
        print(
            f"{kill:3}: {len(ledger.acknowledged)} acknowledged, {now_lost} lost, {now_doubled} double", file=sys.stderr
        )
    print(
        f"crash: {options.kills} x kill -9 at {options.rate:.0f} messages/s offered: {len(ledger.acknowledged)} acknowledged, "
        f"{len(ledger.acknowledged) / ledger.seconds:.0f} a second, {lost} lost, {doubled} double; "
        f"ready again in {sum(restarts) / len(restarts):.1f} s"
    )
    return not (lost or doubled)


async def _compared(server: Server, ledger: Ledger) -> tuple[int, int]:
    """Give how many acknowledged messages have no row or no entry, and how many messages or entries are there twice."""
    messages = Counter(
        row[0] for row in await server.fetch("SELECT control_id FROM charrua_hl7.message WHERE state = 'done'")
    )
    entries = Counter(row[0] for row in await server.fetch("SELECT accession_number FROM charrua_hl7.entry"))
    lost = [one for one in ledger.acknowledged if one not in messages or one not in entries]
    return len(lost), sum(count > 1 for counted in (messages, entries) for count in counted.values())


def _options(given: Sequence[str] | None = None) -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.hl7", description=__doc__)
    arguments.formatter_class = argparse.RawDescriptionHelpFormatter
    arguments.add_argument("what", choices=("throughput", "fuzz", "crash"))
    arguments.add_argument("--seconds", type=float, default=10, help="of each throughput")
    arguments.add_argument("--receivers", type=int, default=0, help="that are told of each order, in throughput")
    arguments.add_argument("--messages", type=int, default=200_000, help="that are mutated")
    arguments.add_argument("--minutes", type=float, default=1440, help="after which no more mutated messages are sent")
    arguments.add_argument("--kills", type=int, default=10)
    arguments.add_argument("--rate", type=float, default=1000, help="messages offered a second through the kills")
    arguments.add_argument("--longest", type=float, default=2.0, help="seconds before a kill, at most")
    arguments.add_argument("--connections", type=int, default=16)
    arguments.add_argument("--workers", type=int, default=1, help="processes of the server")
    arguments.add_argument("--seed", type=int, default=1)
    return arguments.parse_args(given)


def main() -> int:
    """Run what is asked for, on an archive of its own."""
    options = _options()
    isolate()
    with tempfile.TemporaryDirectory(prefix="charrua-hl7-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # an embedded PostgreSQL may run as another user
        server = Server(Path(folder) / "charrua", options.workers)
        server.start()
        try:
            kept = asyncio.run(globals()[options.what](server, options))
        finally:
            server.kill()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
