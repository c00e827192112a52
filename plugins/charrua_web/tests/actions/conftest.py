"""An archive served in this process, with objects in it and callers of every role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset

from charrua_core.archive.index.dump import dump
from charrua_core.archive.regenerate import regenerate
from charrua_core.testing.devices import received_of
from charrua_core.types import Origin


class Desk:
    """A served archive, and what tests do with it."""

    def __init__(self, served: Any) -> None:
        self.served, self.app = served, served.app
        self._clients: list[httpx.AsyncClient] = []

    async def store(self, *objects: Dataset) -> None:
        """Store objects as a modality would."""
        for image in objects:
            sent = received_of(image)
            origin = Origin("dimse", "MODALITY", "CHARRUA", "127.0.0.1", "one")
            spool = self.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
            spool.write(memoryview(sent.data_set))
            await self.app.ingest.store(spool)

    async def caller(self, role: str = "Manager", row_filter: dict[str, list[str]] | None = None) -> httpx.AsyncClient:
        """A client with a token of a new user."""
        headers = {"Authorization": f"Bearer {await self.served.token(role, row_filter)}"}
        client = httpx.AsyncClient(base_url=self.served.url, headers=headers, timeout=60, verify=False)
        self._clients.append(client)
        return client

    async def found(self, client: httpx.AsyncClient, **keys: str) -> list[dict[str, str]]:
        """Studies as QIDO-RS tells them: values as texts by tag."""
        answer = await client.get("/dicom-web/studies", params={**keys, "includefield": "all"})
        assert answer.status_code in (200, 204), answer.text
        return [{tag: _text(element) for tag, element in one.items()} for one in answer.json()]

    async def lines(self) -> list[bytes]:
        """The index as text."""
        return [line async for line in dump(self.app.db)]

    async def regenerated(self) -> list[bytes]:
        """The index as text, lost and built anew from the volumes."""
        async with self.app.db.driver() as connection:
            await connection.execute("TRUNCATE core.study, core.series, core.instance, core.edit, core.job")
        await regenerate.regenerate(self.app)
        return await self.lines()

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            await client.aclose()


@pytest.fixture
async def desk(serve_web: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    """A fresh one, with the settings of `@pytest.mark.settings(…)`."""
    marker = request.node.get_closest_marker("settings")
    made = Desk(await serve_web(marker.kwargs if marker else {}))
    yield made
    await made.close()


def _text(element: dict[str, Any]) -> str:
    values = element.get("Value", [""])
    return "\\".join(one["Alphabetic"] if isinstance(one, dict) and "Alphabetic" in one else str(one) for one in values)
