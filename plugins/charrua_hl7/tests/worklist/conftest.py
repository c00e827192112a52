"""A worklist over HTTP in this process, whose clock is moved by hand; images come in as modalities send them."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from charrua_core.testing.clock import StandsStill
from charrua_core.testing.devices import received_of
from charrua_core.types import Origin, StoredObject
from charrua_hl7.worklist.arrivals import study_arrived
from charrua_hl7.worklist.correcting import KIND, correction_job
from charrua_web.server import WebServer

PASSWORD = "an unlikely password"


class Place:
    """The archive, its clock, who calls it, and what comes."""

    def __init__(self, app, url: str) -> None:
        self.app = app
        self.url = url
        self.clock = app.jobs.clock = StandsStill()
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

    async def come(self, *images) -> None:
        """Store images, let the worklist know, and do what it has to do about them."""
        for image in images:
            sent = received_of(image)
            origin = Origin("dimse", calling_aet="CT1", called_aet="CHARRUA")
            spool = self.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
            spool.write(memoryview(sent.data_set))
            stored = await self.app.ingest.store(spool)
            uids = (stored.study_uid, stored.series_uid, stored.sop_instance_uid)
            kind = (sent.sop_class_uid, sent.transfer_syntax_uid, str(image.Modality), 1, datetime.now(UTC))
            await study_arrived(self.app, StoredObject(*uids, *kind, origin))
        await self.work()

    async def work(self) -> None:
        """Do the corrections that wait."""
        for job in await self.app.jobs.list(kind=KIND, state="due", limit=1000):
            await correction_job(self.app).run(job.payload)
            await self.app.jobs.remove(job.id)


@pytest.fixture
async def place(open_archive, request):
    """The archive; `@pytest.mark.settings(worklist_timeout="3h")` sets settings of it."""
    marker = request.node.get_closest_marker("settings")
    app = await open_archive(marker.kwargs if marker else {})
    server = WebServer(app)
    place = Place(app, (await server.start()).split()[1])
    yield place
    for client in place.clients:
        await client.aclose()
    await server.stop()


@pytest.fixture
async def admin(place):
    """A client of an administrator."""
    return await place.client("Admin")
