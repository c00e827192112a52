"""A modality works through its worklist, against a running archive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE

from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import a_study
from charrua_core.testing.performed import Information, Performer, a_scheduled_step, a_series, a_step, an_end
from charrua_core.testing.waiting import until
from charrua_core.types import Peer

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
ORDER = {
    "id": "A4711",
    "patid": "4711",
    "patname": "Núñez^José",
    "patbd": "19700101",
    "patsex": "M",
    "descr": "Thorax",
    "modality": "CT",
    "aet": "CT1",
}


def worklist_of(archive: Any) -> list[Dataset]:
    """What the worklist tells the modality."""
    keys = Dataset()
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
        setattr(keys, keyword, "")
    step = Dataset()
    step.ScheduledProcedureStepID, step.Modality = "", "CT"
    keys.ScheduledProcedureStepSequence = [step]
    ae = AE("CT1")
    ae.add_requested_context(MODALITY_WORKLIST)
    association = ae.associate(archive.peer.host, archive.peer.port, ae_title=archive.peer.aet)
    answers: list[Any] = list(association.send_c_find(keys, MODALITY_WORKLIST))
    association.release()
    assert answers[-1][0].Status == 0x0000
    return [found for _, found in answers[:-1]]


async def test_a_modality_takes_its_entry_performs_it_and_says_so(start_archive: Callable[..., Any]) -> None:
    archive = await start_archive(settings={"mpps_forward_to": "RIS"})
    ris, ct = Information(), Performer(archive.peer)
    ris.start()
    await archive.add_peer(ris.peer)
    await archive.add_peer(Peer("CT1", "127.0.0.1", 1))
    ris.stop()  # it is away when the step begins
    async with Calls(archive, await archive.token()) as calls:
        entry = (await calls.post("/worklist", json=ORDER)).json()["entry"]
        [taken] = await asyncio.to_thread(worklist_of, archive)
        study = taken.StudyInstanceUID
        item = a_scheduled_step(
            study,
            AccessionNumber=taken.AccessionNumber,
            ScheduledProcedureStepID=taken.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID,
        )
        status, uid = await ct.create(a_step(scheduled=[item]))
        assert (status, await calls.status(entry)) == (0x0000, "STARTED")
        ris.start()
        patient = {"PatientName": "Núñez^José", "PatientID": "4711", "AccessionNumber": "A4711"}
        images = a_study(images=2, StudyInstanceUID=study, SpecificCharacterSet="ISO_IR 192", **patient)
        await Modality(archive.peer).give(images)
        await archive.settled()
        assert await calls.status(entry) == "STARTED"  # the modality has not said that these are all
        series = a_series(images[0].SeriesInstanceUID, [one.SOPInstanceUID for one in images])
        assert await ct.set(uid, an_end(series)) == 0x0000
        assert await calls.status(entry) == "COMPLETED"
        assert await asyncio.to_thread(worklist_of, archive) == []
        [step] = (await calls.get("/worklist/performed", params={"study": study})).json()["steps"]
        assert (step["status"], step["entries"], step["named"], step["received"]) == ("COMPLETED", [entry], 2, 2)
        ledger = (await calls.get(f"/studies/{study}/ledger")).json()
        assert ledger["expected"] == [{"sender": "CT1", "objects": 2, "received": 2, "is_final": True}]
    await until(lambda: [operation for operation, _, _ in ris.heard] == ["N-CREATE", "N-SET"], timeout_s=40)
    ris.stop()


class Calls:
    """Calls of the archive as an administrator."""

    def __init__(self, archive: Any, token: str) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(base_url=archive.url, headers=headers, timeout=30)

    async def __aenter__(self) -> Calls:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **more: Any) -> Any:
        answer = await self._client.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer

    async def post(self, path: str, **more: Any) -> Any:
        answer = await self._client.post(path, **more)
        assert answer.status_code == 200, answer.text
        return answer

    async def status(self, entry: int) -> str:
        """What has become of an entry."""
        return str((await self.get(f"/worklist/entries/{entry}")).json()["status"])
