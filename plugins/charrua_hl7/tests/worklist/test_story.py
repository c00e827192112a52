"""The whole way: an order by POST /worklist, what the modality is told, its images, and what the study says then."""

from __future__ import annotations

from charrua_core.testing.objects import a_study
from charrua_core.testing.scheduled import ask, scheduled
from charrua_core.types import Peer


async def test_from_order_to_study(archive, modality, browse) -> None:
    admin = await browse("Admin")
    await archive.add_peer(Peer("STATION", "127.0.0.1", 11112))
    order = {"id": "A1", "descr": "KNEE LEFT", "patid": "4711", "patname": "SILVA^ANA", "patsex": "F", "modality": "MR"}
    entry = (await admin.post("/worklist", json=order)).json()
    assert "SILVA, ANA" in (await admin.get("/worklist", headers={"Accept": "text/html"})).text
    [told] = await ask(archive.peer, scheduled(Modality="MR", PatientID="4711", StudyInstanceUID="", PatientName=""))
    assert told.StudyInstanceUID == entry["study"]
    images = a_study(
        images=2,
        StudyInstanceUID=told.StudyInstanceUID,
        Modality="MR",
        AccessionNumber="",
        PatientID="471",
        PatientName="SILVA^ANNA",
        StudyDescription="",
    )
    await modality.give(images)
    await archive.settled()
    now = (await admin.get(f"/worklist/entries/{entry['entry']}")).json()
    assert (now["status"], now["arrived"]) == ("COMPLETED", entry["study"])
    assert await ask(archive.peer, scheduled(Modality="MR", PatientID="")) == []
    [study] = (await admin.get("/dicom-web/studies", params={"includefield": "all"})).json()
    said = {tag: study[tag]["Value"][0] for tag in ("00100020", "00100010", "00080050", "00081030")}
    assert said == {
        "00100020": "4711",
        "00100010": {"Alphabetic": "SILVA^ANA"},
        "00080050": "A1",
        "00081030": "KNEE LEFT",
    }
