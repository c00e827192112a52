"""Rules and queue over HTTP, for those who may."""

from __future__ import annotations

import json

import httpx
import pytest

from charrua_core.testing.devices import Modality, Workstation
from charrua_core.testing.objects import a_study
from charrua_core.testing.running import Archive
from charrua_core.testing.waiting import until

JSON = {"Content-Type": "application/json"}
RULE = {"name": "ct", "destinations": ["WORKSTATION"], "when": {"modality": "CT"}}
NOWHERE = {"name": "ct", "destinations": ["NOWHERE"], "when": {"modality": "CT"}}


@pytest.fixture
async def admin(browse) -> httpx.AsyncClient:
    return await browse("Admin")


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


async def test_a_rule_lives_over_http(admin) -> None:
    added = await admin.post("/routing/rules", json=RULE)
    assert added.status_code == 201
    path = f"/routing/rules/{added.json()['number']}"
    assert added.headers["location"].endswith(path)
    assert (await admin.get(path)).json() == added.json()

    changed = await admin.put(path, json={"version": 1, "rule": {**RULE, "order": 5}})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    late = await admin.put(path, json={"version": 1, "rule": RULE})
    assert told(late)[0] == 409

    restored = await admin.post(f"{path}/versions/1/restore")
    assert (restored.json()["version"], restored.json()["rule"]) == (3, RULE)
    assert [one["version"] for one in (await admin.get(f"{path}/versions")).json()] == [3, 2, 1]

    assert (await admin.delete(path)).status_code == 400  # which version?
    assert (await admin.delete(f"{path}?version=2")).status_code == 409
    assert (await admin.delete(f"{path}?version=3")).status_code == 204
    assert (await admin.get(path)).status_code == 404
    assert (await admin.get("/routing/rules")).json() == []


WRONG = [
    ("POST", "/routing/rules", "{", 400, "the body is no JSON"),
    ("POST", "/routing/rules", "[]", 400, "a JSON object"),
    ("POST", "/routing/rules", {"name": "x"}, 400, "destinations: 1 to 20"),
    ("POST", "/routing/rules", {**RULE, "when": {"modalty": "CT"}}, 400, "when.modalty: there is no such field"),
    ("PUT", "/routing/rules/1", {"rule": RULE}, 400, "version: "),
    ("PUT", "/routing/rules/1", {"version": 1}, 400, "a table of fields"),
    ("PUT", "/routing/rules/99", {"version": 1, "rule": RULE}, 404, "there is no rule 99"),
    ("GET", "/routing/rules/x", None, 404, "no number"),
    ("GET", "/routing/rules/99/versions", None, 404, "never was"),
    ("POST", "/routing/rules/99/versions/1/restore", None, 404, "never was"),
    ("POST", "/routing/explain", {"sop_instance_uid": "x"}, 400, "sop_instance_uid: 'x' is no UID"),
    ("POST", "/routing/explain", {"sop_instance_uid": "1.2.3"}, 404, "No such"),
    ("POST", "/routing/explain", {"sop_instance_uid": "1.2", "rules": [1]}, 404, "No such"),
    ("POST", "/routing/replay", {"rules": []}, 400, "since: a moment such as"),
    (
        "POST",
        "/routing/replay",
        {"rules": [], "since": "2026-01-01T00:00:00"},
        400,
        "since: the moment has no zone",
    ),
    ("POST", "/routing/replay", {"rules": [], "since": "2999-01-01T00:00:00Z"}, 400, "since: it lies before until"),
    ("POST", "/routing/replay", {"rules": [{}], "since": "2026-01-01T00:00:00Z"}, 400, r"rule[0]: name"),
    ("GET", "/routing/queue?state=lost", None, 400, "state: 'lost'"),
    ("GET", "/routing/queue?limit=501", None, 400, "limit: a whole number from 1 to 500"),
    ("POST", "/routing/queue/99/again", None, 404, "there is no sending 99"),
    ("DELETE", "/routing/queue/99", None, 404, "there is no sending 99"),
    ("POST", "/routingqueue", {"AET": "W", "TS": 7}, 400, "TS: 0 to 6"),
    ("POST", "/routingqueue", {"TS": 1, "StudyInstanceUID": "1.2"}, 400, "AET: the destination is missing"),
    ("POST", "/routingqueue", {"AET": "W", "StudyInstanceUID": "x"}, 400, "StudyInstanceUID: 'x' is no UID"),
    ("POST", "/routingqueue", {"AET": "W", "StudyInstanceUID": "1.2"}, 404, "No such study"),
    ("POST", "/routingqueue", {"AET": "W", "Study": "1.2"}, 400, "Study: there is no such field"),
]


