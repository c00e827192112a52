"""The group writer of a process: files to their places, then their rows in one commit, then every sender its answer.

A group is whatever waits at the moment, so that a lone sender never waits for company. While one group commits, the next
one's files are placed already; every answer follows its own commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Generic, TypeVar

from charrua_core.errors import CharruaError, CommitUnknown
from charrua_core.storage import Placing

if TYPE_CHECKING:
    from charrua_core.archive.index_store import Outcome
    from charrua_core.archive.ingest_spool import Spool

MOST_IN_GROUP = 64

T = TypeVar("T")
log = logging.getLogger(__name__)

Commit = Callable[[Sequence[tuple[T, PurePath]]], Awaitable[Sequence["Outcome | CharruaError"]]]
"""Indexes objects at the paths where they now lie; gives for each the outcome, or the error with which it ends."""


@dataclass(eq=False, slots=True)
class ToPlace(Generic[T]):
    """A file that waits for its place."""

    spool: Spool
    placing: Placing
    content: T
    placed: Callable[[PurePath], None]
    written: asyncio.Future[Outcome]


@dataclass(eq=False, slots=True)
class ToCommit(Generic[T]):
    """An object that lies in its place and waits for its row."""

    path: PurePath
    content: T
    written: asyncio.Future[Outcome]


class GroupWriter(Generic[T]):
    """See the module. `commit` indexes a group, and is never called before it has ended."""

    def __init__(self, commit: Commit[T]) -> None:
        self._commit = commit
        self._to_place: deque[ToPlace[T]] = deque()
        self._to_commit: deque[ToCommit[T]] = deque()
        self._work_to_place = asyncio.Event()
        self._work_to_commit = asyncio.Event()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def write(self, spool: Spool, relative: PurePath, content: T, placed: Callable[[PurePath], None]) -> Outcome:
        """Place the spool's file and commit its row; gives what the index made of it, having told its path to `placed`.

        Raises what the volume or the index raises for it. A caller that is cancelled leaves the object to be written.
        """
        placing = Placing(spool.path, relative, spool.descriptor)
        written = self._begin()
        spool.hand_over()
        self._to_place.append(ToPlace(spool, placing, content, placed, written))
        self._work_to_place.set()
        return await written

    async def commit(self, path: PurePath, content: T) -> Outcome:
        """Commit the row of an object that lies in its place; see `write`."""
        written = self._begin()
        self._to_commit.append(ToCommit(path, content, written))
        self._work_to_commit.set()
        return await written

    async def close(self) -> None:
        """Finish what waits, and end."""
        await self._idle.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _begin(self) -> asyncio.Future[Outcome]:
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._place_groups(), name="ingest placing"),
                asyncio.create_task(self._commit_groups(), name="ingest committing"),
            ]
        self._under_way += 1
        self._idle.clear()
        return asyncio.get_running_loop().create_future()

    def _end(self, written: asyncio.Future[Outcome], outcome: Outcome | CharruaError) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
        if written.done():  # whoever waited was cancelled
            return
        if isinstance(outcome, CharruaError):
            written.set_exception(outcome)
        else:
            written.set_result(outcome)

    async def _place_groups(self) -> None:
        while True:
            await self._work_to_place.wait()
            self._work_to_place.clear()
            while self._to_place:
                await self._place(self._next_to_place())

    def _next_to_place(self) -> list[ToPlace[T]]:
        """What waits for the volume of the first that does."""
        group = [self._to_place.popleft()]
        volume = group[0].spool.volume
        while self._to_place and len(group) < MOST_IN_GROUP and self._to_place[0].spool.volume is volume:
            group.append(self._to_place.popleft())
        return group

    async def _place(self, group: list[ToPlace[T]]) -> None:
        places: Sequence[PurePath | CharruaError]
        try:
            places = await group[0].spool.volume.place_many([one.placing for one in group])
        except Exception as error:
            log.exception("objects could not be placed", extra={"action": "refused", "objects": len(group)})
            places = [_named(error)] * len(group)
        for one, place in zip(group, places, strict=True):
            one.spool.placed(done=not isinstance(place, CharruaError))
            if isinstance(place, CharruaError):
                self._end(one.written, place)
            else:
                one.placed(place)
                self._to_commit.append(ToCommit(place, one.content, one.written))
        self._work_to_commit.set()

    async def _commit_groups(self) -> None:
        while True:
            await self._work_to_commit.wait()
            self._work_to_commit.clear()
            while self._to_commit:
                group = [self._to_commit.popleft() for _ in range(min(len(self._to_commit), MOST_IN_GROUP))]
                await self._commit_group(group)

    async def _commit_group(self, group: list[ToCommit[T]]) -> None:
        outcomes: Sequence[Outcome | CharruaError]
        try:
            outcomes = await self._commit([(one.content, one.path) for one in group])
        except Exception as error:
            log.exception("a group could not be committed", extra={"action": "refused", "objects": len(group)})
            outcomes = [_doubted(error)] * len(group)
        for one, outcome in zip(group, outcomes, strict=True):
            self._end(one.written, outcome)


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
