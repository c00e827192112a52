"""Hostile DICOM at speed: a walker through the protocol's states whose bytes are damaged on the way.

`python -m benchmarks.fuzz_dicom [--count 20000] [--seconds 60] [--seed 1] [--host H --port P --pid PID]`: each input is one
connection with a sequence of PDUs that follows the protocol more or less (PS3.8 9.2), mutated by the grammar: lengths that
lie, fields out of range, bytes flipped, cut, doubled, swapped. Beside it, well-behaved echoes are timed. Prints one line;
the exit status is 1 if the server died, left something unhandled or behind, grew by 20 MiB, or kept an echo waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.dicom_child import CT, FIND, VERIFICATION, Child, running_child
from benchmarks.idle_associations import Server, echo_ms
from benchmarks.processes import resident_mib
from charrua_core.dicom import Command, CommandField, ProposedContext, UserIdentity, pdu
from charrua_core.dicom.command import encode_command
from charrua_core.dicom.negotiate import request_for
from charrua_core.dicom.pdu import UserInformation

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
LONGEST_ECHO_MS, MOST_GROWTH_MIB = 500.0, 20.0
_NASTY_LENGTHS = (0, 1, 2, 5, 6, 67, 68, 0x7FFF, 0xFFFF, 0x10000, 131072, 131073, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFF)
_NASTY_UIDS = ("", ".", "../../x", "1" * 64, "1" * 65, "1.2\n3", "1.2.840.10008.1.1", "\0", "é", "/etc/passwd")


class Grammar:
    """Makes the bytes of one connection."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def connection(self) -> list[bytes]:
        """The PDUs, in the order in which they are sent."""
        chance = self._chance
        walk = [self._request()] if chance.random() < 0.9 else []
        steps: list[Callable[[], bytes]] = [
            self._message,
            self._message,
            self._message,
            self._cancel,
            self._odd,
            self._end,
        ]
        walk += [chance.choice(steps)() for _ in range(chance.randint(0, 6))]
        if chance.random() < 0.6:
            walk.append(self._end())
        if walk and chance.random() < 0.7:
            index = chance.randrange(len(walk))
            walk[index] = self._damaged(walk[index])
        if chance.random() < 0.1:
            chance.shuffle(walk)
        return walk

    def _request(self) -> bytes:
        chance = self._chance
        contexts = [
            ProposedContext(VERIFICATION, (IMPLICIT,)),
            ProposedContext(CT, (IMPLICIT, EXPLICIT), scp_role=chance.random() < 0.3),
            ProposedContext(FIND, (IMPLICIT,)),
        ] * chance.choice((1, 1, 1, 40))
        user = UserInformation(chance.choice((0, 1, 128, 16384, 0xFFFFFFFF)))
        if chance.random() < 0.2:
            user = replace(user, identity=UserIdentity(chance.randrange(7), b"user", chance.randbytes(9)))
        if chance.random() < 0.2:
            user = replace(
                user, extended={chance.choice((FIND, *_NASTY_UIDS)): chance.randbytes(4)}, async_window=(0, 0)
            )
        return pdu.encode_associate_rq(request_for("FUZZ", "CHARRUA", contexts, user))

    def _message(self) -> bytes:
        chance = self._chance
        number, command_field, sop_class = chance.choice(
            ((1, CommandField.C_ECHO, VERIFICATION), (3, CommandField.C_STORE, CT), (5, CommandField.C_FIND, FIND))
        )
        has_data = command_field != CommandField.C_ECHO
        command = Command(command_field, chance.choice((1, 1, 0, 65535)), affected_sop_class_uid=sop_class, priority=0)
        command.affected_sop_instance_uid = "1.2.3" if command_field == CommandField.C_STORE else None
        command.data_set_type = 1 if has_data else 0x0101
        self._spoil(command)
        parts = self._fragments(number, 1, encode_command(command))
        if has_data or chance.random() < 0.05:
            parts += self._fragments(number, 0, chance.randbytes(chance.choice((0, 2, 500, 40000))))
        return b"".join(parts)

    def _spoil(self, command: Command) -> None:
        chance = self._chance
        if chance.random() < 0.15:
            command.affected_sop_instance_uid = chance.choice(_NASTY_UIDS)
        if chance.random() < 0.05:
            command.affected_sop_class_uid = chance.choice(_NASTY_UIDS)
        if chance.random() < 0.1:
            command.command_field = chance.choice((*CommandField, 0x8001, 0x8030, 0x8020, 0x7777, 0xFFFF))
        if chance.random() < 0.05:
            command.message_id = None
            command.message_id_being_responded_to = chance.randrange(65536)

    def _fragments(self, context_id: int, control: int, data: bytes) -> list[bytes]:
        chance = self._chance
        size = chance.choice((1, 7, 100, 16000, 60000)) if len(data) < 1000 else chance.choice((4000, 16000, 60000))
        pieces = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
        made = []
        for number, piece in enumerate(pieces):
            last = 2 if number == len(pieces) - 1 else 0
            flags = control | last if chance.random() < 0.98 else chance.randrange(256)
            context = context_id if chance.random() < 0.98 else chance.randrange(256)
            made.append(struct.pack(">BxIIBB", 4, len(piece) + 6, len(piece) + 2, context, flags) + piece)
        return made

    def _cancel(self) -> bytes:
        command = Command(CommandField.C_CANCEL, message_id_being_responded_to=1)
        return b"".join(self._fragments(5, 1, encode_command(command)))

    def _odd(self) -> bytes:
        chance = self._chance
        kind = chance.choice((0, 1, 2, 3, 5, 6, 8, 0x16, 0x47, 255))
        return struct.pack(">BBI", kind, 0, chance.choice(_NASTY_LENGTHS)) + chance.randbytes(
            chance.choice((0, 4, 200))
        )

    def _end(self) -> bytes:
        return self._chance.choice((pdu.ENCODED_RELEASE_RQ, pdu.ENCODED_RELEASE_RQ, pdu.encode_abort(0, 0)))

    def _damaged(self, data: bytes) -> bytes:
        chance = self._chance
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(damaged) + 1)
            how = chance.randrange(6)
            if how == 0:
                damaged[at : at + 1] = bytes((chance.randrange(256),))
            elif how == 1:
                del damaged[at : at + chance.choice((1, 2, 4, 100))]
            elif how == 2:
                damaged[at:at] = chance.randbytes(chance.choice((1, 4, 50)))
            elif how == 3:
                damaged[2:6] = struct.pack(">I", chance.choice(_NASTY_LENGTHS))
            elif how == 4:
                damaged[at : at + 2] = struct.pack(">H", chance.choice(_NASTY_LENGTHS) & 0xFFFF)
            else:
                damaged += damaged[at : at + 1000]
        return bytes(damaged)


