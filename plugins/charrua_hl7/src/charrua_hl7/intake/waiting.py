"""Frames that wait to be done, by sender: each sender's in the order in which they came."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.splitting import Split


@dataclass(eq=False, slots=True)
class Sender:
    """Whose frames are done one after the other: a connection."""

    frames: deque[Frame] = field(default_factory=deque)
    busy: bool = False
    """Whether frames of it are being done: no others of it are until they are."""


@dataclass(eq=False, slots=True)
class Frame:
    """The content of a frame, and the answer to it: None where the connection is to be closed without one."""

    content: bytes
    address: str
    sender: Sender
    answer: asyncio.Future[bytes | None]
    came: float = field(default_factory=time.monotonic)
    parts: Split = field(default_factory=lambda: Split([]))
    arrivals: list[Arrival] = field(default_factory=list)


class Waiting:
    """What waits. `some` is set while there is something that can be taken."""

    def __init__(self) -> None:
        self.some = asyncio.Event()
        self._senders: dict[Sender, None] = {}

    def add(self, frame: Frame) -> None:
        """Have a frame wait behind the others of its sender."""
        frame.sender.frames.append(frame)
        self._offer(frame.sender)

    def take(self, most: int, size: int) -> list[Frame]:
        """Give frames to be done together, no more than so many, and no more once they have so many bytes.

        By turns the next is of the sender that has fewest waiting, who waits for each answer before he goes on, and the one
        that has waited longest: so nobody waits for all that another has sent ahead, nor for ever.
        """
        taken: list[Frame] = []
        while self._senders and len(taken) < most and size > 0:
            sender = min(self._senders, key=_longest_waiting if len(taken) % 2 else _number_waiting)
            taken.append(sender.frames.popleft())
            size -= len(taken[-1].content)
            if not sender.frames:
                del self._senders[sender]
        for frame in taken:
            frame.sender.busy = True
            self._senders.pop(frame.sender, None)
        self._tell()
        return taken

    def done(self, frames: Iterable[Frame]) -> None:
        """Let the next frames of the same senders be taken."""
        for frame in frames:
            frame.sender.busy = False
            self._offer(frame.sender)

    def give_up(self) -> list[Frame]:
        """Give all that wait; nothing waits then."""
        frames = [frame for sender in self._senders for frame in sender.frames]
        for sender in self._senders:
            sender.frames.clear()
        self._senders.clear()
        self._tell()
        return frames

    def _offer(self, sender: Sender) -> None:
        if sender.frames and not sender.busy:
            self._senders[sender] = None
            self._tell()

    def _tell(self) -> None:
        if self._senders:
            self.some.set()
        else:
            self.some.clear()


def _number_waiting(sender: Sender) -> int:
    return len(sender.frames)


def _longest_waiting(sender: Sender) -> float:
    return sender.frames[0].came
