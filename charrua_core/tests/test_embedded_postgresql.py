"""The archive's own PostgreSQL: started by who comes first, stopped by who leaves last, sound after every kill."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from charrua_core.db import Database
from charrua_core.errors import DatabaseUnavailable
from charrua_core.postgresql import EmbeddedServer, postmaster
from charrua_core.postgresql.postmaster import Postmaster
from charrua_core.testing.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by POSIX signals")

WRITER = """
import asyncio, sys, asyncpg
from pathlib import Path
from charrua_core.postgresql import EmbeddedServer

async def write():
    server = EmbeddedServer(Path(sys.argv[1]))
    await server.join()
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    for n in range(int(sys.argv[2]), 10**9):
        await connection.execute("INSERT INTO kept VALUES ($1)", n)
        print(n, flush=True)

asyncio.run(write())
"""

VISITOR = """
import asyncio, sys, asyncpg
from pathlib import Path
from charrua_core.postgresql import EmbeddedServer

async def visit():
    server = EmbeddedServer(Path(sys.argv[1]))
    for _ in range(3):
        await server.join()
        connection = await asyncpg.connect(server.url("postgres"))
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        await server.leave()

asyncio.run(visit())
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which PostgreSQL was run once, to be copied."""
    folder = tmp_path_factory.mktemp("made") / "postgresql"

    async def make() -> None:
        server = EmbeddedServer(folder)
        await server.join()
        await server.leave()

    asyncio.run(make())
    return folder


@pytest.fixture
async def folder(made: Path, tmp_path: Path) -> AsyncIterator[Path]:
    """A fresh database folder; whatever still runs in it after the test is killed."""
    place = tmp_path / "postgresql"
    subprocess.run(["cp", "-a", made, place], check=True)  # noqa: ASYNC221
    yield place
    kill_server(place)


def kill_server(folder: Path) -> None:
    """Kill PostgreSQL with all its processes, as a power cut would."""
    found = Postmaster.read(folder)
    if found is not None and found.answers():
        children = Path(f"/proc/{found.pid}/task/{found.pid}/children").read_text().split()
        for pid in (found.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)


async def start(script: str, *words: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *map(str, words), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def lines(process: asyncio.subprocess.Process, number: int) -> list[int]:
    assert process.stdout is not None
    return [int(await process.stdout.readline()) for _ in range(number)]


async def numbers_kept(server: EmbeddedServer) -> set[int]:
    connection = await asyncpg.connect(server.url("postgres"))
    found = {row["n"] for row in await connection.fetch("SELECT n FROM kept")}
    await connection.close()
    return found


def runs(folder: Path) -> bool:
    found = Postmaster.read(folder)
    return found is not None and found.answers()


async def test_the_last_one_to_leave_stops_it(folder: Path) -> None:
    first, second = EmbeddedServer(folder), EmbeddedServer(folder)
    await first.join()
    await second.join()
    await first.leave()
    assert runs(folder)
    await second.leave()
    assert not runs(folder)


async def test_it_starts_within_two_seconds(folder: Path) -> None:
    server = EmbeddedServer(folder)
    began = time.monotonic()
    await server.join()
    assert time.monotonic() - began < 2.0
    await server.leave()


async def test_nothing_committed_is_lost_when_everything_is_killed(folder: Path) -> None:
    written: list[int] = []
    for _ in range(3):
        writer = await start(WRITER, folder, len(written))
        written += await lines(writer, 30)
        writer.kill()
        kill_server(folder)
        assert writer.stdout is not None
        written += [int(line) for line in (await writer.stdout.read()).splitlines()]
        await writer.wait()
    server = EmbeddedServer(folder)
    began = time.monotonic()
    await server.join()
    assert time.monotonic() - began < 3.0
    assert set(written) <= await numbers_kept(server)
    await server.leave()


async def test_a_server_that_outlived_its_users_is_used_and_then_stopped(folder: Path) -> None:
    writer = await start(WRITER, folder, 0)
    written = await lines(writer, 5)
    writer.kill()
    await writer.wait()
    left_over = Postmaster.read(folder)
    server = EmbeddedServer(folder)
    await server.join()
    assert Postmaster.read(folder) == left_over
    assert set(written) <= await numbers_kept(server)
    await server.leave()
    assert not runs(folder)


async def test_a_killed_user_does_not_keep_the_others_from_working(folder: Path) -> None:
    server = EmbeddedServer(folder)
    await server.join()
    writer = await start(WRITER, folder, 0)
    await lines(writer, 5)
    writer.kill()
    await writer.wait()
    assert len(await numbers_kept(server)) >= 5
    await server.leave()
    assert not runs(folder)


async def test_many_come_and_go_at_once(folder: Path) -> None:
    visitors = [await start(VISITOR, folder) for _ in range(4)]
    said = [await visitor.communicate() for visitor in visitors]
    assert [visitor.returncode for visitor in visitors] == [0, 0, 0, 0], said
    assert not runs(folder)


async def test_it_starts_although_its_old_process_number_is_now_anothers(folder: Path) -> None:
    sleeper = subprocess.Popen(postmaster.as_owner(["/bin/sleep", "60"], folder))  # noqa: ASYNC220
    (folder / "postmaster.pid").write_text(f"{sleeper.pid}\n{folder}\n1\n5432\n{folder}\n\n1 1\nready\n")
    server = EmbeddedServer(folder)
    await server.join()
    assert runs(folder)
    await server.leave()
    sleeper.kill()
    sleeper.wait()


async def test_a_making_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgresql.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server = EmbeddedServer(tmp_path / "postgresql")
    await server.join()
    assert runs(tmp_path / "postgresql")
    await server.leave()
    assert not unfinished.exists()


async def test_a_folder_with_a_very_long_name_works(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("long " * 30) / "postgresql"
    folder.parent.mkdir()
    subprocess.run(["cp", "-a", made, folder], check=True)  # noqa: ASYNC221
    server = EmbeddedServer(folder)
    await server.join()
    found = Postmaster.read(folder)
    await server.leave()
    assert found is not None and len(found.socket_folder) < 90
    shutil.rmtree(found.socket_folder)


async def test_nobody_else_gets_to_its_socket(folder: Path) -> None:
    server = EmbeddedServer(folder)
    await server.join()
    found = Postmaster.read(folder)
    assert found is not None and os.stat(found.socket_folder).st_mode & 0o077 == 0
    await server.leave()


async def test_durability_cannot_be_configured_away(folder: Path) -> None:
    with (folder / "postgresql.conf").open("a") as configuration:
        configuration.write("fsync = off\nsynchronous_commit = off\n")
    server = EmbeddedServer(folder, options=("fsync=off",))
    await server.join()
    connection = await asyncpg.connect(server.url("postgres"))
    found = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
    await connection.close()
    await server.leave()
    assert found == ["on", "on", "on"]


async def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    server = EmbeddedServer(folder, options=("shared_buffers=nonsense",))
    with pytest.raises(DatabaseUnavailable, match="shared_buffers"):
        await server.join()


async def test_its_log_shows_no_values(folder: Path) -> None:
    server = EmbeddedServer(folder)
    await server.join()
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE TABLE person (name text PRIMARY KEY)")
    for _ in range(2):
        try:
            await connection.execute("INSERT INTO person VALUES ('Pérez^Ana')")
        except asyncpg.UniqueViolationError:
            break
    await connection.close()
    await server.leave()
    assert "Pérez" not in (folder / "server.log").read_text()


async def test_it_recovers_when_only_its_first_process_is_killed(folder: Path) -> None:
    server = EmbeddedServer(folder)
    await server.join()
    found = Postmaster.read(folder)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    await until(lambda: not runs(folder))
    again = EmbeddedServer(folder)
    await again.join()
    assert runs(folder)
    await again.leave()
    await server.leave()


async def keeps(db: Database, number: int) -> bool:
    try:
        async with db.transaction() as tx:
            await tx.execute(text(f"INSERT INTO kept VALUES ({number})"))
    except DatabaseUnavailable:
        return False
    return True


async def test_the_archive_works_on_after_its_postgresql_was_killed(folder: Path) -> None:
    settings = {"data_dir": folder.parent, "database_url": "", "database_pool_size": 3, "database_reading_pool_size": 3}
    db = await Database.open({**settings, "database_statement_timeout": timedelta(seconds=30)})
    async with db.transaction() as tx:
        await tx.execute(text("CREATE TABLE kept (n int)"))
    for number in range(2):
        kill_server(folder)
        await until(lambda number=number: keeps(db, number))
    async with db.reading() as connection:
        assert (await connection.execute(text("SELECT n FROM kept ORDER BY n"))).scalars().all() == [0, 1]
    await db.close()
    assert not runs(folder)
