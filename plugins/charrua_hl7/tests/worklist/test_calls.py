"""The calls on the worklist: added, found, changed, discontinued."""

from __future__ import annotations

import pytest

ORDER = {
    "id": "A4711",
    "descr": "KNEE LEFT",
    "date": "2026-11-30",
    "starttime": "08:30",
    "patid": "4711",
    "patname": "Silva, Ana María",
    "patbd": "1961-04-12",
    "patsex": "f",
    "origin": "WARD 3",
    "modality": "mr",
    "aet": "MR1",
    "referring": "HOUSE^GREGORY",
    "clinicaldata": "pain",
    "status": "SCHEDULED",
}


async def added(client, **fields) -> dict:
    answer = await client.post("/worklist", json={**ORDER, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_entry_says_what_the_manuals_call_says(admin) -> None:
    one = await added(admin)
    told = (await admin.get(f"/worklist/entries/{one['entry']}")).json()
    assert told["attributes"] == told["attributes"] | {
        "AccessionNumber": "A4711",
        "RequestedProcedureDescription": "KNEE LEFT",
        "ScheduledProcedureStepDescription": "KNEE LEFT",
        "ScheduledProcedureStepStartDate": "20261130",
        "ScheduledProcedureStepStartTime": "0830",
        "PatientID": "4711",
        "PatientName": "Silva^Ana María",
        "PatientBirthDate": "19610412",
        "PatientSex": "F",
        "CurrentPatientLocation": "WARD 3",
        "Modality": "MR",
        "ScheduledStationAETitle": "MR1",
        "ReferringPhysicianName": "HOUSE^GREGORY",
        "ReasonForTheRequestedProcedure": "pain",
    }
    assert told["status"] == "SCHEDULED"
    assert told["study"] == one["study"]
    assert {"0020000D", "00401001"} <= told["dataset"].keys()
    assert told["step"]


@pytest.mark.settings(worklist_default_modality="DX")
async def test_what_nobody_says_is_made(place, admin) -> None:
    answer = await admin.post("/worklist", json={"patid": "1", "patname": "DOE^JANE"})
    told = (await admin.get(f"/worklist/entries/{answer.json()['entry']}")).json()["attributes"]
    here = place.clock.now().astimezone()
    assert (told["Modality"], told["ScheduledProcedureStepStartDate"]) == ("DX", f"{here:%Y%m%d}")


WRONG = {
    "patid: it is missing": {"patid": ""},
    "patname: it is missing": {"patname": "^"},
    "date: '31.12.2026'": {"date": "31.12.2026"},
    "date: there is no day 20260231": {"date": "20260231"},
    "starttime: ": {"starttime": "25:00"},
    "patsex: ": {"patsex": "X"},
    "aet: ": {"aet": "A TITLE THAT IS TOO LONG"},
    "status: one of SCHEDULED": {"status": "OVER"},
    "id: a text": {"id": 4711},
    "colour: there is no such field": {"colour": "red"},
}


async def test_a_field_that_will_not_do_is_named(admin) -> None:
    for named, fields in WRONG.items():
        answer = await admin.post("/worklist", json={**ORDER, **fields})
        assert (answer.status_code, answer.json()["detail"][: len(named)]) == (400, named)


async def test_the_accession_number_of_the_same_patient_changes_the_entry(admin) -> None:
    one = await added(admin)
    again = await added(admin, descr="KNEE RIGHT")
    assert again["entry"] == one["entry"]
    told = (await admin.get(f"/worklist/entries/{one['entry']}")).json()
    assert told["attributes"]["RequestedProcedureDescription"] == "KNEE RIGHT"
    other = await admin.post("/worklist", json={**ORDER, "patid": "4712"})
    assert other.status_code == 409
    assert other.json()["detail"] == "id: this accession number is another order's"


async def test_entries_are_found_by_any_field_day_and_status(admin) -> None:
    knee = await added(admin)
    head = await added(admin, id="A2", patid="9", patname="PÉREZ^JOSÉ", descr="HEAD", modality="CT", date="2026-12-02")
    found = {
        "search=silva, ana": [knee],
        "search=perez head": [head],
        "search=mr1 ward": [knee, head],
        "modality=CT": [head],
        "from=2026-12-01": [head],
        "to=20261201": [knee],
        "patient_id=9": [head],
        "accession_number=A4711&status=SCHEDULED": [knee],
        "status=COMPLETED": [],
        "search=100%": [],
    }
    for query, wanted in found.items():
        listed = (await admin.get(f"/worklist/entries?{query}")).json()["entries"]
        assert [one["entry"] for one in listed] == [one["entry"] for one in wanted], query
    first = (await admin.get("/worklist/entries?limit=1")).json()
    rest = (await admin.get(f"/worklist/entries?limit=1&after={first['next']}")).json()
    assert [one["entry"] for one in first["entries"] + rest["entries"]] == [knee["entry"], head["entry"]]
    assert rest["next"] == ""
    for query in ("date=someday", "from=yesterday", "status=LOST", "after=x", "limit=0", "limit=9999"):
        answer = await admin.get(f"/worklist/entries?{query}")
        assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (400, query.split("=")[0])


async def test_an_entry_is_changed_by_who_has_seen_it_last(admin) -> None:
    path = f"/worklist/entries/{(await added(admin))['entry']}"
    answer = await admin.put(path, json={"version": 1, "attributes": {"PatientSex": "M", "CurrentPatientLocation": ""}})
    changed = answer.json()
    assert (changed["version"], changed["attributes"]["PatientSex"]) == (2, "M")
    assert changed["attributes"]["CurrentPatientLocation"] == ""
    assert (await admin.put(path, json={"version": 1, "attributes": {"PatientSex": "O"}})).status_code == 409
    for body in (
        {"attributes": {}},
        {"version": 2, "attributes": {"PatientID": ""}},
        {"version": 2, "attributes": {"X": "1"}},
    ):
        assert (await admin.put(path, json=body)).status_code == 400


async def test_an_entry_is_discontinued_and_begins_again(admin) -> None:
    path = f"/worklist/entries/{(await added(admin))['entry']}/status"
    over = (await admin.post(path, json={"status": "DISCONTINUED", "reason": "did not come", "version": 1})).json()
    assert (over["status"], over["reason"]) == ("DISCONTINUED", "did not come")
    assert (await admin.post(path, json={"status": "COMPLETED", "version": 1})).status_code == 409
    again = (await admin.post(path, json={"status": "SCHEDULED"})).json()
    assert (again["status"], again["reason"]) == ("SCHEDULED", "")
    assert (await admin.post(path, json={})).status_code == 400


async def test_who_sees_one_modality_sees_its_entries_alone(place, admin) -> None:
    knee = await added(admin)
    other = await place.client("Manager", {"Modality": ["CT"]})
    path = f"/worklist/entries/{knee['entry']}"
    assert (await other.get("/worklist/entries")).json()["entries"] == []
    told = [
        await other.get(path),
        await other.put(path, json={"version": 1, "attributes": {"PatientSex": "M"}}),
        await other.post(f"{path}/status", json={"status": "COMPLETED"}),
        await other.get("/worklist/entries/999"),
        await other.get("/worklist/entries/x"),
    ]
    assert [(one.status_code, one.json()["detail"]) for one in told] == [(404, "there is no such entry")] * 5
    assert (await other.post("/worklist", json={**ORDER, "id": "B1"})).status_code == 403
    taken = await other.post("/worklist", json={**ORDER, "modality": "CT"})
    assert (taken.status_code, taken.json()["detail"]) == (409, "id: this accession number is another order's")
    head = await added(other, id="B2", modality="CT")
    assert [one["entry"] for one in (await other.get("/worklist/entries")).json()["entries"]] == [head["entry"]]
    referring = await place.client("Referring")
    assert (await referring.get("/worklist/entries")).status_code == 403
