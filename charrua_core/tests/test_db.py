"""The database as a process of the archive uses it: work, notifications, locks, and what happens when it goes away."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from charrua_core import tables
from charrua_core.db import Database, commit_outcome_unknown, worth_another_try
from charrua_core.errors import DatabaseUnavailable
from charrua_core.testing.waiting import until

Open = Callable[..., Awaitable[Database]]


@pytest.fixture
async def open_db(database_url: str) -> AsyncIterator[Open]:
    """A function that opens the test's database once more, as another process would."""
    opened: list[Database] = []

    async def open_db(**settings: Any) -> Database:
        known = {
            "database_url": database_url,
            "database_pool_size": 3,
            "database_reading_pool_size": 3,
            "database_statement_timeout": timedelta(seconds=30),
        }
        opened.append(await Database.open({**known, **settings}))
        return opened[-1]

    yield open_db
    for database in opened:
        await database.close()


async def cut_off(url: str) -> None:
    """Have the server end every other session of the database."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


SAMPLE = {"aet": "CT1", "host": "127.0.0.1", "port": 104}


async def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await tx.execute(insert(tables.peer).values(SAMPLE))
            raise ZeroDivisionError
    async with db.reading() as connection:
        assert (await connection.execute(select(tables.peer))).all() == []


async def test_a_connection_for_reading_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match="read-only"):
        async with db.reading() as connection:
            await connection.execute(insert(tables.peer).values(SAMPLE))


@pytest.mark.parametrize("kind", ["reading", "by_key"])
async def test_a_connection_of_the_driver_for_reading_cannot_write_either(db: Database, kind: str) -> None:
    async with db.driver(**{kind: True}) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE core.never (n integer)")
        assert await connection.fetchval("SELECT current_setting('statement_timeout')") != "0"


async def test_a_failing_statement_does_not_tell_its_parameters(db: Database) -> None:
    with pytest.raises(DBAPIError) as failure:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1 / length(:name)"), {"name": "Kanarienvogel"})
            await tx.execute(text("SELECT length(:name) / 0"), {"name": "Kanarienvogel"})
    assert "Kanarienvogel" not in str(failure.value)


async def test_a_query_that_takes_too_long_is_ended(open_db: Open) -> None:
    db = await open_db(database_statement_timeout=timedelta(seconds=0.2))
    with pytest.raises(Exception, match="statement timeout") as failed:
        async with db.reading() as connection:
            await connection.execute(text("SELECT pg_sleep(20)"))
    assert not commit_outcome_unknown(failed.value)


@pytest.mark.parametrize("given", [b'{"a": [1]}', '{"a": [1]}', {"a": [1]}])
async def test_the_driver_takes_json_as_bytes_text_or_object(db: Database, given: object) -> None:
    async with db.driver() as connection:
        assert orjson.loads(await connection.fetchval("SELECT $1::jsonb", given)) == {"a": [1]}


async def test_tables_give_json_as_objects(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(insert(tables.change).values(kind="object", payload={"a": [1]}))
        assert (await tx.execute(select(tables.change.c.payload))).scalar() == {"a": [1]}


async def test_a_notification_comes_after_the_commit(db: Database, open_db: Open) -> None:
    heard: list[str] = []
    other = await open_db()
    await other.listen("charrua_test", heard.append)
    async with db.transaction() as tx:
        db.notify(tx, "charrua_test", "changed")
        await asyncio.sleep(0.2)
        assert heard == [""]
    await until(lambda: heard == ["", "changed"])


async def test_no_notification_tells_of_what_was_rolled_back(db: Database) -> None:
    heard: list[str] = []
    await db.listen("charrua_test", heard.append)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            db.notify(tx, "charrua_test", "never")
            raise ZeroDivisionError
    async with db.transaction() as tx:
        db.notify(tx, "charrua_test", "then")
    await until(lambda: "then" in heard)
    assert "never" not in heard


async def test_a_notification_just_before_closing_is_sent(db: Database, open_db: Open) -> None:
    heard: list[str] = []
    await db.listen("charrua_test", heard.append)
    short = await open_db()
    short.announce("charrua_test", "goodbye")
    await short.close()
    await until(lambda: "goodbye" in heard)


async def test_a_listener_hears_again_after_its_connection_was_cut(db: Database, database_url: str) -> None:
    heard: list[str] = []
    await db.listen("charrua_test", heard.append)
    await cut_off(database_url)
    await until(lambda: heard == ["", ""])  # once for each connection: something may have been missed
    db.announce("charrua_test", "again")
    await until(lambda: heard[-1] == "again")


async def test_who_stops_listening_hears_no_more(db: Database) -> None:
    heard: list[str] = []
    stop = await db.listen("charrua_test", heard.append)
    stop()
    await db.listen("charrua_test", lambda payload: heard.append(f"other {payload}"))
    db.announce("charrua_test", "news")
    await until(lambda: "other news" in heard)
    assert "news" not in heard


async def test_only_one_holds_a_singleton(db: Database, open_db: Open) -> None:
    other = await open_db()
    async with db.singleton("housekeeping") as first, db.singleton("housekeeping") as again:
        assert (bool(first), bool(again)) == (True, False)
        async with other.singleton("housekeeping") as second, other.singleton("else") as different:
            assert (bool(second), bool(different)) == (False, True)
    async with other.singleton("housekeeping") as second:
        assert second


async def test_a_singleton_knows_that_its_connection_is_lost(db: Database, database_url: str) -> None:
    async with db.singleton("housekeeping") as held:
        assert held
        await cut_off(database_url)
        await until(lambda: not held)
    async with asyncio.timeout(5):
        while True:
            async with db.singleton("housekeeping") as held:
                if held:
                    return


async def test_work_goes_on_after_all_connections_were_cut(db: Database, database_url: str) -> None:
    async with db.reading(), db.transaction():
        pass
    await cut_off(database_url)
    await asyncio.sleep(0.1)
    async with db.transaction() as tx:
        await tx.execute(insert(tables.peer).values(SAMPLE))
    async with db.reading() as connection:
        assert (await connection.execute(select(tables.peer.c.aet))).scalar() == "CT1"


async def test_a_commit_that_was_cut_off_has_an_unknown_outcome(db: Database, database_url: str) -> None:
    with pytest.raises(DatabaseUnavailable) as failed:
        async with db.transaction() as tx:
            await tx.execute(insert(tables.peer).values(SAMPLE))
            await cut_off(database_url)
    assert commit_outcome_unknown(failed.value)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), BrokenPipeError(), ValueError("closed"), KeyError()])
async def test_other_errors_are_not_taken_for_a_lost_database(db: Database, error: Exception) -> None:
    with pytest.raises(type(error)) as failed:
        async with db.transaction():
            raise error
    assert not commit_outcome_unknown(failed.value)


async def test_a_deadlock_is_worth_another_try(db: Database) -> None:
    async def lock(one: int, other: int) -> None:
        async with db.transaction() as tx:
            await tx.execute(text(f"SELECT pg_advisory_xact_lock({one})"))
            await asyncio.sleep(0.2)
            await tx.execute(text(f"SELECT pg_advisory_xact_lock({other})"))

    outcomes = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception) and worth_another_try(outcome)]


async def test_a_pool_without_a_free_connection_says_so(open_db: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrua_core.db.database.WAIT_S", 0.2)
    db = await open_db(database_pool_size=1)
    with pytest.raises(DatabaseUnavailable, match="became free"):
        async with db.transaction(), db.transaction():
            pass


async def test_a_database_that_does_not_flush_its_commits_is_refused(db: Database, open_db: Open) -> None:
    async with db.driver() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    with pytest.raises(DatabaseUnavailable, match="synchronous_commit = off"):
        await open_db()


async def test_a_database_that_is_not_there_is_told_of(open_db: Open) -> None:
    with pytest.raises(DatabaseUnavailable):
        await open_db(database_url="postgresql://charrua@127.0.0.1:1/none")


async def test_a_connection_whose_user_is_cancelled_at_any_moment_leaves_no_transaction_open(db: Database) -> None:
    async def use() -> None:
        async with db.driver() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(4711)")

    await use()
    for step in range(200):
        task = asyncio.create_task(use())
        end = time.monotonic() + step * 30e-6
        while time.monotonic() < end:  # noqa: ASYNC110 -- it is the moment that matters
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        async with db.driver() as connection:
            assert not connection.is_in_transaction()
