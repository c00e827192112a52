"""A C-STORE SCP that throws everything away: the destination of C-MOVE, so that only the archive is measured."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

from benchmarks import wire
from benchmarks.association import MAX_PDU, AssociationLost, PduReader, Released, store_response
from benchmarks.contestants import Peer

AET = "SINK"
_FORK = multiprocessing.get_context("fork")


class Sink(Peer):
    """A running sink, and how many objects it has taken."""

    counter: Any

    @property
    def taken(self) -> int:
        """Objects so far."""
        return int(self.counter.value)


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A running sink in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        counter = _FORK.Value("q", 0)
        process = _FORK.Process(target=_accept, args=(listener, counter), daemon=True)
        process.start()
        try:
            running = Sink(AET, "127.0.0.1", listener.getsockname()[1])
            running.counter = counter
            yield running
        finally:
            process.terminate()
            process.join()


def _accept(listener: socket.socket, counter: Any) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, counter), daemon=True).start()


def _serve(connection: socket.socket, counter: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = PduReader(connection)
    with connection, contextlib.suppress(AssociationLost, OSError):
        request = bytes(reader.pdu()[1])
        connection.sendall(wire.associate_accept(request, MAX_PDU))
        try:
            while True:
                connection.sendall(store_response(reader.message(keep=False), _limit(request)))
                with counter.get_lock():
                    counter.value += 1
        except Released:
            connection.sendall(struct.pack(">BxII", wire.A_RELEASE_RP, 4, 0))


def _limit(request: bytes) -> int:
    for kind, content in wire.items(request, 68):
        if kind == 0x50:
            limits = [int.from_bytes(value, "big") for part, value in wire.items(content, 0) if part == 0x51]
            return limits[0] or MAX_PDU
    return MAX_PDU
