"""The web server in the test's own process: real sockets, without the seconds that a whole archive takes to start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from httpx import AsyncClient
from pydicom.dataset import Dataset

from charrua_core.app import App
from charrua_core.testing.objects import part10
from charrua_web.server import WebServer

PASSWORD = "an unlikely password"


class Served:
    """A web server, as the fixture `browse` and tests know an archive."""

    def __init__(self, app: App, server: WebServer, told: str) -> None:
        self.app = app
        self.server = server
        self.told = told
        self.url = told.split()[1]
        self._users = 0

    async def user(self, role: str = "Admin", row_filter: Mapping[str, list[str]] | None = None) -> str:
        """Give the name of a new user, with PASSWORD."""
        self._users += 1
        name = f"{role.lower()}{self._users}"
        await self.app.accounts.add(name, role, PASSWORD, by="test", row_filter=row_filter)
        return name

    async def token(self, role: str = "Admin", row_filter: Mapping[str, list[str]] | None = None) -> str:
        """Give a bearer token of a new user."""
        return await self.app.accounts.create_token(await self.user(role, row_filter), by="test")

    async def client(self, role: str = "Radiologist", row_filter: Mapping[str, list[str]] | None = None) -> AsyncClient:
        """Give a client that is logged in as a new user; close it."""
        headers = {"Authorization": f"Bearer {await self.token(role, row_filter)}"}
        return AsyncClient(base_url=self.url, headers=headers, timeout=30, verify=False)

    async def give(self, *objects: Dataset) -> None:
        """Store objects by STOW-RS."""
        async with await self.client("Admin") as admin:
            for one in objects:
                headers = {"Content-Type": "application/dicom"}
                answer = await admin.post("/dicom-web/studies", content=part10(one), headers=headers)
                assert answer.status_code == 200, answer.text


@pytest.fixture
async def serve_web(open_archive: Callable[..., Any]) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts one: `served = await serve_web(settings={…}, plugins=[…])`."""
    async with AsyncExitStack() as stack:

        async def serve_web(settings: dict[str, Any] | None = None, plugins: tuple[str, ...] = ()) -> Served:
            app = await open_archive(settings, tuple(plugins))
            server = WebServer(app)
            told = await server.start()
            stack.push_async_callback(server.stop)
            return Served(app, server, told)

        yield serve_web
