"""One connection of a sender: its frames are answered in the order in which they came."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from charrua_hl7.errors import MessageRefused, MessageTooLarge
from charrua_hl7.intake.acknowledging import Header, Own, answers
from charrua_hl7.intake.framing import Framer, NotFramed, framed
from charrua_hl7.intake.waiting import Sender
from charrua_hl7.message import Message

if TYPE_CHECKING:
    from charrua_hl7.intake.listener import Listener

MOST_UNANSWERED = 64
"""Frames of one connection that wait; past that, no more is read of it."""
LINGER_S = 1.0


class Connection(asyncio.Protocol):
    """The archive's side. `close` lets what has come be answered first."""

    def __init__(self, listener: Listener, address: str) -> None:
        self.address = address
        self.ended = asyncio.Event()
        self._listener = listener
        self._sender = Sender()
        self._framer = Framer(listener.settings["hl7_max_message_bytes"])
        self._unanswered: deque[asyncio.Future[bytes | None]] = deque()
        self._transport: asyncio.Transport | None = None
        self._closing = self._full = self._lingering = False
        self._heard_at = self._began_at = self._drained_at = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        self._transport = cast("asyncio.Transport", transport)
        self._heard_at = time.monotonic()
        self._look_at_the_clock()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self._closing:
            return None
        self._heard_at = time.monotonic()
        if not self._framer.begun:
            self._began_at = self._heard_at
        try:
            contents = self._framer.feed(data)
        except NotFramed as error:
            self._listener.note(self.address, str(error), "protocol")
            return self._cut()
        if contents:
            self._began_at = self._heard_at
        for content in contents:
            self._expect(self._listener.intake.offer(content, self.address, self._sender))
        return None if self._framer.too_long is None else self._refuse_long(self._framer.too_long)

    def eof_received(self) -> bool:
        """Let a sender that says no more have its answers."""
        self._lingering = False
        self.close()
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        """Read no more of a sender that takes no answers."""
        self._full, self._drained_at = True, time.monotonic()
        self._choose_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self._choose_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        """What has come whole is processed all the same."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._listener.left(self)
        self.ended.set()

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to be given."""
        return bool(self._unanswered)

    def close(self) -> None:
        """Take nothing more, answer what has come, and end."""
        self._closing = True
        if self._transport is not None:  # it may still be in its TLS handshake
            self._choose_reading()
            self._flush()

    def _expect(self, answer: asyncio.Future[bytes | None]) -> None:
        self._unanswered.append(answer)
        answer.add_done_callback(lambda _: self._flush())
        self._choose_reading()

    def _flush(self) -> None:
        """Write the answers that are there, in their order."""
        assert self._transport is not None  # noqa: S101 -- asyncio calls connection_made first
        while self._unanswered and self._unanswered[0].done():
            told = self._unanswered.popleft()
            answer = None if told.cancelled() else told.result()
            if answer is None:  # the sender has to send it again
                return self._cut()
            if answer and not self._transport.is_closing():
                self._transport.write(framed(answer))
        self._choose_reading()
        if self._closing and not self._unanswered and not self._lingering:
            self._transport.close()
        return None

    def _choose_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        wanted = self._lingering or not (self._closing or self._full or len(self._unanswered) >= MOST_UNANSWERED)
        if wanted and not self._transport.is_reading():
            self._transport.resume_reading()
        elif not wanted and self._transport.is_reading():
            self._transport.pause_reading()

    def _refuse_long(self, head: bytes) -> None:
        """Answer AR to what has not even come whole, and end.

        What still comes is read for a moment: a connection that is closed before would take the answer with it.
        """
        own = Own(self._listener.settings["hl7_application"], self._listener.settings["hl7_facility"])
        most = self._listener.settings["hl7_max_message_bytes"]
        refused = MessageTooLarge(f"it has more than {most} bytes")
        try:
            header = Header.of(Message.parse(head.splitlines()[0]))
        except (MessageRefused, IndexError):
            header = Header.of(None)
        told: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        told.set_result(answers(header, own, 0, refused))
        self._listener.note(self.address, str(refused), "protocol")
        self._unanswered.append(told)
        self._closing = self._lingering = True
        self._flush()
        if self._transport is not None:
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)

    def _cut(self) -> None:
        self._closing = True
        self._unanswered.clear()
        if self._transport is not None:
            self._transport.abort()

    def _look_at_the_clock(self) -> None:
        """Close a connection that is idle, and cut one whose frame, or whose reading of answers, takes too long."""
        now, settings = time.monotonic(), self._listener.settings
        frame_s, idle_s = (settings[name].total_seconds() for name in ("hl7_frame_timeout", "hl7_idle_timeout"))
        due = now + frame_s
        if self._full:
            due = self._drained_at + frame_s
        elif self._framer.begun:
            due = self._began_at + frame_s
        elif not self._unanswered:
            due = self._heard_at + idle_s
        if due > now:  # looked at again in time for a frame that begins meanwhile
            self._timer = asyncio.get_running_loop().call_later(min(due - now, frame_s), self._look_at_the_clock)
        elif self._full or self._framer.begun:
            self._listener.note(self.address, "a message did not come whole in time", "slow")
            self._cut()
        else:
            self.close()