@dataclass
class Findings:
    """What came of it."""

    inputs: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    """Type of the last PDU that came back (0: none) → how often."""
    silent: int = 0
    """Connections that the server had not closed when the input's time was up."""
    echoes_ms: list[float] = field(default_factory=list)

    def note(self, received: bytes, *, closed: bool) -> None:
        """Count one input."""
        self.inputs += 1
        self.silent += not closed
        last, offset = 0, 0
        while offset + 6 <= len(received):
            last = received[offset]
            offset += 6 + int.from_bytes(received[offset + 2 : offset + 6], "big")
        self.answers[last] = self.answers.get(last, 0) + 1


async def _one(server: Server, parts: list[bytes], chance: random.Random, findings: Findings) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    ending = chance.random()
    goes_away = ending < 0.2  # else it closes its side (most), or stays to see whether the server cuts it
    received, closed = b"", True
    try:
        async with asyncio.timeout(0.05 if goes_away else 10.0):
            for part in parts:
                writer.write(part)
                if chance.random() < 0.3:
                    await asyncio.sleep(0)
            if 0.2 <= ending < 0.98:
                writer.write_eof()
            while more := await reader.read(65536):
                received += more
    except TimeoutError:
        closed = goes_away
    except OSError:  # the server has closed before it had read everything
        pass
    writer.transport.abort()
    findings.note(received, closed=closed)


async def _worker(server: Server, chance: random.Random, findings: Findings, count: int, until: float) -> None:
    grammar = Grammar(chance)
    for _ in range(count):
        if time.monotonic() > until:
            return
        await _one(server, grammar.connection(), chance, findings)


