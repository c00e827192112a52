"""Frames that wait to be done, by sender: each sender's in the order in which they came."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.splitting import Split


@dataclass(eq=False, slots=True)
class Sender:
    """Whose frames are done one after the other: a connection."""

    frames: deque[Frame] = field(default_factory=deque)


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
        self._senders[frame.sender] = None
        self.some.set()

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
        if not self._senders:
            self.some.clear()
        return taken

    def give_up(self) -> list[Frame]:
        """Give all that wait; nothing waits then."""
        frames = [frame for sender in self._senders for frame in sender.frames]
        for sender in self._senders:
            sender.frames.clear()
        self._senders.clear()
        self.some.clear()
        return frames


def _number_waiting(sender: Sender) -> int:
    return len(sender.frames)


def _longest_waiting(sender: Sender) -> float:
    return sender.frames[0].came
