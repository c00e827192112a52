"""A PostgreSQL for the test session, and a fresh database for each test, copied from a template."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from charrua_core.services.start import Start

TEMPLATE = "charrua_template"
_numbers = itertools.count(1)


class TestServer:
    """The session's PostgreSQL: the one of `CHARRUA_TEST_DATABASE_URL`, else one of our own in a folder."""

    __test__ = False

    def __init__(self, url_of_maintenance: str) -> None:
        self.url = url_of_maintenance
        self._has_template = False

    def fresh(self) -> str:
        """Give the URL of a new database that has all tables and the account admin."""
        name = f"charrua_test_{os.getpid()}_{next(_numbers)}"
        if not self._has_template:
            self._make_template()
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return self.url_of(name)

    def empty(self) -> str:
        """Give the URL of a new database without any table."""
        name = f"charrua_test_{os.getpid()}_{next(_numbers)}"
        self._run(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._run(f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)')

    def url_of(self, name: str) -> str:
        """Give the URL of a database of this server."""
        head, _, query = self.url.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}{'?' if query else ''}{query}"

    @property
    def _template(self) -> str:
        return f"{TEMPLATE}_{os.getpid()}"

    def _make_template(self) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self._template}"', f'CREATE DATABASE "{self._template}"')
        _in_own_loop(_prepare(self.url_of(self._template)))
        self._has_template = True

    def _run(self, *statements: str) -> None:
        _in_own_loop(_execute(self.url, statements))


def _name(url: str) -> str:
    return url.partition("?")[0].rsplit("/", 1)[1]


def _in_own_loop(work: Coroutine[Any, Any, None]) -> None:
    # In a thread: the test's own loop may be running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _prepare(url: str) -> None:
    from charrua_core.accounts import Accounts
    from charrua_core.app import migrations_of
    from charrua_core.db import Database

    start = Start.from_env({"CHARRUA_DATABASE_URL": url})
    hooks = start.hooks()
    settings = start.settings(hooks)
    db = await Database.open(settings)
    try:
        await db.upgrade(migrations_of(hooks))
        await Accounts(db, settings).prepare()
    finally:
        await db.close()


@contextmanager
def postgresql(folder: Path) -> Iterator[TestServer]:
    """Give the session's server, started in the folder where no URL is configured."""
    from charrua_core.postgresql import EmbeddedServer

    configured = os.environ.get("CHARRUA_TEST_DATABASE_URL")
    if configured:
        yield TestServer(configured)
        return
    server = EmbeddedServer(folder / "postgresql")
    _in_own_loop(server.join())
    try:
        yield TestServer(server.url("postgres"))
    finally:
        _in_own_loop(server.leave())