async def _echoes(server: Server, findings: Findings) -> None:
    while True:
        findings.echoes_ms.append(await asyncio.to_thread(echo_ms, server, "ECHO"))
        await asyncio.sleep(0.2)


async def fuzz(server: Server, count: int, seconds: float, seed: int, parallel: int = 32) -> Findings:
    """Send the inputs, `parallel` at a time, until they are done or the time is up."""
    findings, until = Findings(), time.monotonic() + seconds
    echoing = asyncio.create_task(_echoes(server, findings))
    workers = [
        _worker(server, random.Random(f"{seed}.{n}"), findings, count // parallel, until) for n in range(parallel)
    ]
    await asyncio.gather(*workers)
    echoing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await echoing
    return findings


def _settled(child: Child, timeout_s: float = 15.0) -> dict[str, Any]:
    """The child's state once its last connections are closed."""
    until = time.monotonic() + timeout_s
    while (state := child.state())["associations"] + state["pending"] and time.monotonic() < until:
        time.sleep(0.2)
    return state


def _report(findings: Findings, elapsed_s: float, growth_mib: float, failures: list[str]) -> int:
    slowest = max(findings.echoes_ms, default=0.0)
    if slowest > LONGEST_ECHO_MS:
        failures.append("an echo waited")
    if growth_mib > MOST_GROWTH_MIB:
        failures.append("memory grew")
    if findings.silent:
        failures.append(f"{findings.silent} connections stayed open")
    answers = ", ".join(f"type {kind}: {number}" for kind, number in sorted(findings.answers.items()))
    print(
        f"{findings.inputs} inputs in {elapsed_s:.0f} s ({findings.inputs / elapsed_s:.0f}/s), "
        f"memory {growth_mib:+.1f} MiB, slowest of {len(findings.echoes_ms)} echoes {slowest:.1f} ms, "
        f"last answers {answers}; {'; '.join(failures) or 'nothing crashed, leaked or waited'}"
    )
    return 1 if failures else 0


def _fuzz_child(options: argparse.Namespace) -> int:
    limits = {"artim_s": 1.0, "pdu_timeout_s": 1.0, "dimse_timeout_s": 1.0, "idle_timeout_s": 1.0}
    with running_child(**limits) as child:
        server = Server("127.0.0.1", child.port, "CHARRUA", [child.pid])
        asyncio.run(fuzz(server, 500, 20, options.seed + 1))
        before, before_mib, started = _settled(child), resident_mib([child.pid]), time.monotonic()
        findings = asyncio.run(fuzz(server, options.count, options.seconds, options.seed))
        elapsed_s, after = time.monotonic() - started, _settled(child)
        growth_mib = resident_mib([child.pid]) - before_mib
    kinds = ("tasks", "associations", "pending", "descriptors")
    failures = [f"{kind} {before[kind]} → {after[kind]}" for kind in kinds if after[kind] > before[kind]]
    failures += [f"unhandled: {text}" for text in after["unhandled"]]
    return _report(findings, elapsed_s, growth_mib, failures)


def _fuzz_running(options: argparse.Namespace) -> int:
    server = Server(options.host, options.port, options.aet, options.pid)
    before_mib, started = resident_mib(options.pid), time.monotonic()
    findings = asyncio.run(fuzz(server, options.count, options.seconds, options.seed))
    elapsed_s = time.monotonic() - started
    return _report(findings, elapsed_s, resident_mib(options.pid) - before_mib, [])


def main() -> int:
    """Fuzz what is asked for."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_dicom", description=__doc__)
    arguments.add_argument("--count", type=int, default=20_000, help="inputs at most")
    arguments.add_argument("--seconds", type=float, default=60.0, help="time at most")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, help="of a running server; without it, a listener of our own is fuzzed")
    arguments.add_argument("--aet", default="CHARRUA")
    arguments.add_argument("--pid", type=int, nargs="*", default=[], help="the running server's processes")
    options = arguments.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # our own sends fail all the time
    return _fuzz_running(options) if options.port else _fuzz_child(options)


if __name__ == "__main__":
    sys.exit(main())
