"""Durable jobs: done at least once, in lanes, tried again by their schedule, by whichever worker lives."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from charrua_core import changes
from charrua_core.db import Database, lock_key
from charrua_core.errors import DatabaseUnavailable
from charrua_core.jobs import GiveUp, Job, Jobs, JobType, NewJob, Worker, settled
from charrua_core.jobs.worker import LEASE_S
from charrua_core.testing.clock import StandsStill
from charrua_core.testing.waiting import until


class Done:
    """Notes the jobs that were done, in their order, and how many ran beside one another."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.numbers: list[int] = []
        self.most = Counter[str]()
        self._pause_s = pause_s
        self._now = Counter[str]()

    async def __call__(self, payload: dict[str, Any]) -> None:
        lane = payload.get("lane", "")
        self._now[lane] += 1
        self.most[lane] = max(self.most[lane], self._now[lane])
        try:
            await asyncio.sleep(self._pause_s)
            self.numbers.append(payload["n"])
        finally:
            self._now[lane] -= 1


class Failing:
    """Fails as many times as it is told to, and notes when."""

    def __init__(self, clock: StandsStill, times: int, error: type[Exception] = RuntimeError) -> None:
        self.at: list[datetime] = []
        self._clock, self._times, self._error = clock, times, error

    async def __call__(self, _payload: dict[str, Any]) -> None:
        self.at.append(self._clock.now())
        if len(self.at) <= self._times:
            raise self._error("the peer does not answer")


