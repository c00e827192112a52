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

from charrua_core.errors import CharruaError
from charrua_core.storage import Placing, Volume

if TYPE_CHECKING:
    from charrua_core.archive.index_store import Outcome

MOST_IN_GROUP = 64

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Waiting(Generic[T]):
    """An object in the writer, and the future of what becomes of it; `path` is where it lies once it is placed."""

    volume: Volume
    content: T
    outcome: asyncio.Future[tuple[PurePath, Outcome]]
    placing: Placing | None = None
    path: PurePath | None = None


Commit = Callable[[Sequence[tuple[T, PurePath]]], Awaitable[Sequence["Outcome | CharruaError"]]]
"""Indexes objects at the paths where they now lie; gives for each the outcome, or the error with which it ends."""


class GroupWriter(Generic[T]):
    """See the module. `commit` indexes a group, and is never called before it has ended."""

    def __init__(self, commit: Commit[T]) -> None:
        self._commit = commit
        self._to_place: deque[Waiting[T]] = deque()
        self._to_commit: deque[Waiting[T]] = deque()
        self._work_to_place = asyncio.Event()
        self._work_to_commit = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def write(self, volume: Volume, placing: Placing, content: T) -> tuple[PurePath, Outcome]:
        """Place the file and commit its row; gives its path on the volume and what the index made of it.

        Raises what the volume or the index raises for it. Not to be cancelled: the files would be closed under it.
        """
        waiting = self._waiting(volume, content)
        waiting.placing = placing
        self._to_place.append(waiting)
        self._work_to_place.set()
        return await waiting.outcome

    async def commit(self, volume: Volume, path: PurePath, content: T) -> Outcome:
        """Commit the row of an object that is placed."""
        waiting = self._waiting(volume, content)
        waiting.path = path
        self._to_commit.append(waiting)
        self._work_to_commit.set()
        return (await waiting.outcome)[1]

    async def close(self) -> None:
        """End; nothing waits any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _waiting(self, volume: Volume, content: T) -> Waiting[T]:
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._place_groups(), name="ingest placing"),
                asyncio.create_task(self._commit_groups(), name="ingest committing"),
            ]
        return Waiting(volume, content, asyncio.get_running_loop().create_future())

    async def _place_groups(self) -> None:
        while True:
            await self._work_to_place.wait()
            self._work_to_place.clear()
            while group := self._next_to_place():
                await self._place(group)

    def _next_to_place(self) -> list[Waiting[T]]:
        """What waits for the volume of the first that does."""
        group: list[Waiting[T]] = []
        while (
            self._to_place
            and len(group) < MOST_IN_GROUP
            and self._to_place[0].volume is (group or self._to_place)[0].volume
        ):
            group.append(self._to_place.popleft())
        return group

    async def _place(self, group: list[Waiting[T]]) -> None:
        try:
            places: Sequence[PurePath | CharruaError] = await group[0].volume.place_many(
                [one.placing for one in group if one.placing]
            )
        except Exception as error:
            log.exception("objects could not be placed", extra={"action": "refused", "objects": len(group)})
            places = [_named(error)] * len(group)
        for one, place in zip(group, places, strict=True):
            if isinstance(place, CharruaError):
                self._fail(one, place)
            else:
                one.path = place
                self._to_commit.append(one)
        self._work_to_commit.set()

    async def _commit_groups(self) -> None:
        while True:
            await self._work_to_commit.wait()
            self._work_to_commit.clear()
            while self._to_commit:
                group = [self._to_commit.popleft() for _ in range(min(len(self._to_commit), MOST_IN_GROUP))]
                await self._commit_group(group)

    async def _commit_group(self, group: list[Waiting[T]]) -> None:
        outcomes: Sequence[Outcome | CharruaError]
        try:
            outcomes = await self._commit([(one.content, one.path) for one in group if one.path is not None])
        except Exception as error:
            log.exception("a group could not be committed", extra={"action": "refused", "objects": len(group)})
            outcomes = [_named(error)] * len(group)
        for one, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, CharruaError):
                self._fail(one, outcome)
            elif one.path is not None:
                one.outcome.set_result((one.path, outcome))

    def _fail(self, one: Waiting[T], error: CharruaError) -> None:
        one.outcome.set_exception(error)


def _named(error: Exception) -> CharruaError:
    if isinstance(error, CharruaError):
        return error
    named = CharruaError(f"storing failed ({type(error).__name__})")
    named.__cause__ = error
    return named
