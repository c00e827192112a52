"""Studies sent to several destinations at once, and what became of it."""

from __future__ import annotations

import pytest

from charrua_core.testing.objects import a_study
from charrua_core.types import Peer


@pytest.fixture
async def uids(desk):
    """Two studies, and two peers that nobody answers for."""
    studies = [a_study()[0], a_study()[0]]
    await desk.store(*studies)
    for number in (1, 2):
        await desk.app.peers.add(Peer(f"PACS{number}", "127.0.0.1", 1), by="test")
    return [str(image.StudyInstanceUID) for image in studies]


async def test_studies_go_to_destinations_and_are_followed(desk, uids) -> None:
    client = await desk.caller("Radiologist")
    told = (await client.get("/actions/destinations")).json()
    assert [one["name"] for one in told["destinations"]] == ["PACS1", "PACS2"] and told["destinations"][0]["syntaxes"]
    asked = {"studies": uids, "destinations": ["PACS1", "PACS2"], "transfer_syntax": 3, "priority": "high"}
    answer = await client.post("/actions/send", json=asked)
    assert answer.status_code == 202
    sendings = answer.json()["sendings"]
    assert {(one["study"], one["destination"], one["state"]) for one in sendings} == {
        (uid, name, "due") for uid in uids for name in ("PACS1", "PACS2")
    }
    numbers = ",".join(str(one["sending"]) for one in sendings)
    became = (await client.get("/actions/sendings", params={"of": numbers})).json()
    assert [(one["state"], one["study"] in uids) for one in became] == [("due", True)] * 4
    [job] = await desk.app.jobs.some([sendings[0]["sending"]])
    assert job.priority == 10 and job.payload["options"]["transfer_syntaxes"][0] == "1.2.840.10008.1.2.4.70"
    again = (await client.post("/actions/send", json={**asked, "studies": [uids[0], "1.2.3"]})).json()["sendings"]
    assert [one["state"] for one in again] == ["waits already"] * 2 + ["not found"] * 2
    other = await desk.caller("Radiologist", {"Modality": ["CT"]})
    assert (await other.get("/actions/sendings", params={"of": numbers})).json() == []


async def test_what_will_not_do_is_named(desk, uids) -> None:
    client = await desk.caller("Radiologist")
    for asked, field in (
        ({}, "studies"),
        ({"studies": uids}, "destinations"),
        ({"studies": uids, "destinations": ["NOWHERE"]}, "destinations"),
        ({"studies": uids, "destinations": ["PACS1"], "transfer_syntax": 7}, "transfer_syntax"),
        ({"studies": uids, "destinations": ["PACS1"], "priority": "urgent"}, "priority"),
        ({"studies": ["a b"], "destinations": ["PACS1"]}, "studies"),
        ({"studies": [f"1.2.{number}" for number in range(300)], "destinations": ["PACS1", "PACS2"]}, "studies"),
    ):
        answer = await client.post("/actions/send", json=asked)
        assert answer.status_code == 400 and answer.json()["detail"].startswith(f"{field}:"), answer.text
    assert (await client.get("/actions/sendings", params={"of": "one"})).status_code == 400
    assert (await (await desk.caller("General")).get("/actions/destinations")).status_code == 403
