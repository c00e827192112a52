"""What many silent peers cost, and whether an echo notices them.

`python -m benchmarks.idle_associations [--host H --port P --pid PID …] [--associations 2000] [--half 500]`: opens idle
associations and half-sent association requests, watches the server's processor and memory while nothing happens, then
times echoes, each on a new association. Without a port it measures the upper layer alone, in a process of its own; with
one, a running server whose processes are given. Prints one line; the exit status is 1 where issue 2's goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.dicom_child import VERIFICATION, running_child
from benchmarks.processes import resident_mib, usage
from charrua_core.dicom import Command, CommandField, ProposedContext
from charrua_core.dicom.command import encode_command
from charrua_core.dicom.fragments import COMMAND, framed
from charrua_core.dicom.negotiate import request_for
from charrua_core.dicom.pdu import ASSOCIATE_AC, ENCODED_RELEASE_RQ, P_DATA_TF, UserInformation, encode_associate_rq

_ECHO = framed(1, COMMAND, encode_command(Command(CommandField.C_ECHO, 1, affected_sop_class_uid=VERIFICATION)), 16384)
_ROOMY = {"max_associations": 5000, "max_pending": 5000, "max_pending_per_ip": 5000, "artim_s": 300.0}
GOAL_P99_MS, GOAL_CPU_PERCENT, GOAL_MIB = 50.0, 2.0, 300.0


@dataclass(frozen=True)
class Server:
    """Where it listens, what it calls itself, and its processes."""

    host: str
    port: int
    aet: str
    pids: Sequence[int]

    def connect(self) -> socket.socket:
        """A connection that waits for nothing longer than 10 s."""
        connection = socket.create_connection((self.host, self.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def request(self, calling: str) -> bytes:
        """The request for an association that can echo."""
        contexts = [ProposedContext(VERIFICATION, ("1.2.840.10008.1.2",))]
        return encode_associate_rq(request_for(calling, self.aet, contexts, UserInformation(16384)))

    def associate(self, calling: str) -> socket.socket:
        """An established association."""
        connection = self.connect()
        connection.sendall(self.request(calling))
        _expect(connection, ASSOCIATE_AC)
        return connection


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := connection.recv(size - len(data))):
            raise ConnectionError("the server has closed")
        data += more
    return data


def _expect(connection: socket.socket, kind: int) -> None:
    header = _receive(connection, 6)
    body = _receive(connection, int.from_bytes(header[2:], "big"))
    if header[0] != kind:
        raise ConnectionError(f"PDU type {header[0]} with {body[:4].hex()}, not type {kind}")


def echo_ms(server: Server, calling: str) -> float:
    """Milliseconds for one association with one C-ECHO."""
    started = time.perf_counter()
    with server.associate(calling) as connection:
        connection.sendall(_ECHO)
        _expect(connection, P_DATA_TF)
        elapsed = time.perf_counter() - started
        connection.sendall(ENCODED_RELEASE_RQ)
    return elapsed * 1000


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _half_requests(server: Server, count: int) -> list[socket.socket]:
    request = server.request("HALF")
    opened = []
    for number in range(count):
        connection = server.connect()
        connection.sendall(request[: 1 + number % (len(request) - 1)])
        opened.append(connection)
    return opened


def measure(server: Server, associations: int, half: int, idle_s: float, echoes: int) -> bool:
    """Print the figures; tell whether they reach the goal."""
    pids = list(server.pids)
    before_mib = resident_mib(pids)
    with contextlib.ExitStack() as opened:
        started = time.perf_counter()
        idle = [opened.enter_context(server.associate(f"IDLE{n % 100}")) for n in range(associations)]
        halves = [opened.enter_context(connection) for connection in _half_requests(server, half)]
        set_up_s = time.perf_counter() - started
        cpu_before, from_s = usage(pids).whole_cpu_ms, time.perf_counter()
        time.sleep(idle_s)
        cpu = (usage(pids).whole_cpu_ms - cpu_before) / (time.perf_counter() - from_s) / 10
        times = sorted(echo_ms(server, "ECHO") for _ in range(echoes))
        mib = resident_mib(pids)
        still = sum(map(_is_open, idle)), sum(map(_is_open, halves))
    p99 = times[int(len(times) * 0.99)]
    print(
        f"{associations} idle associations ({still[0]} still open) and {half} half requests ({still[1]} still open), "
        f"set up in {set_up_s:.1f} s: echo p50 {statistics.median(times):.1f} ms, p99 {p99:.1f} ms; "
        f"idle processor {cpu:.2f} % of a core; resident {mib:.0f} MiB (before: {before_mib:.0f})"
    )
    return p99 <= GOAL_P99_MS and cpu <= GOAL_CPU_PERCENT and mib <= GOAL_MIB and still[0] == associations


@contextlib.contextmanager
def _server(options: argparse.Namespace) -> Iterator[Server]:
    if options.port:
        yield Server(options.host, options.port, options.aet, options.pid)
        return
    with running_child(**_ROOMY) as child:
        yield Server("127.0.0.1", child.port, options.aet, [child.pid])


def main() -> int:
    """Measure what is asked for."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.idle_associations", description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument(
        "--port", type=int, help="of a running server; without it, a listener of our own is measured"
    )
    arguments.add_argument("--aet", default="CHARRUA")
    arguments.add_argument("--pid", type=int, nargs="*", default=[], help="the running server's processes")
    arguments.add_argument("--associations", type=int, default=2000)
    arguments.add_argument("--half", type=int, default=500)
    arguments.add_argument("--seconds", type=float, default=10.0, help="how long nothing happens")
    arguments.add_argument("--echoes", type=int, default=300)
    options = arguments.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with _server(options) as server:
        return 0 if measure(server, options.associations, options.half, options.seconds, options.echoes) else 1


if __name__ == "__main__":
    sys.exit(main())
