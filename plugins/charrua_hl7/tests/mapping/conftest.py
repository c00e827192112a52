"""The archive with its web server in this process."""

from __future__ import annotations

import httpx
import pytest

from charrua_web.server import WebServer

PASSWORD = "an unlikely password"


class Place:
    """The archive, and who calls it."""

    def __init__(self, app, url: str) -> None:
        self.app = app
        self.url = url
        self.clients: list[httpx.AsyncClient] = []

    async def user(self, role: str = "Admin", row_filter: dict[str, list[str]] | None = None) -> str:
        name = f"user{len(self.clients)}"
        self.clients.append(httpx.AsyncClient(base_url=self.url, timeout=30))
        await self.app.accounts.add(name, role, PASSWORD, by="test", row_filter=row_filter)
        return name

    async def client(self, role: str = "Admin", row_filter: dict[str, list[str]] | None = None) -> httpx.AsyncClient:
        name = await self.user(role, row_filter)
        token = await self.app.accounts.create_token(name, by="test")
        self.clients[-1].headers["Authorization"] = f"Bearer {token}"
        return self.clients[-1]


@pytest.fixture
async def place(open_archive):
    """The archive."""
    app = await open_archive()
    server = WebServer(app)
    place = Place(app, (await server.start()).split()[1])
    yield place
    for client in place.clients:
        await client.aclose()
    await server.stop()


@pytest.fixture
async def admin(place):
    """A client of an administrator."""
    return await place.client()
