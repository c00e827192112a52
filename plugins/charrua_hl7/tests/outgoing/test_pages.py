"""The pages and calls of messages and receivers: one archive, to which a hospital has spoken."""

from __future__ import annotations

import asyncio
import json

import pytest

HTML = {"Accept": "text/html"}
PATIENT = "MSH|^~\\&|HIS|NORTE|CHARRUA||20260306120000||{type}|{control}|P|2.3\rPID|1||{patient}^^^NORTE||PEREZ^ANA\r"
STEP = "ORC|NW|P-1|{accession}\rOBR|1|P-1|{accession}|CTH^CT of the <b>head|||20260306173000|||||||||||{accession}\r"
RECEIVER = {"name": "HIS", "host": "127.0.0.1", "sends": ["orders"], "application": "ELSE"}


def an_order(control, accession, patient="4711"):
    """A new order, of one step."""
    return (PATIENT + STEP).format(type="ORM^O01", control=control, accession=accession, patient=patient)


async def told(address, content):
    """Send a message, and give its answer."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"\x0b" + content.encode() + b"\x1c\r")
    answer = await reader.readuntil(b"\x1c\r")
    writer.close()
    return answer


@pytest.fixture
async def admin(archive, browse, hospital):
    """Who configures an archive that has taken an order, refused a message, and told a receiver."""
    client = await browse("Admin")
    added = await client.post("/hl7/receivers", json={**RECEIVER, "port": hospital.port})
    assert added.status_code == 201, added.text
    assert b"MSA|AA|1" in await told(archive.hl7, an_order("1", "A1"))
    assert b"MSA|A" in await told(archive.hl7, PATIENT.format(type="XYZ^Z99", control="2", patient="4712"))
    for _ in range(200):
        if hospital.taken:
            return client
        await asyncio.sleep(0.05)
    raise AssertionError


async def listed(client, **query):
    answer = await client.get("/hl7/messages", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.settings(hl7_host="127.0.0.1", hl7_port=0)
async def test_messages_are_found_looked_at_and_done_again(admin, browse, archive, hospital) -> None:
    came = {one["control_id"]: one for one in await listed(admin, direction="in")}
    assert (came["1"]["state"], came["2"]["state"]) == ("done", "failed")
    for query in (
        {"type": "ORM"},
        {"patient": "4711"},
        {"accession": "A1"},
        {"control": "1"},
        {"text": "CT of the <b>"},
    ):
        assert "1" in [one["control_id"] for one in await listed(admin, **query)], query
    assert [one["control_id"] for one in await listed(admin, state="failed", since="2020-01-01")] == ["2"]
    assert (await admin.get("/hl7/messages/failed")).json() == {"count": 1}
    assert (await admin.get("/hl7/messages", params={"state": "lost"})).status_code == 400
    assert (await admin.get("/hl7/messages", params={"since": "yesterday"})).status_code == 400

    opened = (await admin.get(f"/hl7/messages/{came['1']['id']}")).json()
    pid = next(one for one in opened["segments"] if one["name"] == "PID")
    name = next(one for one in pid["fields"] if one["number"] == 5)
    assert (name["name"], name["parts"]) == ("Patient name", [[[1, "PEREZ"], [2, "ANA"]]])
    assert len(opened["entries"]) == 1
    assert "MSA|AA|1" in opened["answer"]
    page = (await admin.get(f"/setup/hl7/messages/{came['1']['id']}", headers=HTML)).text
    assert f'href="/worklist/{opened["entries"][0]}"' in page
    assert "CT of the &lt;b&gt;head" in page
    assert "<b>head" not in page

    again = await admin.post(f"/hl7/messages/{came['1']['id']}/process")
    assert (again.status_code, again.json()["attempts"]) == (200, 2)
    many = await admin.post("/hl7/messages/process", json={"filter": {"state": "failed"}})
    assert many.json() == {"done": 1, "failed": 1}
    [out] = await listed(admin, direction="out")
    assert (await admin.post(f"/hl7/messages/{out['id']}/process")).status_code == 200
    for body in ({}, {"messages": "all"}, {"messages": [1], "filter": {}}, {"filter": {"colour": "red"}}):
        assert (await admin.post("/hl7/messages/process", json=body)).status_code == 400
    assert (await admin.get("/hl7/messages/99999")).status_code == 404
    assert (await admin.post("/hl7/messages/99999/process")).status_code == 404
    for _ in range(200):
        if len(hospital.taken) == 2:
            break
        await asyncio.sleep(0.05)
    assert {one.control_id for one in hospital.taken} == {out["control_id"]}

    partly = await browse("Admin", {"Modality": ["CR"]})
    for path in ("/hl7/messages", f"/hl7/messages/{out['id']}", "/hl7/messages/failed"):
        assert (await partly.get(path)).status_code == 403, path
    assert (await partly.post(f"/hl7/messages/{out['id']}/process")).status_code == 403
    assert (await partly.get("/setup/hl7", headers=HTML)).status_code == 403
    trail = (await admin.get("/audit")).text
    assert str(came["1"]["id"]) in trail

    await receivers_are_looked_after(admin, archive, hospital)


async def what_waits_is_shown(admin, archive) -> None:
    """A message to a receiver that is switched off: not written yet, and known by whom it is about."""
    await told(archive.hl7, an_order("3", "A3"))
    [waits] = await listed(admin, direction="out", state="waiting", accession="A3", patient="4711")
    page = (await admin.get(f"/setup/hl7/messages/{waits['id']}", headers=HTML)).text
    assert "It is written when it is sent" in page and "As it was sent" not in page
    assert "<dd>4711</dd>" in page and "<dd>A3</dd>" in page


async def receivers_are_looked_after(admin, archive, hospital) -> None:
    """The calls on receivers, and their commands."""
    assert (await admin.post("/hl7/receivers", json={**RECEIVER, "port": 1})).status_code == 409
    works = (await admin.post("/hl7/receivers/HIS/test")).json()
    assert works["works"] and "takes a connection" in works["told"]
    assert len(hospital.taken) == 2
    changed = await admin.put("/hl7/receivers/HIS", json={"port": 9, "enabled": False})
    assert (changed.status_code, changed.json()["sends"], changed.json()["enabled"]) == (200, ["orders"], False)
    fails = (await admin.post("/hl7/receivers/HIS/test")).json()
    assert (fails["works"], fails["told"]) == (False, "HIS: nobody listens at 127.0.0.1:9.")
    page = (await admin.get("/setup/hl7/receivers", headers=HTML)).text
    assert "127.0.0.1:9" in page and "Paused" in page
    await what_waits_is_shown(admin, archive)
    wrong = [{"port": 0}, {"port": True}, {"tls": "ssl"}, {"version": "9"}, {"sends": ["all"]}, {"host": "a b"}]
    for body in [*wrong, {"colour": "red"}, {"application": "A|B"}, {"enabled": "no"}, {"character_set": "EBCDIC"}]:
        answer = await admin.put("/hl7/receivers/HIS", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["detail"].startswith(next(iter(body))), answer.text
    assert (await admin.post("/hl7/receivers", json={"name": "a/b", "host": "h", "port": 1})).status_code == 400
    assert (await admin.delete("/hl7/receivers/HIS")).status_code == 204
    assert (await admin.put("/hl7/receivers/HIS", json={"port": 1})).status_code == 404

    added = await archive.run("hl7", "receiver", "add", "RIS", "127.0.0.1", str(hospital.port), "--sends", "results")
    assert added.startswith("added RIS")
    assert "RIS takes a connection" in await archive.run("hl7", "receiver", "test", "RIS")
    assert (await archive.run("hl7", "receiver", "list")).splitlines()[1].split()[:4] == [
        *("RIS", "127.0.0.1", str(hospital.port), "off")
    ]
    assert json.loads((await admin.get("/hl7/receivers")).text)[0]["name"] == "RIS"
    assert (await archive.run("hl7", "receiver", "remove", "RIS")).strip() == "removed RIS"
