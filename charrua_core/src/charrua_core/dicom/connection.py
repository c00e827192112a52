"""One TCP connection of the upper layer (PS3.8 9.3): bytes into PDUs and fragments, deadlines, and what may be written.

All connections of a thread read into one shared buffer, because each read is digested before the next begins; an idle or
half-open connection owns no buffer at all, and fragments of data sets go from it to their sink without a copy.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from typing import Any, Protocol, cast

from charrua_core.dicom.deadlines import NEVER, deadlines
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.pdu import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RQ,
    P_DATA_TF,
    AbortReason,
    ProtocolViolation,
    encode_abort,
)

BULK_READ = 1 << 20
SMALL_READ = 1 << 14
LINGER_S = 2.0
"""How long we read on after our last PDU, so that closing does not take it out of the peer's hands (PS3.8, Sta13)."""
_HIGH_WATER = 1 << 18
"""Bytes kept for a peer that reads slowly: what is kept is also what it must still read after its C-CANCEL."""

_SPOKEN = {0x16: "it speaks TLS", **dict.fromkeys(b"GPHO", "it speaks HTTP")}
"""By its first byte, what one speaks who has come to the wrong port."""
_HEADER = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)

_threads = threading.local()


def _shared_buffer() -> memoryview:
    if sys.platform == "win32":  # an overlapped read owns its buffer until it ends
        return memoryview(bytearray(SMALL_READ * 4))
    if not hasattr(_threads, "buffer"):
        _threads.buffer = memoryview(bytearray(BULK_READ))
    buffer: memoryview = _threads.buffer
    return buffer


def _own_socket(of_transport: Any) -> socket.socket:
    """A socket over the transport's descriptor, to be detached before that is closed.

    uvloop's own makes a new one, and asks the kernel for its address, at each option that is set.
    """
    return socket.socket(of_transport.family, of_transport.type, of_transport.proto, of_transport.fileno())


class Upper(Protocol):
    """What a connection tells the association above it."""

    def on_connected(self) -> None:
        """The connection (and its TLS) stands."""

    def on_pdu(self, kind: int, body: bytes) -> None:
        """A whole PDU other than P-DATA-TF."""

    def on_pdv(self, context_id: int, control: int) -> None:
        """A presentation data value begins: control bit 0 command, bit 1 last fragment (PS3.8 E.2)."""

    def on_fragment(self, view: memoryview) -> None:
        """Bytes of that value. The view is valid during the call only, or until `on_fed`."""

    def on_pdv_end(self) -> None:
        """That value is complete."""

    def on_fed(self) -> None:
        """All bytes of one read were passed on."""

    def patience_s(self) -> float:
        """How long the peer may stay silent now, between PDUs."""

    def on_violation(self, violation: ProtocolViolation | None) -> None:
        """The peer broke the protocol, or let a deadline pass (None); the A-ABORT is on its way."""

    def on_lost(self) -> None:
        """The connection is gone."""


