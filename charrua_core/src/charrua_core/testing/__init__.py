"""Fixtures for the tests of Charrua and of its plugins: a server on free ports, a modality, a workstation (pytest11).

    from charrua_core.testing.objects import a_study

    async def test_a_stored_study_is_found(archive, modality, workstation):
        await modality.store(a_study(images=2))
        assert len(await workstation.find("STUDY")) == 1

Each test has a fresh database, made from a template, and volumes of its own.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from charrua_core.testing.outside import pytest_terminal_summary as pytest_terminal_summary  # a hook of pytest

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.db import Database
    from charrua_core.testing.database import TestServer
    from charrua_core.testing.devices import Modality, Workstation
    from charrua_core.testing.running import Archive


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashes of passwords take a quarter of a second, as they should; those of tests' many users take none.

    What a hash costs is written in it, so a server in a process of its own is as quick with them.
    """
    from argon2 import PasswordHasher

    from charrua_core.accounts import passwords

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


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
        "CHARRUA_WEB_PORT": "0",
        "CHARRUA_HL7_HOST": "127.0.0.1",
        "CHARRUA_HL7_PORT": "0",
        "CHARRUA_STORAGE_RESERVE_BYTES": "0",
    }


@pytest_asyncio.fixture
async def open_archive(environment: dict[str, str]) -> AsyncIterator[Callable[..., Any]]:
    """A function that opens a fresh archive in this process, without services: `app = await open_archive(settings={…})`."""
    from contextlib import AsyncExitStack

    from charrua_core.app import App, Start
    from charrua_core.testing.running import as_variables

    async with AsyncExitStack() as opened:

        async def open_archive(
            settings: dict[str, Any] | None = None, plugins: tuple[str, ...] = (), without: tuple[str, ...] = ()
        ) -> App:
            start = Start({**environment, **as_variables(settings or {})}, without, plugins)
            return await opened.enter_async_context(App.opened(start))

        yield open_archive


@pytest_asyncio.fixture
async def archive_in_process(open_archive: Callable[..., Any]) -> App:
    """A fresh archive in this process, without services."""
    app: App = await open_archive()
    return app


@pytest.fixture
def write_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """A function that makes a plugin of source text, for `open_archive` and `start_archive`; gives its name."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write_plugin(name: str, source: str) -> str:
        head = "from charrua_core.hookspecs import hookimpl\nfrom charrua_core.types import *\n\n"
        (folder / f"{name}.py").write_text(head + textwrap.dedent(source))
        sys.modules.pop(name, None)
        return name

    return write_plugin


@pytest_asyncio.fixture
async def start_archive(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts a fresh `charrua serve`: `archive = await start_archive(settings={…}, plugins=["my_module"])`.

    `env` adds to its environment; modules in `plugins` (as of `write_plugin`) are loaded beside the installed plugins,
    `without` leaves some out.
    """
    from charrua_core.testing.running import Archive, as_variables

    started: list[Archive] = []

    async def start_archive(
        settings: dict[str, Any] | None = None,
        plugins: Sequence[str] = (),
        without: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> Archive:
        chosen = {"CHARRUA_PLUGINS": " ".join(plugins), "CHARRUA_WITHOUT": " ".join(without)}
        path = os.pathsep.join([str(tmp_path / "plugins"), os.environ.get("PYTHONPATH", "")])
        variables = {**environment, "PYTHONPATH": path, **chosen, **as_variables(settings or {}), **(env or {})}
        archive = Archive(variables, tmp_path / f"archive-{len(started) + 1}.log")
        started.append(archive)
        await archive.start()
        return archive

    yield start_archive
    for archive in started:
        if archive.runs:
            await archive.kill()


@pytest_asyncio.fixture
async def archive(start_archive: Callable[..., Any], request: pytest.FixtureRequest) -> Archive:
    """A running archive; `@pytest.mark.settings(dicom_aet="NORTE")` sets settings of it."""
    marker = request.node.get_closest_marker("settings")
    running: Archive = await start_archive(settings=marker.kwargs if marker else {})
    return running


@pytest.fixture
def modality(archive: Archive) -> Modality:
    """A modality that knows the archive."""
    from charrua_core.testing.devices import Modality

    return Modality(archive.peer)


@pytest_asyncio.fixture
async def workstation(archive: Archive) -> AsyncIterator[Workstation]:
    """A workstation that the archive knows as a peer."""
    from charrua_core.testing.devices import Workstation

    station = Workstation(archive.peer)
    await station.start()
    await archive.add_peer(station.peer)
    yield station
    await station.stop()


@pytest_asyncio.fixture
async def browse(archive: Archive) -> AsyncIterator[Callable[..., Any]]:
    """A function that gives an `httpx.AsyncClient` of the archive: `client = await browse("Referring", {"Modality": ["CR"]})`.

    It is logged in by a bearer token as a new user of the role, with a row filter; `None` is somebody who has not logged in.
    """
    from contextlib import AsyncExitStack

    import httpx

    async with AsyncExitStack() as clients:

        async def browse(
            role: str | None = "Admin", row_filter: dict[str, list[str]] | None = None
        ) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {await archive.token(role, row_filter)}"} if role else {}
            # Without authorities of TLS: reading them takes longer than all else here.
            client = httpx.AsyncClient(base_url=archive.url, headers=headers, timeout=30, verify=False)  # noqa: S501
            return await clients.enter_async_context(client)

        yield browse


@pytest_asyncio.fixture
async def browser_at() -> AsyncIterator[Callable[..., Any]]:
    """A function that opens a page of Chromium at an archive: `page = await browser_at(served, "Manager", width="phone")`.

    The page is Playwright's, logged in as a new user of the role (None: nobody is) with a row filter. `arguments` are
    Chromium's own; `width`, `theme` and `language` as of `charrua_core.testing.browser.logged_in`. What a page's scripts
    throw, or its policy stops, fails the test.
    """
    from contextlib import AsyncExitStack

    from charrua_core.testing.browser import chromium, executable, logged_in

    if not executable():
        pytest.skip("Chromium is not installed")
    pages: list[Any] = []
    async with AsyncExitStack() as stack:
        browsers: dict[tuple[str, ...], Any] = {}

        async def browser_at(
            archive: Any,
            role: str | None = "Admin",
            row_filter: dict[str, list[str]] | None = None,
            *,
            arguments: tuple[str, ...] = (),
            **looks: Any,
        ) -> Any:
            if arguments not in browsers:
                browsers[arguments] = await stack.enter_async_context(chromium(*arguments))
            pages.append(await logged_in(browsers[arguments], archive, role, row_filter, **looks))
            return pages[-1]

        yield browser_at
    faults = [fault for page in pages for fault in page.faults]
    assert not faults, faults  # noqa: S101 -- this is a test's


@pytest_asyncio.fixture
async def open_browser(archive: Archive, browser_at: Callable[..., Any]) -> Callable[..., Any]:
    """`browser_at` of the fixture `archive`: `page = await open_browser("Radiologist", {"Modality": ["CR"]})`."""
    from functools import partial

    return partial(browser_at, archive)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "settings(**settings): settings of the fixture `archive`")