Work = Callable[..., asyncio.Task[None]]
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture
def clock() -> StandsStill:
    return StandsStill(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def jobs(db: Database, clock: StandsStill) -> Jobs:
    return Jobs(db, clock)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrua_core.jobs.worker.POLL_S", 0.02)
    monkeypatch.setattr("charrua_core.jobs.worker.HEARTBEAT_S", 0.02)
    monkeypatch.setattr("charrua_core.jobs.worker.PAUSE_S", 0.02)


@pytest.fixture
async def work(db: Database, clock: StandsStill) -> AsyncIterator[Work]:
    """A function that starts a worker for a kind of jobs."""
    started: list[asyncio.Task[None]] = []

    def work(
        run: Callable[[dict[str, Any]], Awaitable[None]], *, slots: int = 16, **options: Any
    ) -> asyncio.Task[None]:
        worker = Worker(db, [JobType("test.do", run, **options)], slots=slots, clock=clock)
        started.append(asyncio.create_task(worker.run()))
        return started[-1]

    yield work
    for task in started:
        await stop(task)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_stop_at_the_moment_of_a_new_job_is_not_lost(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrua_core.jobs.worker.POLL_S", 60)
    worker = Worker(db, [])
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.3)  # it waits for a job
    worker._wake.set()
    task.cancel()
    assert await asyncio.wait([task], timeout=2) == ({task}, set())


async def test_a_stop_at_the_moment_at_which_a_job_is_noted_leaves_it_due(db: Database, jobs: Jobs, work: Work) -> None:
    await jobs.enqueue("test.do", {"n": 1})
    is_done = asyncio.Event()
    async with db.transaction() as tx:

        async def run(_payload: dict[str, Any]) -> None:
            await tx.execute(text("SELECT FROM core.job FOR UPDATE"))  # so that the note has to wait
            is_done.set()

        worker = work(run)
        await is_done.wait()
        await asyncio.sleep(0.2)  # the worker is at its note
        worker.cancel()
        await asyncio.sleep(0.1)
    await asyncio.wait([worker], timeout=5)
    assert (await only(jobs)).state == "due"


async def only(jobs: Jobs) -> Job:
    [job] = await jobs.list()
    return job


def is_state(jobs: Jobs, state: str) -> Callable[[], Awaitable[bool]]:
    async def found() -> bool:
        return (await only(jobs)).state == state

    return found


async def test_a_job_is_done_once(jobs: Jobs, work: Work) -> None:
    done = Done()
    work(done)
    await jobs.enqueue("test.do", {"n": 1})
    await until(is_state(jobs, "done"))
    assert done.numbers == [1]


async def test_a_job_of_a_rolled_back_transaction_is_never_done(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done()
    work(done)
    with suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await jobs.enqueue("test.do", {"n": 1}, tx=tx)
            raise ZeroDivisionError
    await jobs.enqueue("test.do", {"n": 2})
    await until(is_state(jobs, "done"))
    assert done.numbers == [2]


async def test_many_workers_do_no_job_twice(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done()
    async with db.transaction() as tx:
        for number in range(120):
            await jobs.enqueue("test.do", {"n": number}, lane=f"lane {number % 7}", tx=tx)
    for _ in range(4):
        work(done, slots=3)
    assert await settled(db, [], 30, jobs)
    assert sorted(done.numbers) == list(range(120))


async def test_jobs_of_one_lane_run_one_after_another_and_in_order(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done(pause_s=0.002)
    async with db.transaction() as tx:
        for number in range(20):
            await jobs.enqueue("test.do", {"n": number, "lane": "a"}, lane="a", tx=tx)
            await jobs.enqueue("test.do", {"n": 100 + number, "lane": "b"}, lane="b", tx=tx)
    for _ in range(3):
        work(done)
    assert await settled(db, [], 30, jobs)
    assert done.most == {"a": 1, "b": 1}
    assert [number for number in done.numbers if number < 100] == list(range(20))


async def test_a_lane_may_run_as_many_as_its_kind_says(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done(pause_s=0.05)
    async with db.transaction() as tx:
        for number in range(12):
            await jobs.enqueue("test.do", {"n": number}, tx=tx)
    for _ in range(3):
        work(done, lane_concurrency=3)
    assert await settled(db, [], 30, jobs)
    assert done.most[""] == 3


async def test_one_worker_takes_at_a_time(jobs: Jobs, work: Work, db: Database) -> None:
    # Two could otherwise see a lane idle at the same moment, and take different jobs of it.
    done = Done()
    async with db.driver() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key("charrua jobs"))
        work(done)
        await jobs.enqueue("test.do", {"n": 1})
        await asyncio.sleep(0.3)
        assert done.numbers == []
    await until(lambda: done.numbers == [1])


async def test_a_stuck_lane_holds_up_no_other(jobs: Jobs, work: Work) -> None:
    done = Done()

    async def run(payload: dict[str, Any]) -> None:
        await (asyncio.sleep(60) if payload["n"] == 0 else done(payload))

    work(run)
    for number, lane in enumerate(["dead peer", "dead peer", "good peer"]):
        await jobs.enqueue("test.do", {"n": number}, lane=lane)
    await until(lambda: done.numbers == [2])


async def test_in_a_lane_in_order_a_job_that_is_tried_again_holds_up_those_behind_it(
    jobs: Jobs, work: Work, db: Database, clock: StandsStill
) -> None:
    done, failing = Done(), Failing(clock, times=1)

    async def run(payload: dict[str, Any]) -> None:
        if payload["n"] == 1:
            await failing(payload)
        await done(payload)

    for n in (1, 2, 3):
        await jobs.enqueue("test.do", {"n": n}, lane="HIS")
    await jobs.enqueue("test.do", {"n": 4}, lane="RIS")
    work(run, retry_after=(60.0,), in_order=True)
    await until(lambda: done.numbers == [4] and failing.at)
    await asyncio.sleep(0.1)
    assert done.numbers == [4]
    clock.move_on(seconds=61)
    assert await settled(db, [], 5, jobs)
    assert done.numbers == [4, 1, 2, 3]


async def test_higher_priorities_go_first(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done()
    for number, priority in enumerate([0, 5, -1, 5]):
        await jobs.enqueue("test.do", {"n": number}, priority=priority)
    work(done)
    assert await settled(db, [], 30, jobs)
    assert done.numbers == [1, 3, 0, 2]


async def test_higher_priorities_go_first_whatever_their_lanes(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done()
    for number, priority in enumerate([0, 5, -1, 9]):
        await jobs.enqueue("test.do", {"n": number}, lane=f"lane {number}", priority=priority)
    work(done, slots=1)
    assert await settled(db, [], 30, jobs)
    assert done.numbers == [3, 1, 0, 2]


async def test_a_job_waits_for_its_time(jobs: Jobs, work: Work, clock: StandsStill) -> None:
    done = Done()
    work(done)
    await jobs.enqueue("test.do", {"n": 1}, run_at=clock.now() + timedelta(hours=1))
    await asyncio.sleep(0.2)
    assert (done.numbers, await jobs.due()) == ([], False)
    clock.move_on(hours=1)
    assert await jobs.due()
    await until(lambda: done.numbers == [1])


async def test_a_failing_job_is_tried_exactly_by_its_schedule_and_then_dead(
    jobs: Jobs, work: Work, clock: StandsStill
) -> None:
    failing = Failing(clock, times=99)
    began = clock.now()
    work(failing, retry_after=(HOUR, DAY, 2 * DAY, 7 * DAY))
    await jobs.enqueue("test.do", {})
    for number, pause in enumerate((HOUR, DAY, 2 * DAY, 7 * DAY), 1):
        await until(lambda number=number: len(failing.at) == number)
        await until(is_state(jobs, "due"))
        clock.move_on(seconds=pause)
    await until(is_state(jobs, "dead"))
    waited = [HOUR, HOUR + DAY, HOUR + 3 * DAY, HOUR + 10 * DAY]
    assert [(at - began).total_seconds() for at in failing.at] == [0, *waited]
    assert (await only(jobs)).last_error == "RuntimeError: the peer does not answer"


async def test_a_job_that_is_tried_for_ever_is_tried_by_the_last_pause_of_its_schedule(
    jobs: Jobs, work: Work, clock: StandsStill
) -> None:
    failing = Failing(clock, times=5)
    began = clock.now()
    work(failing, retry_after=(60.0, HOUR), for_ever=True)
    await jobs.enqueue("test.do", {})
    for number, pause in enumerate((60.0, HOUR, HOUR, HOUR, HOUR), 1):
        await until(lambda number=number: len(failing.at) == number)
        await until(is_state(jobs, "due"))
        clock.move_on(seconds=pause)
    await until(is_state(jobs, "done"))
    assert [(at - began).total_seconds() for at in failing.at] == [0, *(60 + number * HOUR for number in range(5))]


async def test_a_job_that_gives_up_is_dead_at_once(jobs: Jobs, work: Work, clock: StandsStill) -> None:
    failing = Failing(clock, times=99, error=GiveUp)
    work(failing)
    await jobs.enqueue("test.do", {})
    await until(is_state(jobs, "dead"))
    assert len(failing.at) == 1


async def test_a_job_that_takes_too_long_has_failed(jobs: Jobs, work: Work) -> None:
    work(Done(pause_s=60), timeout_s=0.05, retry_after=())
    await jobs.enqueue("test.do", {"n": 1})
    await until(is_state(jobs, "dead"))


async def test_a_dead_job_can_be_sent_again(jobs: Jobs, work: Work, clock: StandsStill) -> None:
    failing = Failing(clock, times=1)
    work(failing, retry_after=())
    number = await jobs.enqueue("test.do", {})
    await until(is_state(jobs, "dead"))
    assert number is not None and await jobs.resend(number)
    await until(is_state(jobs, "done"))


async def test_a_waiting_job_can_be_removed_a_running_one_not(jobs: Jobs, work: Work) -> None:
    numbers = [await jobs.enqueue("test.do", {"n": number}) or 0 for number in range(2)]
    work(Done(pause_s=60))

    async def first_runs() -> bool:
        return [job.state for job in await jobs.list()] == ["due", "running"]

    await until(first_runs)
    assert [await jobs.remove(number) for number in numbers] == [False, True]
    assert [await jobs.resend(number) for number in numbers] == [False, False]


async def test_the_same_job_waits_only_once(jobs: Jobs, work: Work, db: Database) -> None:
    first = await jobs.enqueue("test.do", {"n": 1}, dedup_key="object 1")
    assert await jobs.enqueue("test.do", {"n": 2}, dedup_key="object 1") is None
    assert await jobs.enqueue("test.else", {"n": 2}, dedup_key="object 1") is not None
    work(Done())
    await until(lambda: finished(jobs, first))
    assert await jobs.enqueue("test.do", {"n": 3}, dedup_key="object 1") is not None
    assert first is not None and not await jobs.resend(first)  # its like waits already


async def test_several_jobs_are_added_in_their_order_and_none_that_waits_already(
    jobs: Jobs, work: Work, db: Database
) -> None:
    done = Done()
    before = await jobs.enqueue("test.do", {"n": 7}, lane="a", dedup_key="7")
    async with db.transaction() as tx:
        new = [NewJob({"n": number}, lane="a", dedup_key=f"{number}") for number in range(9, 0, -1)]
        added = await jobs.enqueue_all("test.do", new, tx)
    assert list(added) == ["9", "8", "6", "5", "4", "3", "2", "1"]
    assert [before, *added.values()] == sorted([before, *added.values()])
    work(done)
    await until(lambda: done.numbers == [7, 9, 8, 6, 5, 4, 3, 2, 1])


async def finished(jobs: Jobs, number: int | None) -> bool:
    return any(job.id == number for job in await jobs.list(state="done"))


async def test_a_worker_that_stops_leaves_its_jobs_to_the_others_at_once(jobs: Jobs, work: Work) -> None:
    slow, done = work(Done(pause_s=60)), Done()
    await jobs.enqueue("test.do", {"n": 1})
    await until(is_state(jobs, "running"))
    await stop(slow)
    assert (await only(jobs)).attempts == 0
    work(done)
    await until(lambda: done.numbers == [1])


DYING = """
import asyncio, os, sys
from datetime import timedelta
from charrua_core.db import Database, lock_key
from charrua_core.jobs import JobType, Worker

async def die(payload):
    os.kill(os.getpid(), 9)

async def work():
    db = await Database.open({"database_url": sys.argv[1], "database_pool_size": 2, "database_reading_pool_size": 2,
        "database_statement_timeout": timedelta(seconds=9)})
    await Worker(db, [JobType("test.do", die)]).run()

asyncio.run(work())
"""


async def test_the_job_of_a_killed_worker_is_done_by_another(
    jobs: Jobs, work: Work, clock: StandsStill, database_url: str
) -> None:
    await jobs.enqueue("test.do", {"n": 1})
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", DYING, database_url], check=False)
    assert (await only(jobs)).state == "running"
    done = Done()
    work(done)
    await asyncio.sleep(0.3)
    assert done.numbers == []  # the other may live
    clock.move_on(seconds=30)
    await until(lambda: done.numbers == [1])
    assert ((await only(jobs)).attempts, (await only(jobs)).crashes) == (0, 1)


async def test_a_job_over_which_workers_die_again_and_again_is_dead(
    jobs: Jobs, work: Work, db: Database, clock: StandsStill
) -> None:
    await jobs.enqueue("test.do", {"n": 1})
    async with db.driver() as connection:
        await connection.execute(
            "UPDATE core.job SET state = 'running', crashes = 4, leased_by = 'dead', lease_until = now()"
        )
    work(Done())
    await asyncio.sleep(0.2)
    clock.move_on(seconds=30)
    await until(is_state(jobs, "dead"))


async def test_a_jump_of_the_clock_takes_no_job_from_a_living_worker(
    jobs: Jobs, work: Work, clock: StandsStill
) -> None:
    done = Done(pause_s=0.5)
    work(done), work(done)
    await jobs.enqueue("test.do", {"n": 1})
    await until(is_state(jobs, "running"))
    clock.time += timedelta(hours=1)
    await until(is_state(jobs, "done"))
    assert (done.numbers, done.most[""]) == ([1], 1)


async def test_a_worker_that_cannot_renew_its_leases_stops_what_others_may_have_taken(
    jobs: Jobs, work: Work, clock: StandsStill, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = asyncio.Event()

    async def run(_: dict[str, Any]) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    async def away(_: Worker) -> None:
        raise DatabaseUnavailable

    work(run)
    await jobs.enqueue("test.do", {"n": 1})
    await until(is_state(jobs, "running"))
    monkeypatch.setattr(Worker, "_renew", away)
    await asyncio.sleep(0.1)
    assert not stopped.is_set()  # its leases still hold
    clock.move_on(seconds=LEASE_S)
    async with asyncio.timeout(5):
        await stopped.wait()


async def test_workers_survive_the_loss_of_their_connections(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done(pause_s=0.2)
    work(done)
    await jobs.enqueue("test.do", {"n": 1})
    await until(is_state(jobs, "running"))
    connection = await db.connect()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()

    async def is_done_again() -> bool:
        with suppress(DatabaseUnavailable):  # our own connections were cut, too
            return (await only(jobs)).state == "done"
        return False

    await until(is_done_again)
    assert done.numbers == [1]


async def test_done_jobs_are_forgotten_after_a_week_dead_ones_never(jobs: Jobs, work: Work, clock: StandsStill) -> None:
    failing = Failing(clock, times=1)
    work(failing, retry_after=())
    await jobs.enqueue("test.do", {})
    await until(is_state(jobs, "dead"))
    await jobs.enqueue("test.do", {})
    await until(lambda: counted(jobs, dead=1, done=1))
    clock.move_on(days=8)
    await until(lambda: counted(jobs, dead=1))


async def counted(jobs: Jobs, **states: int) -> bool:
    return {state: number for (_, state), number in (await jobs.counts()).items()} == states


async def test_the_list_of_jobs_is_read_page_by_page(jobs: Jobs, db: Database) -> None:
    async with db.transaction() as tx:
        for number in range(5):
            await jobs.enqueue("test.do" if number else "test.else", {"n": number}, lane="a", tx=tx)
    newest = await jobs.list(limit=2)
    older = await jobs.list(limit=2, before=newest[-1].id, kind="test.do", lane="a", state="due")
    assert [job.payload["n"] for job in (*newest, *older)] == [4, 3, 2, 1]
    assert await jobs.counts() == {("test.do", "due"): 4, ("test.else", "due"): 1}
    assert await jobs.unfinished() == await jobs.counts()


async def test_settled_waits_for_followers_and_the_jobs_that_they_add(jobs: Jobs, work: Work, db: Database) -> None:
    done = Done(pause_s=0.1)

    async def route(change: changes.Change) -> None:
        await jobs.enqueue("test.do", change.payload)

    work(done)
    follower = asyncio.create_task(changes.Follower(db, "routing", route).run())
    async with db.transaction() as tx:
        await changes.append(tx, "object", {"n": 1})
    assert await settled(db, ["routing"], 10, jobs)
    assert done.numbers == [1]
    await stop(follower)
    async with db.transaction() as tx:
        await changes.append(tx, "object", {"n": 2})
    assert not await settled(db, ["routing"], 0.2, jobs)


async def test_a_job_that_takes_one_more_object_at_this_moment_does_not_wait_for_the_next_poll(
    db: Database, jobs: Jobs, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrua_core.jobs.worker.POLL_S", 600)
    done = Done()
    await jobs.enqueue("test.do", {"n": 1}, lane="a")
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE core.job SET payload = payload || '{\"more\": 2}'"))
        work(done)
        await asyncio.sleep(0.3)
        assert done.numbers == []
    await until(lambda: done.numbers == [1])
