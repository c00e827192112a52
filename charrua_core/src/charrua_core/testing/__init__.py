"""Fixtures for the tests of Charrua and of its plugins: a server on free ports, a modality, a workstation (pytest11).

    async def test_a_stored_object_is_found(archive, modality, workstation):
        await modality.store(a_study(images=2))
        assert len(await workstation.find("STUDY")) == 1

Each test has a fresh database, made from a template, and volumes of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.db import Database
    from charrua_core.testing.database import TestServer


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """The session's PostgreSQL."""
    from charrua_core.testing.database import postgresql

    # Short: the path of a Unix socket has room for about a hundred characters.
    with postgresql(tmp_path_factory.mktemp("pg")) as server:
        yield server


@pytest.fixture
def database_url(postgresql_server: TestServer) -> Iterator[str]:
    """The URL of a fresh database with all tables, dropped after the test."""
    url = postgresql_server.fresh()
    yield url
    postgresql_server.drop(url)


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A fresh database, open in this process."""
    from charrua_core import db as module
    from charrua_core.settings import Settings
    from charrua_core.settings.core import SETTINGS

    settings = Settings.load([*SETTINGS, *module.SETTINGS], {"CHARRUA_DATABASE_URL": database_url}, {})
    database = await module.Database.open(settings)
    yield database
    await database.close()


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a fresh archive: its database, its data folder, loopback, free ports."""
    return {
        "CHARRUA_DATABASE_URL": database_url,
        "CHARRUA_DATA_DIR": str(tmp_path / "data"),
        "CHARRUA_DICOM_HOST": "127.0.0.1",
        "CHARRUA_DICOM_PORT": "0",
        "CHARRUA_STORAGE_RESERVE_BYTES": "0",
    }


@pytest_asyncio.fixture
async def open_archive(environment: dict[str, str]) -> AsyncIterator[Callable[..., Any]]:
    """A function that opens a fresh archive in this process, without services: `app = await open_archive(settings={…})`."""
    from contextlib import AsyncExitStack

    from charrua_core.app import App, Start

    async with AsyncExitStack() as opened:

        async def open_archive(
            settings: dict[str, Any] | None = None, plugins: tuple[str, ...] = (), without: tuple[str, ...] = ()
        ) -> App:
            variables = {f"CHARRUA_{name.upper()}": str(value) for name, value in (settings or {}).items()}
            start = Start({**environment, **variables}, without, plugins)
            return await opened.enter_async_context(App.opened(start))

        yield open_archive


@pytest_asyncio.fixture
async def archive_in_process(open_archive: Callable[..., Any]) -> App:
    """A fresh archive in this process, without services."""
    app: App = await open_archive()
    return app
