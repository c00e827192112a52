"""One study over HTTP: its parts, what became of it, what is told of it as it changes, and what people keep for themselves."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from websockets.asyncio.client import connect

from charrua_core.archive.edit.edit import edit
from charrua_core.archive.edit.undo import undo
from charrua_core.archive.remove import delete
from charrua_core.preferences import LARGEST, MOST
from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.shelf import Shelf
from charrua_core.types import SYSTEM, Level
from charrua_web.studies import live

MR = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}
PATIENT = {"PatientID": "9", "PatientName": "Silva^Ana"}


@pytest.fixture
async def archive(serve_web):
    return await serve_web()


@pytest.fixture
async def shelf(archive):
    async with archive.app.db.driver() as connection:
        yield Shelf(connection)


async def client_of(archive, role: str = "Manager", row_filter=None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {await archive.token(role, row_filter)}"}
    return httpx.AsyncClient(base_url=archive.url, headers=headers, timeout=30, verify=False)


async def store(client: httpx.AsyncClient, **attributes: object) -> None:
    body = part10(an_object(**{**PATIENT, **MR, **attributes}))
    answer = await client.post("/dicom-web/studies", content=body, headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 200, answer.text


# -- parts ---------------------------------------------------------------------------------------------------------------
async def test_a_study_tells_its_series_in_order_its_documents_and_its_priors(archive, shelf) -> None:
    report = {"Modality": "SR", "SeriesNumber": "10", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}
    mr = {"Modality": "MR", "SeriesNumber": "2", "SeriesDescription": "AX T1"}
    patient = {"PatientID": "9", "PatientName": "Silva^Ana"}
    await shelf.study([report], [mr] * 3, StudyInstanceUID="1.1", StudyDate="20260101", **patient)
    await shelf.run("UPDATE core.instance SET sop_class_uid = $1 WHERE series_id = 1", report["SOPClassUID"])
    await shelf.study(StudyInstanceUID="1.2", StudyDate="20240101", **patient)
    await shelf.study(StudyInstanceUID="1.3", IssuerOfPatientID="Elsewhere", **patient)
    async with await client_of(archive) as client:
        told = (await client.get("/studies/1.1/details")).json()
        images = (await client.get("/studies/1.1/series/1.1.2/images")).json()
        behind = (await client.get("/studies/1.1/series/1.1.2/images?after=1.1.2.2")).json()
    assert [(one["number"], one["modality"], one["images"]) for one in told["series"]] == [
        ("2", "MR", 3),
        ("10", "SR", 1),
    ]
    assert [one["uid"] for one in told["priors"]] == ["1.2"]
    assert (told["patient"]["name"], told["study"]["cells"]["images"]) == ("Silva, Ana", "4")
    assert [one["uid"] for one in images["images"]] == ["1.1.2.1", "1.1.2.2", "1.1.2.3"]
    assert ([one["uid"] for one in behind["images"]], behind["more"]) == (["1.1.2.3"], False)


async def test_a_patient_without_an_id_has_no_priors(archive, shelf) -> None:
    for uid in ("1.1", "1.2"):
        await shelf.study(StudyInstanceUID=uid, PatientID="", PatientName="Silva^Ana")
    async with await client_of(archive) as client:
        assert (await client.get("/studies/1.1/details")).json()["priors"] == []


@pytest.mark.parametrize("path", ["details", "ledger", "series/1.2/images", ""])
async def test_what_is_not_there_is_not_found(archive, path: str) -> None:
    async with await client_of(archive) as client:
        assert (await client.get(f"/studies/1.9/{path}")).status_code == 404


# -- what became of it ---------------------------------------------------------------------------------------------------
async def test_the_ledger_tells_who_sent_what_where_it_went_and_what_was_changed(archive) -> None:
    async with await client_of(archive, "Admin") as client:
        for number in (1, 2):
            await store(client, StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID=f"1.1.1.{number}")
        await store(client, StudyInstanceUID="1.1", SeriesInstanceUID="1.1.2", Modality="CT")
        await delivered(archive)
        name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Silva^Anna"}]}}
        made = await edit(archive.app, SYSTEM, Level.STUDY, "1.1", name, reason="misspelt")
        told = (await client.get("/studies/1.1/ledger")).json()
        await undo(archive.app, SYSTEM, made.id)
        after = (await client.get("/studies/1.1/ledger")).json()["history"]
        async with await client_of(archive, "Referring", {"Modality": ["MR"]}) as other:
            seen = (await other.get("/studies/1.1/ledger")).json()
    (received,) = told["received"]
    assert (received["kind"], received["sender"], received["objects"]) == ("web", "admin1", 3)
    assert [(one["destination"], one["objects"]) for one in told["sent"]] == [("NEURO", 1)]
    assert [(one["destination"], one["state"], one["last_error"]) for one in told["waiting"]] == [
        ("CLINIC", "dead", "no answer")
    ]
    (change,) = told["history"]
    assert change["changes"] == [{"name": "Patient's Name", "before": "Silva, Ana", "after": "Silva, Anna"}]
    assert (change["by"], change["reason"], change["undoable"], change["undone"]) == (
        "charrua",
        "misspelt",
        True,
        False,
    )
    assert [(one["kind"], one["undoable"], one["undone"]) for one in after] == [
        ("undo", False, False),
        ("edit", False, True),
    ]
    assert [one["objects"] for one in seen["received"]] == [2]
    assert [one["last_error"] for one in seen["waiting"]] == [""]
    assert not any(one["undoable"] for one in seen["history"])


async def delivered(archive) -> None:
    """One object has gone to NEURO, and one could not be sent to CLINIC."""
    async with archive.app.db.driver() as connection:
        await connection.execute("INSERT INTO core.delivered VALUES ('1.1.1.1', 'NEURO', 1)")
        payload = {"destination": "CLINIC", "objects": [["1.1.1.2", 1]]}
        number = await archive.app.jobs.enqueue("send", payload, lane="send CLINIC")
        await connection.execute("UPDATE core.job SET state = 'dead', last_error = 'no answer' WHERE id = $1", number)


# -- as it changes -------------------------------------------------------------------------------------------------------
@pytest.fixture
async def hearing(archive, monkeypatch):
    """A function that listens: `async with hearing(filter) as socket`."""
    monkeypatch.setattr(live, "PAUSE_S", 0.05)

    async def hearing(row_filter=None):
        token = await archive.token("Referring", row_filter)
        headers = {"Authorization": f"Bearer {token}"}
        return connect(f"{archive.url.replace('http', 'ws')}/studies/changes", additional_headers=headers)

    return hearing


async def heard(socket) -> list[str]:
    async with asyncio.timeout(10):
        return json.loads(await socket.recv())["studies"]


async def test_changes_are_told_to_who_sees_the_study(archive, hearing) -> None:
    async with (
        await hearing() as all_of_it,
        await hearing({"Modality": ["MR"]}) as mr_only,
        await client_of(archive) as client,
    ):
        await asyncio.sleep(0.5)
        await store(client, StudyInstanceUID="1.1", Modality="CT")
        assert await heard(all_of_it) == ["1.1"]
        await store(client, StudyInstanceUID="1.2")
        assert await heard(all_of_it) == ["1.2"]
        assert await heard(mr_only) == ["1.2"]
        await delete(archive.app, SYSTEM, Level.STUDY, "1.1")
        assert await heard(all_of_it) == ["1.1"]
        await edit(archive.app, SYSTEM, Level.STUDY, "1.2", {"00081030": {"vr": "LO", "Value": ["Brain"]}})
        assert await heard(mr_only) == ["1.2"]


async def test_of_very_many_changes_it_is_said_only_that_there_are(archive, hearing, monkeypatch) -> None:
    monkeypatch.setattr(live, "MOST_NAMED", 2)
    async with await hearing() as socket:
        await asyncio.sleep(0.5)
        async with archive.app.db.transaction() as tx:
            from charrua_core import changes

            await changes.append(tx, "edited", {"study_uids": ["1.1", "1.2", "1.3"]})
        async with asyncio.timeout(10):
            assert json.loads(await socket.recv()) == {"many": True}


# -- what people keep ----------------------------------------------------------------------------------------------------
async def test_everybody_keeps_their_own_preferences(archive) -> None:
    async with await client_of(archive) as mine, await client_of(archive) as other:
        assert (await mine.get("/preferences/a")).status_code == 404
        assert (await mine.put("/preferences/a", json={"columns": ["ñ", None]})).status_code == 204
        assert (await mine.put("/preferences/a", json=["again"])).status_code == 204
        assert (await mine.get("/preferences/a")).json() == ["again"]
        assert (await other.get("/preferences/a")).status_code == 404
        assert (await mine.delete("/preferences/a")).status_code == 204
        assert (await mine.delete("/preferences/a")).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("A", b"1", 400),
        ("a" * 65, b"1", 400),
        ("a", b"{", 400),
        ("a", b'"\\u0000"', 400),
        ("a", b'"' + b"x" * LARGEST + b'"', 413),
    ],
)
async def test_a_preference_has_bounds(archive, name: str, body: bytes, status: int) -> None:
    async with await client_of(archive) as client:
        answer = await client.put(f"/preferences/{name}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status


async def test_nobody_keeps_more_than_so_many(archive, shelf) -> None:
    async with await client_of(archive) as client:
        owner = (await client.get("/whoami")).json()["name"]
        many = "INSERT INTO core.preference (owner, name, value) SELECT $1, 'n' || n, '1' FROM generate_series(1, $2) n"
        await shelf.run(many, owner, MOST)
        assert (await client.put("/preferences/n1", json=2)).status_code == 204
        assert (await client.put("/preferences/another", json=2)).status_code == 400


# -- pages ---------------------------------------------------------------------------------------------------------------
async def test_the_first_page_is_there_without_scripts_and_as_its_owner_wants_it(archive, shelf) -> None:
    await shelf.study(
        StudyInstanceUID="1.1", PatientName="<script>^x", StudyDate="20260101", StudyDescription="</script>"
    )
    await shelf.study(StudyInstanceUID="1.2", PatientName="Zubía^Ana", StudyDate="20250101")
    async with await client_of(archive) as client:
        await client.put("/preferences/studies.columns", json={"columns": ["patient", "size"], "order": "-patient"})
        page = (await client.get("/studies")).text
        found = (await client.get("/studies?PatientName=zub&utm=1")).text
        wrong = (await client.get("/studies?Status=READ")).text
    assert "&lt;script&gt;, x" in page
    assert "<script>," not in page
    assert '</script>"' not in page
    assert page.index('data-uid="1.2"') < page.index('data-uid="1.1"')
    assert ("Size" in page, ">Accession<i" in page) == (True, False)
    assert 'data-uid="1.2"' in found
    assert 'data-uid="1.1"' not in found
    assert "Status is one of" in wrong
