"""An archive in this process that modalities tell what they perform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from charrua_core.app import App
from charrua_core.archive.index.levels import tag_of
from charrua_core.dicom import Acceptor, Dispatcher, Limits
from charrua_core.testing.performed import Performer
from charrua_core.types import Peer
from charrua_hl7.performed import performed_services
from charrua_hl7.worklist.entries import STEP, Entry, locked, put


@dataclass
class Served:
    """The archive, with its DICOM listener and no other service."""

    app: App
    peer: Peer

    async def order(self, study_uid: str = "", step_id: str = "S1", **attributes: Any) -> Entry:
        """Put an entry on the worklist, as an order does."""
        async with self.app.db.transaction() as tx:
            order = an_order(study_uid, step_id, **attributes)
            return await put(self.app, tx, order, order_key=study_uid or "A1", source="hl7")

    async def status(self, one: Entry) -> str:
        """Give what has become of an entry."""
        return (await self.entry(one)).status

    async def entry(self, one: Entry) -> Entry:
        """Give an entry as it is now."""
        async with self.app.db.transaction() as tx:
            [found] = await locked(tx, [one.id])
        return found


def an_order(study_uid: str, step_id: str, **attributes: Any) -> dict[str, Any]:
    """The attributes of an entry; those of its step are given by `step`."""
    step = {"Modality": "CT", "ScheduledProcedureStepID": step_id}
    top = {"PatientID": "4711", "PatientName": {"Alphabetic": "Núñez^José"}, "AccessionNumber": "A1", **attributes}
    vrs = {"PatientName": "PN", "PatientID": "LO", "Modality": "CS", "StudyInstanceUID": "UI"}
    top |= {"StudyInstanceUID": study_uid} if study_uid else {}

    def elements(values: dict[str, Any]) -> dict[str, Any]:
        return {tag_of(name): {"vr": vrs.get(name, "SH"), "Value": [one]} for name, one in values.items()}

    return elements(top) | {STEP: {"vr": "SQ", "Value": [elements(step)]}}


@pytest.fixture
async def serve(open_archive: Callable[..., Any]) -> AsyncIterator[Callable[..., Any]]:
    """A function that serves a fresh archive: `served = await serve({"mpps_forward_to": "RIS"})`."""
    started: list[Acceptor] = []

    async def serve(settings: dict[str, Any] | None = None) -> Served:
        app = await open_archive(settings=settings or {})
        acceptor = Acceptor(Limits(), Dispatcher(performed_services(app)))
        await acceptor.start("127.0.0.1", 0)
        started.append(acceptor)
        return Served(app, Peer("CHARRUA", "127.0.0.1", acceptor.port))

    yield serve
    for acceptor in started:
        await acceptor.stop(grace_s=0.5)


@pytest.fixture
async def served(serve: Callable[..., Any]) -> Served:
    """A fresh archive, served."""
    archive: Served = await serve()
    return archive


@pytest.fixture
def ct(served: Served) -> Performer:
    """A modality."""
    return Performer(served.peer)
