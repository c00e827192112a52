"""The group writer of a process: files to their places and their rows into the index at once, then one commit, then answers.

A group is whatever waits at the moment, so that a lone sender never waits for company. While a group's files are flushed,
its rows are written in a transaction that is committed when the files have their places; the next group's files are
flushed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from charrua_core.archive.ingest.measured import FLUSH_SECONDS, GROUP_OBJECTS
from charrua_core.errors import CharruaError, CommitUnknown
from charrua_core.storage import Placing

if TYPE_CHECKING:
    from charrua_core.archive.index.store import Outcome, Place
    from charrua_core.archive.ingest.spool import Spool
    from charrua_core.storage import Volume

MOST_IN_GROUP = 64

T = TypeVar("T")
log = logging.getLogger(__name__)


class Places:
    """Where the files of a group lie, once they do."""

    def __init__(self, found: Sequence[asyncio.Future[Place]]) -> None:
        self._found = found

    @property
    def known(self) -> bool:
        """Whether `wait` gives them at once."""
        return all(place.done() for place in self._found)

    async def wait(self) -> list[Place]:
        """Give for each object the path at which its file lies, or why it lies nowhere."""
        return [await place for place in self._found]

    def ordered(self, order: Sequence[int]) -> Places:
        """Give them in the order of these numbers."""
        return Places([self._found[number] for number in order])


Commit = Callable[[Sequence[T], Places], Awaitable[Sequence["Outcome | CharruaError"]]]
"""Indexes objects; gives for each the outcome, or the error with which it ends. Nothing is committed before the places."""


@dataclass(eq=False, slots=True)
class Waiting(Generic[T]):
    """An object on its way. `spool` is None for one that lies in its place, which is then `relative`."""

    spool: Spool | None
    relative: str
    content: T
    placed: Callable[[str], None]
    written: asyncio.Future[Outcome]
    place: asyncio.Future[Place]

    @property
    def volume(self) -> Volume | None:
        """Where its file is to be placed."""
        return self.spool.volume if self.spool is not None else None


class GroupWriter(Generic[T]):
    """See the module. `commit` indexes a group, and is never called before it has ended."""

    def __init__(self, commit: Commit[T]) -> None:
        self._commit = commit
        self._to_place: deque[Waiting[T]] = deque()
        self._to_commit: deque[Waiting[T]] = deque()
        self._placing: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def write(self, spool: Spool, relative: str, content: T, placed: Callable[[str], None]) -> Outcome:
        """Place the spool's file and commit its row; gives what the index made of it, having told its path to `placed`.

        Raises what the volume or the index raises for it. A caller that is cancelled leaves the object to be written.
        """
        one = self._begin(spool, relative, content, placed)
        spool.hand_over()
        self._to_place.append(one)
        self._place_next()
        return await one.written

    async def commit(self, path: str, content: T) -> Outcome:
        """Commit the row of an object that lies in its place; see `write`."""
        one = self._begin(None, path, content, lambda _: None)
        one.place.set_result(path)
        self._to_commit.append(one)
        self._commit_next()
        return await one.written

    async def close(self) -> None:
        """Finish what waits."""
        await self._idle.wait()

    def _begin(self, spool: Spool | None, relative: str, content: T, placed: Callable[[str], None]) -> Waiting[T]:
        loop = asyncio.get_running_loop()
        self._under_way += 1
        self._idle.clear()
        return Waiting(spool, relative, content, placed, loop.create_future(), loop.create_future())

    def _end(self, one: Waiting[T], outcome: Outcome | CharruaError) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
        if one.written.done():  # whoever waited was cancelled
            return
        if isinstance(outcome, CharruaError):
            one.written.set_exception(outcome)
        else:
            one.written.set_result(outcome)

    # -- files ---------------------------------------------------------------------------------------------------------
    def _place_next(self) -> None:
        """Begin with what waits, unless a group is being placed; its rows need not wait for it."""
        if self._placing is None and self._to_place:
            group = self._next_to_place()
            self._placing = asyncio.create_task(self._place(group), name="ingest placing")
            self._to_commit += group
            self._commit_next()

    def _next_to_place(self) -> list[Waiting[T]]:
        """What waits for the volume of the first that does."""
        group = [self._to_place.popleft()]
        volume = group[0].volume
        while self._to_place and len(group) < MOST_IN_GROUP and self._to_place[0].volume is volume:
            group.append(self._to_place.popleft())
        return group

    async def _place(self, group: list[Waiting[T]]) -> None:
        try:
            places = await _placed(group)
        finally:
            self._placing = None
        for one, place in zip(group, places, strict=True):
            _settle(one, place)
        self._place_next()

    # -- rows ----------------------------------------------------------------------------------------------------------
    def _commit_next(self) -> None:
        if self._committing is None and self._to_commit:
            group = [self._to_commit.popleft() for _ in range(min(len(self._to_commit), MOST_IN_GROUP))]
            GROUP_OBJECTS.observe(len(group))
            self._committing = asyncio.create_task(self._commit_group(group), name="ingest committing")

    async def _commit_group(self, group: list[Waiting[T]]) -> None:
        places = Places([one.place for one in group])
        outcomes: Sequence[Outcome | CharruaError]
        try:
            outcomes = await self._commit([one.content for one in group], places)
        except Exception as error:
            log.exception("a group could not be committed", extra={"action": "refused", "objects": len(group)})
            await places.wait()
            outcomes = [_doubted(error)] * len(group)
        self._committing = None
        self._commit_next()
        for one, outcome in zip(group, outcomes, strict=True):
            self._end(one, outcome)


async def _placed(group: Sequence[Waiting[T]]) -> Sequence[Place]:
    """The places of a group on one volume, or the error for all of them."""
    placings = [Placing(one.spool.path, one.relative, one.spool.descriptor) for one in group if one.spool is not None]
    try:
        with FLUSH_SECONDS.time():
            return await group[0].volume.place_many(placings)  # type: ignore[union-attr]  # what waits has a volume
    except Exception as error:
        log.exception("objects could not be placed", extra={"action": "refused", "objects": len(group)})
        return [_named(error)] * len(group)


def _settle(one: Waiting[T], place: Place) -> None:
    """Close the file and tell where it lies, or that it does not."""
    lies = not isinstance(place, CharruaError)
    if one.spool is not None:
        one.spool.placed(done=lies)
    if isinstance(place, str):
        one.placed(place)
    one.place.set_result(place)


def _named(error: Exception) -> CharruaError:
    if isinstance(error, CharruaError):
        return error
    named = CharruaError(f"storing failed ({type(error).__name__})")
    named.__cause__ = error
    return named


def _doubted(error: Exception) -> CharruaError:
    """What nobody foresaw may have come after the commit: the files stay."""
    if isinstance(error, CharruaError):
        return error
    unknown = CommitUnknown(f"storing failed ({type(error).__name__})")
    unknown.__cause__ = error
    return unknown
