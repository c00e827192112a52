"""The change feed: every follower is told of every change at least once, in the order of commit, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from charrua_core import changes
from charrua_core.changes import Change, Follower
from charrua_core.db import Database
from charrua_core.testing.waiting import until

Follow = Callable[..., "Told"]


class Told:
    """A subscriber that remembers what it was told, and fails as often as it is asked to for some numbers."""

    def __init__(self, db: Database, name: str, failing: dict[int, int] | None = None, **options: Any) -> None:
        self.numbers: list[int] = []
        self._failing = failing or {}
        self.follower = Follower(db, name, self.hear, **{"retry_after": (0.01, 0.01), **options})
        self.task = asyncio.create_task(self.follower.run())

    async def hear(self, change: Change) -> None:
        number = change.payload["n"]
        if self._failing.get(number, 0) > 0:
            self._failing[number] -= 1
            raise RuntimeError("the plugin fails")
        self.numbers.append(number)

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def follow(db: Database) -> AsyncIterator[Follow]:
    """A function that follows the feed under a name, until it is stopped."""
    started: list[Told] = []

    def follow(name: str = "vendor", failing: dict[int, int] | None = None, **options: Any) -> Told:
        started.append(Told(db, name, failing, **options))
        return started[-1]

    yield follow
    for told in started:
        await told.stop()


@pytest.fixture
def happen(db: Database) -> Callable[..., Awaitable[None]]:
    """A function that commits changes with these numbers."""

    async def happen(*numbers: int, kind: str = "object") -> None:
        async with db.transaction() as tx:
            for number in numbers:
                await changes.append(tx, kind, {"n": number})

    return happen


Happen = Callable[..., Awaitable[None]]


async def test_a_new_follower_begins_at_the_first_change(follow: Follow, happen: Happen) -> None:
    await happen(1, 2)
    await happen(3)
    told = follow()
    await until(lambda: told.numbers == [1, 2, 3])


async def test_a_change_is_told_within_moments(follow: Follow, happen: Happen) -> None:
    told = follow()
    await asyncio.sleep(0.3)
    await happen(1)
    await until(lambda: told.numbers == [1], timeout_s=2)


async def test_a_change_that_was_not_announced_is_found_by_looking(
    follow: Follow, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "POLL_S", 0.05)
    told = follow()
    async with db.driver() as connection, connection.transaction():
        await changes.append_many(connection, "object", [{"n": 1}, {"n": 2}])
    await until(lambda: told.numbers == [1, 2])


async def test_one_who_follows_from_now_begins_with_the_next_change_and_goes_on_there(
    follow: Follow, happen: Happen, db: Database
) -> None:
    await happen(1)
    told = follow(from_now=True)
    await until(partial(changes.follower_states, db))
    await happen(2)
    await until(lambda: told.numbers == [2])
    await told.stop()
    await happen(3)
    again = follow(from_now=True)
    await until(lambda: again.numbers == [3])


async def test_what_is_rolled_back_is_not_told(follow: Follow, happen: Happen, db: Database) -> None:
    told = follow()
    with suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await changes.append(tx, "object", {"n": 1})
            raise ZeroDivisionError
    await happen(2)
    await until(lambda: told.numbers == [2])


async def test_a_transaction_that_commits_late_is_not_passed_over(follow: Follow, happen: Happen, db: Database) -> None:
    told = follow()
    async with db.transaction() as late:
        await changes.append(late, "object", {"n": 1})
        await happen(2)
        await happen(3)
        await asyncio.sleep(0.3)
        assert told.numbers == []  # 2 and 3 wait for what may come to lie before them
    await until(lambda: told.numbers == [1, 2, 3])


async def test_many_writers_at_once_lose_nothing(follow: Follow, db: Database) -> None:
    told = follow(batch=7)

    async def write(writer: int) -> None:
        for turn in range(20):
            async with db.transaction() as tx:
                await changes.append(tx, "object", {"n": writer * 1000 + turn})
                await asyncio.sleep(0.001 * (writer % 4))

    await asyncio.gather(*(write(writer) for writer in range(8)))
    await until(lambda: len(told.numbers) >= 160)
    assert sorted(told.numbers) == sorted(writer * 1000 + turn for writer in range(8) for turn in range(20))


async def test_a_stop_at_the_moment_of_a_change_is_not_lost(follow: Follow) -> None:
    told = follow()
    await asyncio.sleep(0.3)  # it waits for a change
    told.follower._wake.set()
    told.task.cancel()
    assert await asyncio.wait([told.task], timeout=2) == ({told.task}, set())


async def test_a_follower_goes_on_where_it_stopped(follow: Follow, happen: Happen) -> None:
    await happen(1, 2)
    told = follow()
    await until(lambda: told.numbers == [1, 2])
    await told.stop()
    await happen(3)
    again = follow()
    await until(lambda: again.numbers == [3])


async def test_a_follower_that_crashes_is_told_again(follow: Follow, happen: Happen, db: Database) -> None:
    told = follow()
    await happen(1)
    await until(lambda: told.numbers == [1])
    told.follower._save = lambda: asyncio.sleep(0)  # type: ignore[method-assign]
    await happen(2)
    await until(lambda: told.numbers == [1, 2])
    await told.stop()
    again = follow()
    await until(lambda: again.numbers == [2])


async def test_of_several_processes_only_one_tells_and_another_takes_over(
    follow: Follow, happen: Happen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "POLL_S", 0.05)
    first, second = follow(), follow()
    await happen(*range(50))
    await until(lambda: len(first.numbers + second.numbers) == 50)
    assert [] in (first.numbers, second.numbers)
    working, idle = (first, second) if first.numbers else (second, first)
    await working.stop()
    await happen(50)
    await until(lambda: idle.numbers == [50])


async def test_who_waits_for_another_to_end_rests_meanwhile(
    follow: Follow, happen: Happen, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = follow()
    await happen(1)
    await until(lambda: first.numbers == [1])
    looks: list[str] = []
    singleton = db.singleton
    monkeypatch.setattr(db, "singleton", lambda name: looks.append(name) or singleton(name))
    follow()
    await happen(2)
    await until(lambda: first.numbers == [1, 2])
    await asyncio.sleep(0.3)
    assert len(looks) <= 3


async def test_each_follower_has_its_own_pace(follow: Follow, happen: Happen) -> None:
    stuck, quick = follow("stuck", {1: 99}, retry_after=(60.0,)), follow("quick")
    await happen(1, 2)
    await until(lambda: quick.numbers == [1, 2])
    assert stuck.numbers == []


async def test_a_change_that_fails_is_told_again(follow: Follow, happen: Happen) -> None:
    told = follow(failing={2: 2})
    await happen(1, 2, 3)
    await until(lambda: told.numbers == [1, 2, 3])


async def test_a_change_that_goes_on_failing_is_set_aside_and_passed(
    follow: Follow, happen: Happen, db: Database
) -> None:
    told = follow(failing={2: 99})
    await happen(1, 2, 3)
    await until(lambda: told.numbers == [1, 3])
    async with db.driver() as connection:
        rows = await connection.fetch("SELECT follower, change_kind, payload ->> 'n' AS n, error FROM core.set_aside")
    assert [tuple(row) for row in rows] == [("vendor", "object", "2", "RuntimeError: the plugin fails")]


async def test_what_was_set_aside_is_told_again_to_its_follower_alone(
    follow: Follow, happen: Happen, db: Database
) -> None:
    told, other = follow(failing={2: 6}), follow("other")
    await happen(1, 2, 3)
    await until(lambda: told.numbers == [1, 3] and other.numbers == [1, 2, 3])
    for _ in range(2):  # the first time it fails once more, and is set aside again
        await until(partial(changes.set_aside, db))
        (one,) = await changes.set_aside(db)
        assert (one.follower, one.kind, one.payload) == ("vendor", "object", {"n": 2})
        assert await changes.tell_again(db, "vendor", [one.seq]) == 1
    await until(lambda: told.numbers == [1, 3, 2])
    assert await changes.set_aside(db) == []
    assert other.numbers == [1, 2, 3]
    assert await changes.tell_again(db, "vendor") == 0


async def test_the_tries_of_a_failing_change_count_over_a_restart(follow: Follow, happen: Happen, db: Database) -> None:
    told = follow(failing={1: 99}, retry_after=(0.01, 60.0))
    await happen(1, 2)

    async def failed_twice() -> bool:
        return [state.failures for state in await changes.follower_states(db)] == [2]

    await until(failed_twice)
    await told.stop()
    async with db.driver() as connection:
        await connection.execute("UPDATE core.follower SET next_try_at = now()")
    again = follow(failing={1: 1}, retry_after=(0.01, 60.0))
    await until(lambda: again.numbers == [2])  # 1 failed for the third time: it is set aside


async def test_other_kinds_are_passed_by(follow: Follow, happen: Happen, db: Database) -> None:
    told, edits = follow(), follow("edits", kinds=("edited",))
    await happen(1)
    await happen(2, kind="edited")
    await until(lambda: (told.numbers, edits.numbers) == ([1], [2]))

    async def nothing_waits() -> bool:
        return not await changes.waiting(db, ["vendor", "edits"])

    await until(nothing_waits)


async def test_a_follower_that_never_ran_has_everything_before_it(db: Database, happen: Happen) -> None:
    assert not await changes.waiting(db, ["new"])
    await happen(1)
    assert await changes.waiting(db, ["new"])
    assert not await changes.waiting(db, [])


async def test_a_database_moved_to_another_server_goes_on_telling(follow: Follow, happen: Happen, db: Database) -> None:
    await happen(1, 2)
    told = follow()
    await until(lambda: told.numbers == [1, 2])
    await told.stop()
    await happen(3)
    async with db.driver() as connection:  # the old server had counted much further
        await connection.execute("UPDATE core.change SET xid = (xid::text::bigint + 1000000)::text::xid8")
        await connection.execute("UPDATE core.follower SET xid = (xid::text::bigint + 1000000)::text::xid8")
    again = follow()
    await happen(4)
    await until(lambda: again.numbers == [3, 4])


async def test_a_follower_survives_the_loss_of_its_connections(
    follow: Follow, happen: Happen, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "POLL_S", 0.05)
    told = follow()
    await happen(1)
    await until(lambda: told.numbers == [1])
    connection = await db.connect()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    await asyncio.sleep(0.1)
    await happen(2)
    await until(lambda: told.numbers[-1] == 2)
