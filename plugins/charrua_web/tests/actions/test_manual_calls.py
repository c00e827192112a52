"""The manual's calls, with its own fields (appendix 5)."""

from __future__ import annotations

import pytest

from charrua_core.testing.objects import a_study

NAME, PATIENT_ID, COUNT = "00100010", "00100020", "00201208"


@pytest.fixture
async def study(desk):
    """Two series of one image."""
    objects = a_study(series=2)
    await desk.store(*objects)
    return objects


@pytest.fixture
def uid(study):
    return str(study[0].StudyInstanceUID)


EDITED = {
    "Name": ("Roe^Jane", "00100010"),
    "ID": ("0815", "00100020"),
    "BD": ("19710203", "00100030"),
    "Sex": ("O", "00100040"),
    "Comments": ("Pain since Monday", "001021B0"),
    "Date": ("20260203", "00080020"),
    "Description": ("Neck", "00081030"),
    "Modality": ("MR", "00080061"),
    "AccessionNumber": ("B2", "00080050"),
}


async def test_every_field_of_updatestudy_is_found_afterwards(desk, uid) -> None:
    client = await desk.caller()
    fields = {name: value for name, (value, _) in EDITED.items()}
    answer = await client.post(
        "/updatestudy", json={**fields, "Institution": "Norte", "Status": 4, "StudyInstanceUID": uid}
    )
    assert answer.status_code == 200, answer.text
    [told] = await desk.found(client)
    assert {name: told[tag] for name, (_, tag) in EDITED.items()} == fields
    series = (await client.get(f"/dicom-web/studies/{uid}/series", params={"includefield": "all"})).json()
    assert {one["00080080"]["Value"][0] for one in series} == {"Norte"}
    assert (await client.get(f"/actions/studies/{uid}")).json()["status"] == "FINAL"
    now = await desk.lines()
    assert await desk.regenerated() == now
    await client.post("/actions/undo", json={"edits": answer.json()["edits"]})
    [told] = await desk.found(client)
    assert (told[NAME], told["00080061"]) == ("Doe^Jane", "CT")


async def test_a_field_that_is_not_there_stays_and_an_empty_one_empties(desk, uid) -> None:
    client = await desk.caller()
    await client.post("/updatestudy", json={"StudyInstanceUID": uid, "Description": "", "Sex": None})
    [told] = await desk.found(client)
    assert (told.get("00081030", ""), told["00100040"], told[NAME]) == ("", "F", "Doe^Jane")


async def test_modalities_of_a_mixed_study_are_not_made_one(desk, uid) -> None:
    await desk.store(*a_study(StudyInstanceUID=uid, Modality="MR"), *a_study(StudyInstanceUID=uid, Modality="SR"))
    client = await desk.caller()
    refused = await client.post("/updatestudy", json={"StudyInstanceUID": uid, "Modality": "PT"})
    assert refused.status_code == 400 and refused.json()["detail"].startswith("Modality")
    as_it_is = await client.post("/updatestudy", json={"StudyInstanceUID": uid, "Modality": "CT\\MR\\SR"})
    assert as_it_is.json()["edits"] == []


BAD = [
    ({}, "StudyInstanceUID"),
    ({"StudyInstanceUID": "a b"}, "StudyInstanceUID"),
    ({"BD": "31/12/1980"}, "BD"),
    ({"Date": "20261301"}, "Date"),
    ({"Sex": "female"}, "Sex"),
    ({"ID": ""}, "ID"),
    ({"ID": "x" * 65}, "ID"),
    ({"Name": ["Doe"]}, "Name"),
    ({"Modality": "mr"}, "Modality"),
    ({"AccessionNumber": "x" * 17}, "AccessionNumber"),
    ({"Institution": "a\\b"}, "Institution"),
    ({"Status": 5}, "Status"),
    ({"Status": "read"}, "Status"),
    ({"status": 1}, "status"),
]


async def test_updatestudy_names_the_field_that_will_not_do(desk, uid) -> None:
    client = await desk.caller()
    for given, field in BAD:
        body = given if not given or "StudyInstanceUID" in given else {**given, "StudyInstanceUID": uid}
        answer = await client.post("/updatestudy", json=body)
        assert answer.status_code == 400 and answer.json()["detail"].startswith(f"{field}:"), answer.text


