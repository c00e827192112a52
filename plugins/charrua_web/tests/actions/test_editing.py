"""Editing, assigning, deleting and undoing over HTTP: what is asked for is done, kept on the volume, and can be taken back."""

from __future__ import annotations

import pytest

from charrua_core.testing.objects import a_study

NAME, PATIENT_ID, DESCRIPTION, MODALITIES, COUNT = "00100010", "00100020", "00081030", "00080061", "00201208"


@pytest.fixture
async def study(desk):
    """Two series of two images."""
    objects = a_study(series=2, images=2)
    await desk.store(*objects)
    return objects


@pytest.fixture
def uid(study):
    return str(study[0].StudyInstanceUID)


def path(uid: str, what: str = "") -> str:
    return f"/actions/studies/{uid}/{what}".rstrip("/")


async def test_what_a_dialog_shows(desk, uid) -> None:
    told = (await (await desk.caller("General")).get(path(uid))).json()
    fields = {one["keyword"]: one for one in told["fields"]}
    assert (told["status"], told["whole"], told["patient_studies"]) == ("UNREAD", True, 1)
    assert fields["PatientName"]["value"] == "Doe^Jane" and fields["PatientName"]["main"]
    assert not fields["PatientWeight"]["main"] and "StudyInstanceUID" not in fields
    assert [(one["modality"], one["images"]) for one in told["series"]] == [("CT", 2), ("CT", 2)]


async def test_an_edit_is_looked_at_made_found_and_undone(desk, uid) -> None:
    client = await desk.caller()
    asked = {
        "attributes": {"PatientName": "Roe^Jane=林^花", "StudyDate": "2026-02-03", "InstitutionName": "Norte"},
        "status": "FINAL",
    }
    before = await desk.lines()
    looked = (await client.post(path(uid, "edit/preview"), json=asked)).json()
    changes = {one["keyword"]: (one["before"], one["after"]) for one in looked["changes"]}
    assert changes == {
        "PatientName": ("Doe^Jane", "Roe^Jane=林^花"),
        "StudyDate": ("20260102", "20260203"),
        "InstitutionName": ("", "Norte"),
        "Status": ("UNREAD", "FINAL"),
    }
    assert await desk.lines() == before
    answer = await client.post(path(uid, "edit"), json={**asked, "reason": "typing error"})
    assert answer.status_code == 200 and len(answer.json()["edits"]) == 3
    [told] = await desk.found(client, PatientName="roe*")
    assert told[NAME] == "Roe^Jane"
    assert (await client.get(path(uid))).json()["status"] == "FINAL"
    now = await desk.lines()
    assert await desk.regenerated() == now
    assert (await client.post("/actions/undo", json={"edits": answer.json()["edits"]})).status_code == 200
    [told] = await desk.found(client, StudyDate="20260102")
    assert told[NAME] == "Doe^Jane" and (await client.get(path(uid))).json()["status"] == "UNREAD"


async def test_what_says_the_same_is_no_edit(desk, uid) -> None:
    client = await desk.caller()
    answer = await client.post(
        path(uid, "edit"), json={"attributes": {"PatientName": "Doe^Jane", "PatientComments": ""}}
    )
    assert answer.json() == {"edits": [], "changes": []}
    assert (await client.get(path(uid, "history"))).json() == []


async def test_what_is_the_patients_goes_to_all_studies_of_the_patient(desk, uid) -> None:
    await desk.store(*a_study(PatientID="4711"), *a_study(PatientID="other"))
    client = await desk.caller()
    asked = {"attributes": {"PatientName": "Roe^Jane", "StudyDescription": "Neck"}, "patient": True}
    assert (await client.post(path(uid, "edit/preview"), json=asked)).json()["studies"] == 2
    await client.post(path(uid, "edit"), json=asked)
    told = sorted((one[PATIENT_ID], one[NAME], one[DESCRIPTION]) for one in await desk.found(client))
    assert told == [("4711", "Roe^Jane", "Neck"), ("4711", "Roe^Jane", "Thorax"), ("other", "Doe^Jane", "Thorax")]


BAD = {
    "no JSON": (b"{", "JSON"),
    "no object": (b"[]", "the body"),
    "a misspelt field": (b'{"attribute": {}}', "attribute"),
    "an unknown keyword": (b'{"attributes": {"PatientNam": "x"}}', "attributes.PatientNam"),
    "a UID": (b'{"attributes": {"StudyInstanceUID": "1.2"}}', "attributes.StudyInstanceUID"),
    "a number": (b'{"attributes": {"PatientName": 1}}', "attributes.PatientName"),
    "no day": (b'{"attributes": {"StudyDate": "20260231"}}', "attributes.StudyDate"),
    "no sex": (b'{"attributes": {"PatientSex": "X"}}', "attributes.PatientSex"),
    "a long name": (b'{"attributes": {"PatientName": "%s"}}' % (b"x" * 65), "attributes.PatientName"),
    "an object's attribute": (b'{"attributes": {"InstanceNumber": "1"}}', "attributes.InstanceNumber"),
    "no ID": (b'{"attributes": {"PatientID": ""}}', "PatientID"),
    "no status": (b'{"status": 5}', "status"),
    "true is no number": (b'{"status": true}', "status"),
    "no truth": (b'{"patient": "yes"}', "patient"),
    "no UID": (b'{"series": ["x y"]}', "series"),
}


