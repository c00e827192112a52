"""The messages of all connections of a process: those that wait are processed and committed together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.db import connection_lost
from charrua_hl7.intake import measured
from charrua_hl7.intake.acknowledging import Own, batch_answer
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.framing import BEGIN, END
from charrua_hl7.intake.keeping import keep, where
from charrua_hl7.intake.splitting import split
from charrua_hl7.intake.waiting import Frame, Sender, Waiting

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

TOGETHER = 64
"""Messages of one transaction at most."""
LANES = 2
"""Transactions at a time: a message that takes long holds up nobody but its sender, and those beside it."""
TOGETHER_S = 0.03
"""What one transaction should take: nobody waits for longer than for the one before and his own."""
TOGETHER_BYTES = 1 << 20
READ_AT_A_TIME = 16
"""Messages that are read before the loop sees to others."""


class Intake:
    """Takes contents of frames with `offer`, as long as `run` runs."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting = Waiting()
        self._most = 1

    def offer(self, content: bytes, address: str, sender: Sender) -> asyncio.Future[bytes | None]:
        """Take the content of a frame; give the answer to it, once all of it is committed.

        The answer is b"" where the sender wants none, None where nothing could be kept.
        """
        frame = Frame(content, address, sender, asyncio.get_running_loop().create_future())
        self._waiting.add(frame)
        return frame.answer

    async def run(self) -> None:
        """Process what comes, without end."""
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(LANES):
                    lanes.create_task(self._lane(), name="HL7 intake")
        finally:
            for frame in self._waiting.give_up():
                _answer(frame, None)

    async def _lane(self) -> None:
        while True:
            await self._waiting.some.wait()
            if frames := self._waiting.take(self._most, TOGETHER_BYTES):
                try:
                    await self._process_in_time(frames)
                finally:
                    self._waiting.done(frames)

    async def _process_in_time(self, frames: list[Frame]) -> None:
        """Process them, and choose from how long that took how many are taken the next time."""
        began = time.monotonic()
        await self._process(frames)
        if time.monotonic() - began > TOGETHER_S:
            self._most = max(1, min(self._most, len(frames)) * 3 // 4)
        elif len(frames) == self._most:
            self._most = min(TOGETHER, self._most + 4)

    async def _process(self, frames: Sequence[Frame]) -> None:
        try:
            await self._read(frames)
            await self._keep(frames)
        finally:  # whatever happened, nobody waits for ever
            for frame in frames:
                _answer(frame, None)

    async def _read(self, frames: Sequence[Frame]) -> None:
        count = 0
        for frame in frames:
            frame.parts = split(frame.content)
            for content in frame.parts.messages:
                frame.arrivals.append(await Arrival.read(content, frame.address))
                count += 1
                if not count % READ_AT_A_TIME:
                    await asyncio.sleep(0)

    async def _keep(self, frames: Sequence[Frame]) -> None:
        """Keep all of them together; where that fails and the database is there, each frame by itself."""
        try:
            await self._keep_together(frames)
        except Exception as error:
            lost = connection_lost(error)
            log.error("HL7 messages could not be kept\n%s", "" if lost else where(error), extra={"lost": lost})
            if lost or len(frames) == 1:
                for frame in frames:
                    _count(frame, kept=False)
                    _answer(frame, None)
                return
            for frame in frames:
                await self._keep([frame])

    async def _keep_together(self, frames: Sequence[Frame]) -> None:
        arrivals = [one for frame in frames for one in frame.arrivals if not _is_acknowledgement(one)]
        for start in range(0, len(arrivals), TOGETHER):
            await keep(self._app, arrivals[start : start + TOGETHER])
        own = Own(self._app.settings["hl7_application"], self._app.settings["hl7_facility"])
        for frame in frames:
            _count(frame)
            self._note(frame)
            _answer(frame, _told(frame, own))

    def _note(self, frame: Frame) -> None:
        for one in frame.arrivals:
            if one.refused is not None and not one.repeats:
                facts = {"type": one.type, "answer": one.acknowledgement}
                self._app.troubles.note("message", one.text("MSH-3"), one.address, str(one.refused), **facts)


def _is_acknowledgement(one: Arrival) -> bool:
    """Whether it answers something: that is never answered, and says nothing that is kept."""
    return one.type.partition("^")[0] in ("ACK", "MCF")


def _told(frame: Frame, own: Own) -> bytes:
    told = [one.answer for one in frame.arrivals if one.answer]
    if frame.parts.is_batch:
        return batch_answer(frame.parts, own, told, frame.arrivals[0].id if frame.arrivals else 0)
    return (END + BEGIN).join(told)


def _answer(frame: Frame, answer: bytes | None) -> None:
    if not frame.answer.done():
        frame.answer.set_result(answer)
        measured.SECONDS.observe(time.monotonic() - frame.came)


def _count(frame: Frame, *, kept: bool = True) -> None:
    for one in frame.arrivals:
        measured.count(one.type, "none" if not kept else "repeated" if one.repeats else one.acknowledgement)