def assignment(study, to_uid: str, **fields):
    series = {"seriesInstanceUID": str(study[0].SeriesInstanceUID), "modality": "CT", "seriesNumber": "1", "descr": ""}
    prior = {"priorstudyuid": str(study[0].StudyInstanceUID), "priorname": "Doe^Jane"}
    return {"study": {"StudyInstanceUID": to_uid, **fields}, **prior, "series": [series]}


async def test_assignseries_moves_series_into_a_study_that_is_here(desk, study) -> None:
    [other] = a_study(PatientID="B", PatientName="Roe^Jane")
    await desk.store(other)
    client, uid = await desk.caller(), str(other.StudyInstanceUID)
    wrong = await client.post("/assignseries", json=assignment(study, uid, ID="C", Name="Roe^Jane"))
    assert wrong.status_code == 400 and wrong.json()["detail"].startswith("study.ID")
    answer = await client.post("/assignseries", json=assignment(study, uid, ID="B", Name="Roe^Jane", Status=0))
    assert answer.json()["study"] == uid
    [told] = await desk.found(client, PatientID="B")
    assert told[COUNT] == "2"


async def test_assignseries_makes_the_study_that_the_archive_does_not_have(desk, study) -> None:
    client = await desk.caller()
    described = {"ID": "0815", "Name": "Roe^Jane", "Description": "Neck", "AccessionNumber": "W1", "Date": "20260301"}
    answer = await client.post("/assignseries", json=assignment(study, "1.2.3.4", **described))
    assert answer.json()["study"] == "1.2.3.4"
    [told] = await desk.found(client, StudyInstanceUID="1.2.3.4")
    assert (told[PATIENT_ID], told[NAME], told["00081030"], told["00080050"]) == ("0815", "Roe^Jane", "Neck", "W1")
    now = await desk.lines()
    assert await desk.regenerated() == now


WRONG = [
    ({"priorname": "Roe"}, "priorname", 400),
    ({"priorstudyuid": ""}, "priorstudyuid", 400),
    ({"series": []}, "series", 400),
    ({"series": [{}]}, "series[0].seriesInstanceUID", 400),
    ({"series": [{"seriesInstanceUID": "1.2.9"}]}, "No such", 404),
    ({"study": {"StudyInstanceUID": "1.2.3"}}, "study.ID", 400),
    ({"study": 1}, "study", 400),
    ({"priorstudyuid": "1.2.3"}, "No such", 404),
]


async def test_assignseries_names_what_will_not_do(desk, study) -> None:
    client = await desk.caller()
    for changed, field, status in WRONG:
        answer = await client.post("/assignseries", json={**assignment(study, "1.2.3.4", ID="1"), **changed})
        assert (answer.status_code, answer.json()["detail"][: len(field)]) == (status, field)


async def test_deletestudy_takes_the_right_names_alone_and_tells_nothing_to_who_does_not_see_it(desk, uid) -> None:
    client, blind = await desk.caller(), await desk.caller("Manager", {"Modality": ["US"]})
    right = {"PatientName": "doe^jane", "PatientID": "4711", "StudyInstanceUID": uid}
    for wrong in ({"PatientName": "Roe^Jane"}, {"PatientID": "4712"}, {"PatientID": ""}):
        answer = await client.post("/deletestudy", json={**right, **wrong})
        assert answer.status_code == 400 and answer.json()["detail"].startswith(next(iter(wrong)))
        assert "4711" not in answer.text and "Doe" not in answer.text
        hidden = await blind.post("/deletestudy", json={**right, **wrong})
        absent = await blind.post("/deletestudy", json={**right, **wrong, "StudyInstanceUID": "1.2.3"})
        assert (hidden.status_code, hidden.text) == (absent.status_code, absent.text) == (404, absent.text)
    assert len(await desk.found(client)) == 1
    answer = await client.post("/deletestudy", json=right)
    assert await desk.found(client) == []
    await client.post("/actions/undo", json={"edits": answer.json()["edits"]})
    assert len(await desk.found(client)) == 1


async def test_the_calls_take_the_permissions_to_edit_and_delete(desk, study, uid) -> None:
    client = await desk.caller("Radiologist")
    for call in ("/updatestudy", "/assignseries", "/deletestudy"):
        assert (await client.post(call, json={"StudyInstanceUID": uid})).status_code == 403
