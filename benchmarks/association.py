"""A DICOM association over a blocking socket: the fast client of the benchmarks, and the reader its sink shares."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple

from benchmarks import wire

MAX_PDU = 131072


class AssociationLost(Exception):
    """The peer refused, aborted or closed the association."""


class Released(AssociationLost):
    """The peer asked for release."""


class Message(NamedTuple):
    """One DIMSE message; `data` is None without a data set and empty when the data set was only counted."""

    context: int
    command: wire.Command
    data: bytes | None


class PduReader:
    """Reads PDUs and DIMSE messages from a socket with one large buffer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = bytearray(4 * MAX_PDU)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self.bytes_read = 0

    def _need(self, size: int) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        if self._start + size > len(self._buffer):
            left = self._end - self._start
            self._view[:left] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, left
        while self._end - self._start < size:
            got = self.connection.recv_into(self._view[self._end :])
            if got == 0:
                raise AssociationLost("connection closed")
            self._end += got
            self.bytes_read += got

    def pdu(self) -> tuple[int, memoryview]:
        """The next PDU's type and body; the body is valid until the next call."""
        self._need(6)
        kind, length = struct.unpack_from(">BxI", self._buffer, self._start)
        if length > len(self._buffer) - 6:
            raise AssociationLost(f"PDU of {length} bytes")
        self._need(6 + length)
        body = self._view[self._start + 6 : self._start + 6 + length]
        self._start += 6 + length
        return kind, body

    def message(self, keep: bool = True) -> Message:
        """The next DIMSE message; with `keep` false its data set is thrown away unread."""
        command, data = bytearray(), bytearray()
        parsed: wire.Command = {}
        while True:
            kind, body = self.pdu()
            if kind == wire.A_RELEASE_RQ:
                raise Released
            if kind != wire.P_DATA_TF:
                raise AssociationLost(f"PDU type {kind}: {bytes(body[:4]).hex()}")
            for context, flags, part in _pdvs(body):
                if flags & 1:
                    command += part
                elif keep:
                    data += part
                if flags == 3:
                    parsed = wire.decode_command(bytes(command))
                    if parsed[wire.DATA_SET_TYPE] == wire.NO_DATA_SET:
                        return Message(context, parsed, None)
                if flags == 2:
                    return Message(context, parsed, bytes(data))


def _pdvs(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    at = 0
    while at < len(body):
        length, context, flags = struct.unpack_from(">IBB", body, at)
        yield context, flags, body[at + 6 : at + 4 + length]
        at += 4 + length


class Association:
    """An open association as SCU; a context manager that releases it."""

    def __init__(
        self,
        address: tuple[str, int],
        called: str,
        contexts: Sequence[wire.Context],
        *,
        calling: str = "BENCH",
        timeout_s: float = 120.0,
    ) -> None:
        self.connection = socket.create_connection(address, timeout=timeout_s)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = PduReader(self.connection)
        self.connection.sendall(wire.associate_request(called, calling, contexts, MAX_PDU))
        kind, body = self.reader.pdu()
        if kind != wire.A_ASSOCIATE_AC:
            raise AssociationLost(f"refused: PDU type {kind} {bytes(body[:4]).hex()}")
        self.accepted, self.max_pdu = wire.read_accept(bytes(body))
        self._numbers = {context.abstract: 2 * number + 1 for number, context in enumerate(contexts)}

    def context(self, abstract: str) -> int:
        """The number of the accepted context of this SOP class; raises AssociationLost when the peer refused it."""
        number = self._numbers[abstract]
        if number not in self.accepted:
            raise AssociationLost(f"context of {abstract} refused")
        return number

    def send(self, abstract: str, command: wire.Command, data: bytes | None) -> None:
        """Send one message."""
        self.connection.sendall(wire.message(self.context(abstract), command, data, self.max_pdu))

    def exchange(self, framed: bytes | bytearray) -> int:
        """Send bytes already framed and return the status of the answer."""
        self.connection.sendall(framed)
        return int(self.reader.message(keep=False).command[wire.STATUS])

    def query(
        self, abstract: str, command: wire.Command, identifier: bytes, on_store: Callable[[Message], None] | None = None
    ) -> list[Message]:
        """Send C-FIND, C-MOVE or C-GET and return every response; C-STORE sub-operations are answered with success."""
        self.send(
            abstract,
            {wire.AFFECTED_CLASS: abstract.encode(), wire.MESSAGE_ID: 1, wire.PRIORITY: 0, **command},
            identifier,
        )
        responses = []
        while True:
            received = self.reader.message(keep=on_store is None)
            if received.command[wire.COMMAND] == 0x0001:
                self.connection.sendall(store_response(received, self.max_pdu))
                if on_store:
                    on_store(received)
                continue
            responses.append(received)
            if received.command[wire.STATUS] not in (0xFF00, 0xFF01):
                return responses

    def close(self) -> None:
        """Release the association and close the connection."""
        try:
            self.connection.sendall(struct.pack(">BxII", wire.A_RELEASE_RQ, 4, 0))
            self.reader.pdu()
        except (OSError, AssociationLost):
            pass  # the peer is gone already: nothing is left to release
        finally:
            self.connection.close()

    def __enter__(self) -> Association:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def store_response(request: Message, max_pdu: int) -> bytes:
    """A C-STORE-RSP with status success for this request."""
    command = request.command
    answer: wire.Command = {
        wire.AFFECTED_CLASS: bytes_of(command[wire.AFFECTED_CLASS]),
        wire.COMMAND: 0x8001,
        wire.RESPONDED_TO: command[wire.MESSAGE_ID],
        wire.STATUS: 0,
        wire.AFFECTED_INSTANCE: bytes_of(command[wire.AFFECTED_INSTANCE]),
    }
    return wire.message(request.context, answer, None, max_pdu)


def bytes_of(value: int | bytes) -> bytes:
    """A text element without its padding."""
    return value.rstrip(b"\0 ") if isinstance(value, bytes) else b""