async def test_what_will_not_do_is_named(admin) -> None:
    for method, path, body, status, detail in WRONG:  # not parametrized: each would start an archive
        content = {"content": body if isinstance(body, str) else json.dumps(body), "headers": JSON} if body else {}
        answer = await admin.request(method, path, **content)
        assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), (
            f"{method} {path}: {answer.text}"
        )


async def test_an_object_is_explained_and_rules_are_tried_on_the_past(
    archive: Archive, modality: Modality, admin, browse
):
    [image] = a_study()
    await modality.give(image)
    await archive.settled()
    question = {"sop_instance_uid": str(image.SOPInstanceUID), "rules": [RULE]}
    explained = (await admin.post("/routing/explain", json=question)).json()
    assert [(one["rule"], one["state"]) for one in explained["rules"]] == [("ct", "took it")]
    past = {"since": "2020-01-01T00:00:00Z", "rules": [RULE]}
    assert (await admin.post("/routing/replay", json=past)).json()["gained"] == {"WORKSTATION": 1}
    filtered = await browse("Admin", {"Modality": ["MR"]})
    assert (await filtered.post("/routing/explain", json=question)).status_code == 404
    assert (await filtered.post("/routing/replay", json=past)).json()["objects"] == 0


async def test_rules_are_for_those_who_configure_and_the_queue_for_those_who_send(archive: Archive, browse):
    for role, of_rules, of_queue in (
        (None, 401, 401),
        ("Referring", 403, 403),
        ("Manager", 403, 200),
        ("Admin", 200, 200),
    ):
        client = await browse(role)
        assert (await client.get("/routing/rules")).status_code == of_rules, role
        assert (await client.get("/routing/queue")).status_code == of_queue, role


async def test_the_manuals_call_sends_a_study_in_the_syntax_it_names(
    archive: Archive, modality: Modality, workstation: Workstation, browse
):
    study = a_study(images=2)
    await modality.give(study)
    await archive.settled()
    manager = await browse("Manager")
    asked = {
        "AET": "WORKSTATION",
        "TS": "5",
        "PatientName": "doe^jane",
        "StudyInstanceUID": str(study[0].StudyInstanceUID),
    }
    assert told(await manager.post("/routingqueue", json={**asked, "PatientName": "Doe^John"}))[0] == 400
    assert told(await manager.post("/routingqueue", json={**asked, "AET": "NOWHERE"}))[0] == 404
    assert (await (await browse("Manager", {"Modality": ["MR"]})).post("/routingqueue", json=asked)).status_code == 404
    assert (await manager.post("/routingqueue", json=asked)).status_code == 202
    await archive.settled()
    assert {one.transfer_syntax_uid for one in workstation.received} == {"1.2.840.10008.1.2.4.90"}
    assert len(workstation.received) == 2


async def test_a_sending_that_failed_is_sent_again_or_deleted(
    archive: Archive, modality: Modality, workstation: Workstation, admin, browse
):
    await admin.post("/routing/rules", json=RULE)
    await admin.post("/routing/rules", json={**NOWHERE, "name": "nowhere"})
    port = workstation.port
    await workstation.stop()
    await modality.give(a_study())

    async def failed():
        found = (await admin.get("/routing/queue?state=due")).json()
        return len(found) == 2 and all(one["attempts"] for one in found)

    await until(failed, 30)
    [lost] = (await admin.get("/routing/queue?destination=NOWHERE")).json()
    assert "DestinationUnknown" in lost["last_error"]
    restricted = await browse("Manager", {"Modality": ["CT"]})
    assert (await restricted.get("/routing/queue")).json() == []
    assert (await restricted.delete(f"/routing/queue/{lost['id']}")).status_code == 404
    assert (await admin.delete(f"/routing/queue/{lost['id']}")).status_code == 204

    workstation.port = port
    await workstation.start()
    [waits] = (await admin.get("/routing/queue")).json()
    assert (await admin.post(f"/routing/queue/{waits['id']}/again")).status_code == 204
    await archive.settled()
    assert len(workstation.received) == 1
    assert [(one["state"], one["sent"]) for one in (await admin.get("/routing/queue")).json()] == [("done", 1)]