async def test_what_will_not_do_is_named_and_nothing_is_changed(desk, uid) -> None:
    before, client = await desk.lines(), await desk.caller()
    for what, (body, field) in BAD.items():
        answer = await client.post(path(uid, "edit"), content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400 and field in answer.json()["detail"], (what, answer.text)
    absent = {"attributes": {"SeriesDescription": "x"}, "series": ["1.2.3"]}
    assert (await client.post(path(uid, "edit"), json=absent)).status_code == 404
    assert await desk.lines() == before


async def test_a_study_is_assigned_to_a_patient_and_merged_into_another_study(desk, uid) -> None:
    [other] = a_study(PatientID="B")
    await desk.store(other)
    client = await desk.caller()
    patient = {"PatientID": "0815", "PatientName": "Roe^Richard", "PatientBirthDate": "1980-02-03", "PatientSex": "M"}
    answer = await client.post(path(uid, "assign"), json={"to_patient": patient})
    [told] = await desk.found(client, PatientID="0815")
    assert (told[NAME], told["00100030"]) == ("Roe^Richard", "19800203")
    await client.post("/actions/undo", json={"edits": answer.json()["edits"]})
    answer = await client.post(path(uid, "assign"), json={"to_study": str(other.StudyInstanceUID)})
    assert answer.json()["study"] == other.StudyInstanceUID
    [told] = await desk.found(client)
    assert (told[PATIENT_ID], told[COUNT]) == ("B", "5")
    now = await desk.lines()
    assert await desk.regenerated() == now


async def test_series_go_to_another_study_another_patient_or_a_study_of_their_own(desk, study, uid) -> None:
    [other] = a_study(PatientID="B")
    await desk.store(other)
    client, series = await desk.caller(), [str(study[0].SeriesInstanceUID)]
    ways = (
        ({"to_study": str(other.StudyInstanceUID)}, "B", 3),
        ({"to_patient": {"PatientID": "0815"}, "attributes": {"AccessionNumber": "N1"}}, "0815", 2),
        ({}, "4711", 2),
    )
    for way, patient_id, objects in ways:
        answer = await client.post(path(uid, "assign"), json={"series": series, **way})
        assert answer.status_code == 200, answer.text
        [told] = await desk.found(client, StudyInstanceUID=answer.json()["study"])
        assert (told[PATIENT_ID], told[COUNT]) == (patient_id, str(objects))
        now = await desk.lines()
        assert await desk.regenerated() == now
        await client.post("/actions/undo", json={"edits": answer.json()["edits"]})
        [told] = await desk.found(client, StudyInstanceUID=uid)
        assert told[COUNT] == "4"


IMPOSSIBLE = [
    ({}, "to_study or to_patient"),
    ({"to_study": "1.2", "to_patient": {"PatientID": "1"}}, "to_study or to_patient"),
    ({"to_patient": {}}, "to_patient.PatientID"),
    ({"to_patient": {"PatientID": "1", "PatientBirthDate": "yesterday"}}, "to_patient.PatientBirthDate"),
    ({"to_patient": {"PatientID": "1", "Name": "x"}}, "to_patient.Name"),
    ({"to_study": "1.2", "attributes": {"StudyID": "2"}}, "attributes"),
    ({"series": ["1.2"], "attributes": {"PatientName": "x"}}, "attributes"),
]


async def test_an_assignment_that_cannot_be_is_told(desk, uid) -> None:
    client = await desk.caller()
    for asked, field in IMPOSSIBLE:
        answer = await client.post(path(uid, "assign"), json=asked)
        assert answer.status_code == 400 and field in answer.json()["detail"], answer.text


async def test_patients_are_merged(desk, uid) -> None:
    await desk.store(*a_study(PatientID="4711"), *a_study(PatientID="into", PatientName="Roe^Jane"))
    client = await desk.caller()
    asked = {"from": {"PatientID": "4711"}, "into": {"PatientID": "into", "PatientName": "Roe^Jane"}}
    answer = await client.post("/actions/patients/merge", json=asked)
    assert answer.json()["studies"] == 2
    assert {(one[PATIENT_ID], one[NAME]) for one in await desk.found(client)} == {("into", "Roe^Jane")}
    unknown = {"from": {"PatientID": "nobody"}, "into": {"PatientID": "into"}}
    assert (await client.post("/actions/patients/merge", json=unknown)).status_code == 404


@pytest.mark.parametrize("parts", ["study", "series", "instances"])
async def test_a_deletion_is_undone(desk, study, uid, parts) -> None:
    client = await desk.caller()
    named = {"study": {}, "series": {"series": [str(study[0].SeriesInstanceUID)]}}
    named["instances"] = {"instances": [str(study[0].SOPInstanceUID), str(study[2].SOPInstanceUID)]}
    before = [one[COUNT] for one in await desk.found(client)]
    answer = await client.post(path(uid, "delete"), json={**named[parts], "reason": "wrong patient"})
    assert len(answer.json()["edits"]) == 1
    assert [one[COUNT] for one in await desk.found(client)] == ([] if parts == "study" else ["2"])
    [told] = (await client.get(path(uid, "history"))).json()
    assert (told["kind"], told["reason"], told["undone"]) == ("delete", "wrong patient", False)
    now = await desk.lines()
    assert await desk.regenerated() == now
    await client.post("/actions/undo", json={"edits": answer.json()["edits"]})
    assert [one[COUNT] for one in await desk.found(client)] == before
    assert (await client.get(path(uid, "history"))).json()[0]["undone"]


async def test_an_undo_that_cannot_be_is_told_and_one_of_others_is_not_there(desk, uid) -> None:
    client, blind = await desk.caller(), await desk.caller("Manager", {"Modality": ["US"]})
    edits = (await client.post(path(uid, "edit"), json={"attributes": {"StudyID": "2"}})).json()["edits"]
    unknown = ["not a number", "00000000-0000-0000-0000-000000000000", *edits]
    answers = [await blind.post("/actions/undo", json={"edits": [one]}) for one in unknown]
    assert {(one.status_code, one.json()["detail"]) for one in answers} == {(404, answers[0].json()["detail"])}
    assert (await (await desk.caller("Radiologist")).post("/actions/undo", json={"edits": edits})).status_code == 403
    assert (await client.post("/actions/undo", json={"edits": []})).status_code == 400
    assert (await client.post("/actions/undo", json={"edits": edits})).status_code == 200
    again = await client.post("/actions/undo", json={"edits": edits})
    assert again.status_code == 409 and "undone before" in again.json()["detail"]


async def test_the_status_is_set_by_who_reports_or_edits(desk, uid) -> None:
    for role, status in (("Radiologist", 2), ("Manager", "FINAL")):
        client = await desk.caller(role)
        answer = await client.put(path(uid, "status"), json={"status": status})
        assert answer.status_code == 200 and len(answer.json()["edits"]) == 1
        assert (await client.put(path(uid, "status"), json={"status": status})).json()["edits"] == []
    assert (await (await desk.caller("Referring")).put(path(uid, "status"), json={"status": 1})).status_code == 403
    assert (await client.put(path(uid, "status"), json={})).status_code == 400
    now = await desk.lines()
    assert b'"status":"FINAL"' in b"".join(now) and await desk.regenerated() == now


async def test_who_sees_a_part_of_a_study_changes_that_part_alone(desk, study, uid) -> None:
    [mr] = a_study(StudyInstanceUID=uid, Modality="MR", SeriesNumber=3)
    await desk.store(mr)
    client = await desk.caller("Manager", {"Modality": ["MR"]})
    hidden, mine = str(study[0].SeriesInstanceUID), str(mr.SeriesInstanceUID)
    series = {"attributes": {"SeriesDescription": "x"}}
    assert not (await client.get(path(uid))).json()["whole"]
    for asked, status in (
        ({"attributes": {"PatientName": "x"}}, 403),
        ({"attributes": {"PatientName": "x"}, "patient": True}, 403),
        (series, 403),
        ({**series, "series": [hidden]}, 404),
        ({**series, "series": [mine]}, 200),
    ):
        assert (await client.post(path(uid, "edit"), json=asked)).status_code == status, asked
    assert (await client.post(path(uid, "delete"), json={})).status_code == 403
    assert (await client.post(path(uid, "delete"), json={"series": [hidden]})).status_code == 404
    assert (await client.post(path(uid, "delete"), json={"series": [mine]})).status_code == 200


async def test_the_audit_trail_has_each_edit(desk, uid) -> None:
    client = await desk.caller()
    [number] = (await client.post(path(uid, "edit"), json={"attributes": {"StudyID": "2"}})).json()["edits"]
    async with desk.app.db.driver() as connection:
        rows = await connection.fetch(
            "SELECT who, study_uids, detail FROM core.audit WHERE detail ->> 'edit' = $1", number
        )
    assert [(row["who"][:7], row["study_uids"]) for row in rows] == [("manager", [uid])]