class Connection(asyncio.BufferedProtocol):
    """See the module. `expected` holds the PDU types that the association's state admits (PS3.8 9.2)."""

    transport: asyncio.Transport

    def __init__(self, upper: Upper, limits: Limits, expected: frozenset[int]) -> None:
        self.expected = expected
        self.bulk = False
        self.bytes_received = 0
        self.bytes_sent = 0
        self._upper = upper
        self._limits = limits
        self._phase = self._on_header
        self._partial = bytearray()
        self._held = bytearray()
        self._stalled: set[str] = set()
        self._paused = self._feeding = self._closing = False
        self._lost = True  # until there is a connection, as after it
        self._kind = self._pdu_left = self._fragment_left = self._pdus = 0
        self._timed_pdu = -1
        self._deadline_is_fixed = True
        self.deadline = self._read_deadline = self._write_deadline = NEVER
        self._drained: asyncio.Future[None] | None = None

    # Reading

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self._lost = False
        self._socket = _own_socket(transport.get_extra_info("socket"))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._buffer = _shared_buffer()
        self._loop = asyncio.get_running_loop()
        self._clock = deadlines()
        self._wait_until(self._loop.time() + self._limits.artim_s)
        self._clock.watch(self)
        self._upper.on_connected()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Called by the loop before each read: small unless the rest of a data set is expected, which has its sink."""
        return self._buffer if self.bulk else self._buffer[:SMALL_READ]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the loop after each read."""
        self.bytes_received += nbytes
        if _QUICKACK is not None:  # the kernel forgets it; without it, a peer with Nagle's algorithm waits 40 ms
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        if self._stalled:
            self._held += self._buffer[:nbytes]
            self._pause()
        else:
            self._feed(self._buffer[:nbytes])

    def _feed(self, view: memoryview) -> None:
        offset, end = 0, len(view)
        self._feeding = True
        try:
            while offset < end and not self._stalled:
                offset = self._phase(view, offset)
            self._upper.on_fed()
        except ProtocolViolation as violation:
            self._upper.on_violation(violation)
            self.abort(2, violation.reason)
            return
        finally:
            self._feeding = False
        if offset < end:
            self._held += view[offset:]
        self.touch()

    def _gather(self, view: memoryview, offset: int, size: int) -> tuple[memoryview | bytes | None, int]:
        """A block of `size` bytes once it is whole, and the offset behind what was taken."""
        if not self._partial and len(view) - offset >= size:
            return view[offset : offset + size], offset + size
        end = min(len(view), offset + size - len(self._partial))
        self._partial += view[offset:end]
        if len(self._partial) < size:
            return None, end
        block, self._partial = bytes(self._partial), bytearray()
        return block, end

    def _on_header(self, view: memoryview, offset: int) -> int:
        block, offset = self._gather(view, offset, 6)
        if block is not None:
            self._kind, self._pdu_left = _HEADER.unpack(block)
            self._check_header()
            self._phase = self._on_pdv_header if self._kind == P_DATA_TF else self._on_body
        return offset

    def _check_header(self) -> None:
        kind, length = self._kind, self._pdu_left
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise ProtocolViolation(AbortReason.UNRECOGNIZED_PDU, _SPOKEN.get(kind, "that is no PDU"))
        if kind not in self.expected:
            raise ProtocolViolation(AbortReason.UNEXPECTED_PDU, "this PDU is not expected now")
        if kind == P_DATA_TF:
            fits = 6 <= length <= self._limits.max_pdu
        elif kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            fits = 68 <= length <= self._limits.max_association_pdu
        else:
            fits = length == 4
        if not fits:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the PDU's length is out of bounds")

    def _on_body(self, view: memoryview, offset: int) -> int:
        block, offset = self._gather(view, offset, self._pdu_left)
        if block is not None:
            self._end_pdu()
            self._upper.on_pdu(self._kind, bytes(block))
        return offset

    def _on_pdv_header(self, view: memoryview, offset: int) -> int:
        if self._pdu_left < 6:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a presentation data value is cut short")
        block, offset = self._gather(view, offset, 6)
        if block is None:
            return offset
        length, context_id, control = _PDV.unpack(block)
        if length < 2 or length + 4 > self._pdu_left:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a presentation data value has a wrong length")
        self._pdu_left -= length + 4
        self._fragment_left = length - 2
        self._phase = self._on_fragment
        self._upper.on_pdv(context_id, control)
        return offset if self._fragment_left else self._on_fragment(view, offset)

    def _on_fragment(self, view: memoryview, offset: int) -> int:
        stop = min(len(view), offset + self._fragment_left)
        if stop > offset:
            self._fragment_left -= stop - offset
            self._upper.on_fragment(view[offset:stop])
        if not self._fragment_left:
            if self._pdu_left:
                self._phase = self._on_pdv_header
            else:
                self._end_pdu()
            self._upper.on_pdv_end()
        return stop

    def _end_pdu(self) -> None:
        self._pdus += 1
        self._phase = self._on_header

    def _discard(self, view: memoryview, offset: int) -> int:  # noqa: ARG002
        return len(view)

    # Back-pressure

    def hold(self, reason: str) -> None:
        """Digest nothing more until `proceed(reason)`; what was read stays, and reading stops with the next bytes."""
        self._stalled.add(reason)
        self._timed_pdu = -1

    def proceed(self, reason: str) -> None:
        """End of `hold(reason)`: if no other reason is left, digest what was kept, and read on."""
        if reason in self._stalled:
            self._stalled.remove(reason)
            if not self._stalled and not self._feeding and not self._lost:
                self._resume()

    def _resume(self) -> None:
        if self._held:
            held, self._held = self._held, bytearray()
            self._feed(memoryview(held))
        if not self._stalled and self._paused:
            self._paused = False
            self.transport.resume_reading()
        self.touch()

    def _pause(self) -> None:
        if not self._paused and not self._lost:
            self._paused = True
            self.transport.pause_reading()

    # Time

    def _wait_until(self, deadline: float) -> None:
        """Note how long we wait for the peer's bytes."""
        self._read_deadline = deadline
        self.deadline = min(deadline, self._write_deadline)
        self._clock.hasten(self.deadline)

    def touch(self) -> None:
        """Set the deadline for what is awaited from the peer now."""
        if self._deadline_is_fixed:
            return
        if self._stalled:
            self._wait_until(NEVER)
        elif self._phase != self._on_header or self._partial:
            if self._timed_pdu != self._pdus:
                self._timed_pdu = self._pdus
                self._wait_until(self._loop.time() + self._limits.pdu_timeout_s)
        else:
            self._wait_until(self._loop.time() + self._upper.patience_s())

    def established(self, expected: frozenset[int]) -> None:
        """The association stands: ARTIM ends, and `touch` rules the deadline."""
        self.expected = expected
        self._deadline_is_fixed = False
        self.touch()

    def expire(self) -> None:
        """The deadline has passed: abort, or cut the connection if that was done."""
        if self._closing:
            self.transport.abort()
        else:
            self._upper.on_violation(None)
            self.abort(2, AbortReason.NOT_SPECIFIED)

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send the bytes; `await drained()` before the next ones."""
        if not self._closing and not self._lost:
            self.bytes_sent += len(data)
            self.transport.write(data)

    async def drained(self) -> None:
        """Wait until the peer has taken enough; ConnectionError if it is gone."""
        if self._lost:
            raise ConnectionResetError
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def pause_writing(self) -> None:
        """Called by the transport: the peer reads slower than we write."""
        self._write_deadline = self._loop.time() + self._limits.dimse_timeout_s
        self.deadline = min(self._read_deadline, self._write_deadline)
        self._clock.hasten(self.deadline)
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Called by the transport."""
        self._write_deadline = NEVER
        self.deadline = self._read_deadline
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # Ending

    def abort(self, source: int, reason: int) -> None:
        """Send A-ABORT and close."""
        if not self._closing:
            self.write(encode_abort(source, reason))
            self.close_soon()

    def close_soon(self) -> None:
        """Close once the peer has, or after `LINGER_S`; whatever it still sends is thrown away."""
        if self._closing:
            return
        self._closing = self._deadline_is_fixed = True
        self._phase = self._discard
        self._held.clear()
        self._partial.clear()
        self._wait_until(self._loop.time() + LINGER_S)
        self.bulk = False
        self._stalled.clear()
        self._resume()

    def close(self) -> None:
        """Close now, after what was written: the peer has said the last word (PS3.8 AA-3, AR-3)."""
        if not self._closing:
            self.close_soon()
            self.transport.close()

    def cut(self) -> None:
        """Close at once, without a word."""
        self._closing = True
        if not self._lost:
            self.transport.abort()

    def eof_received(self) -> None:
        """Called by the loop, which closes then: the peer has, and what it had sent before is of no more use."""
        self.close_soon()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Called by the loop, once."""
        self._lost = self._closing = True
        self._socket.detach()
        self._clock.forget(self)
        self._held.clear()
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_exception(ConnectionResetError())
            drained.exception()  # nobody may be waiting
        self._upper.on_lost()
