"""An entry's life: its study arrives and says what the order says, or nobody performs it; a study is assigned to it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from charrua_core import tables
from charrua_core.archive.edit.undo import history, undo
from charrua_core.services.core import followers
from charrua_core.services.service import run_services
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.waiting import until
from charrua_core.types import SYSTEM, StudyEdited
from charrua_hl7.tables import performed, performed_entry
from charrua_hl7.worklist import assigning, changing, correcting
from charrua_hl7.worklist.assigning import study_edited
from charrua_hl7.worklist.upkeep import (
    complete_what_came_first,
    complete_what_is_silent,
    complete_what_was_moved,
    discontinue_what_is_late,
)

PATIENT = {"patid": "4711", "patname": "SILVA^ANA", "patbd": "19610412", "patsex": "F"}
ORDER = {"id": "A1", "descr": "KNEE LEFT", "modality": "CT", "referring": "HOUSE^GREGORY", **PATIENT}
WRONG = {
    "PatientName": "SILVA^ANNA",
    "PatientID": "471",
    "PatientBirthDate": "",
    "PatientSex": "",
    "AccessionNumber": "",
    "StudyDescription": "",
}


async def added(client, **fields) -> dict:
    answer = await client.post("/worklist", json={**ORDER, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def told(client, one: dict) -> dict:
    return (await client.get(f"/worklist/entries/{one['entry']}")).json()


async def study_row(app, uid: str):
    async with app.db.reading() as connection:
        return (await connection.execute(select(tables.study).where(tables.study.c.study_uid == uid))).one()


async def test_the_study_that_arrives_completes_its_entry_and_carries_the_orders_data(place, admin) -> None:
    one = await added(admin)
    await place.come(*a_study(images=2, StudyInstanceUID=one["study"], Modality="CT", **WRONG))
    entry = await told(admin, one)
    assert (entry["status"], entry["reason"], entry["arrived"]) == ("COMPLETED", "its study has arrived", one["study"])
    row = await study_row(place.app, one["study"])
    assert (row.patient_name, row.patient_id, row.patient_sex) == ("SILVA^ANA", "4711", "F")
    assert (row.accession_number, row.referring_physician_name) == ("A1", "HOUSE^GREGORY")
    assert row.study_description == "KNEE LEFT"


async def test_what_somebody_takes_back_is_not_corrected_again(place, admin) -> None:
    one = await added(admin)
    images = a_study(images=2, StudyInstanceUID=one["study"], Modality="CT", **WRONG)
    await place.come(images[0])
    [edit] = await history(place.app, SYSTEM, one["study"])
    await undo(place.app, SYSTEM, edit.id)
    await place.come(images[1])
    await correcting.correction_job(place.app).run({"entry": one["entry"], "study": one["study"]})
    assert (await study_row(place.app, one["study"])).patient_id == "471"


@pytest.mark.settings(worklist_corrects_studies="0")
async def test_nothing_is_corrected_where_that_is_not_wanted(place, admin) -> None:
    one = await added(admin)
    await place.come(*a_study(StudyInstanceUID=one["study"], Modality="CT", **WRONG))
    assert (await told(admin, one))["status"] == "COMPLETED"
    assert (await study_row(place.app, one["study"])).patient_id == "471"


async def test_a_study_is_known_by_accession_number_and_patient_and_never_made_another_patients(place, admin) -> None:
    mine, others = await added(admin), await added(admin, id="A2", patid="99")
    named = {"PatientName": "SILVA^ANA^", "PatientID": "4711", "Modality": "CT"}
    [image], [stranger] = a_study(AccessionNumber="A1", **named), a_study(AccessionNumber="A2", **named)
    await place.come(image, stranger)
    assert (await told(admin, mine))["arrived"] == image.StudyInstanceUID
    left = await told(admin, others)
    assert (left["status"], left["arrived"]) == ("SCHEDULED", "")
    assert (await study_row(place.app, stranger.StudyInstanceUID)).patient_id == "4711"
    await place.app.troubles.flush()
    [trouble] = await place.app.troubles.all()
    assert (trouble.kind, trouble.facts["page"]) == ("order", f"/worklist/{others['entry']}")
    path = f"/worklist/entries/{others['entry']}"
    assert "another patient" in (await admin.get(f"/worklist/{others['entry']}", headers={"Accept": "text/html"})).text
    assert (await admin.delete(f"{path}/studies/{stranger.StudyInstanceUID}")).status_code == 204
    assert (await admin.delete(f"{path}/studies/{stranger.StudyInstanceUID}")).status_code == 404


async def test_who_was_typed_in_over_the_wrong_entry_stays_who_they_are(place, admin) -> None:
    """The study has the UID of the order, and the ID and birth date of another person."""
    one = await added(admin)
    wrong = {**WRONG, "PatientBirthDate": "19890101"}
    await place.come(*a_study(StudyInstanceUID=one["study"], Modality="CT", **wrong))
    entry = await told(admin, one)
    assert (entry["status"], entry["arrived"]) == ("SCHEDULED", "")
    assert (await study_row(place.app, one["study"])).patient_id == "471"
    await place.app.troubles.flush()
    assert [trouble.who for trouble in await place.app.troubles.all()] == [str(one["entry"])]


async def test_of_several_steps_the_one_of_the_modality_is_completed(place, admin) -> None:
    ct = await added(admin)
    mr = await added(admin, id="A2", modality="MR")
    async with place.app.db.transaction() as tx:
        found = await changing.seen(tx, SYSTEM, mr["entry"], locked=True)
        uid = {"0020000D": {"vr": "UI", "Value": [ct["study"]]}}
        await changing.rewrite(tx, found, found.attributes | uid)
    await place.come(an_object(StudyInstanceUID=ct["study"], Modality="MR", PatientID="4711"))
    assert ((await told(admin, ct))["status"], (await told(admin, mr))["status"]) == ("SCHEDULED", "COMPLETED")


async def test_a_modality_that_tells_what_it_does_says_itself_when_it_is_done(place, admin) -> None:
    one = await added(admin, status="STARTED")
    async with place.app.db.transaction() as tx:
        row = {"sop_instance_uid": "1.2.3", "status": "IN PROGRESS", "attributes": {}}
        [number] = await tx.scalars(insert(performed).values(row).returning(performed.c.id))
        await tx.execute(insert(performed_entry).values(performed_id=number, entry_id=one["entry"]))
    await place.come(*a_study(StudyInstanceUID=one["study"], Modality="CT", **WRONG))
    entry = await told(admin, one)
    assert (entry["status"], entry["arrived"]) == ("STARTED", one["study"])
    assert (await study_row(place.app, one["study"])).patient_id == "4711"
    assert await complete_what_is_silent(place.app) == 0
    async with place.app.db.transaction() as tx:
        await tx.execute(update(performed).values(changed_at=func.now() - timedelta(days=2)))
    assert await complete_what_is_silent(place.app) == 1


async def test_an_order_that_comes_after_its_study_is_completed(place, admin) -> None:
    one = await added(admin)
    await place.come(*a_study(StudyInstanceUID=one["study"], Modality="CT"))
    other = await added(admin, id="A9")
    async with place.app.db.transaction() as tx:
        found = await changing.seen(tx, SYSTEM, other["entry"], locked=True)
        uid = {"0020000D": {"vr": "UI", "Value": [one["study"]]}}
        await changing.rewrite(tx, found, found.attributes | uid)
    await complete_what_came_first(place.app)
    assert (await told(admin, other))["status"] == "COMPLETED"


# -- time ----------------------------------------------------------------------------------------------------------------
def moment(place, **by: int) -> dict:
    place.clock.move_on(**by)
    here = place.clock.now().astimezone()
    return {"date": f"{here:%Y%m%d}", "starttime": f"{here:%H%M%S}"}


async def test_a_clock_moved_by_24_hours_discontinues_what_nobody_has_begun(place, admin) -> None:
    now = moment(place)
    waits, begun = await added(admin, **now), await added(admin, id="A2", status="STARTED", **now)
    arrived = await added(admin, id="A3", status="ARRIVED", **now)
    later = await added(admin, id="A4", **moment(place, hours=2))
    place.clock.move_on(hours=21, minutes=59)
    assert await discontinue_what_is_late(place.app) == 0
    place.clock.move_on(minutes=1)
    assert await discontinue_what_is_late(place.app) == 2
    assert [(await told(admin, one))["status"] for one in (waits, begun, arrived, later)] == [
        *("DISCONTINUED", "STARTED", "DISCONTINUED", "SCHEDULED"),
    ]
    assert (await told(admin, waits))["reason"] == "nobody performed it in time"


async def test_what_begins_again_has_its_time_anew_and_what_comes_late_completes(place, admin) -> None:
    one = await added(admin, **moment(place))
    place.clock.move_on(hours=25)
    assert await discontinue_what_is_late(place.app) == 1
    await admin.post(f"/worklist/entries/{one['entry']}/status", json={"status": "SCHEDULED"})
    assert await discontinue_what_is_late(place.app) == 0
    place.clock.move_on(hours=24)
    assert await discontinue_what_is_late(place.app) == 1
    await place.come(*a_study(StudyInstanceUID=one["study"], Modality="CT"))
    assert (await told(admin, one))["status"] == "COMPLETED"


@pytest.mark.settings(worklist_timeout="3h")
async def test_an_entry_with_a_day_and_no_time_has_the_whole_day(place, admin) -> None:
    here = place.clock.now().astimezone()
    one = await added(admin, date=f"{here:%Y%m%d}")
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    place.clock.time += midnight - here
    place.clock.move_on(hours=26)
    assert await discontinue_what_is_late(place.app) == 0
    place.clock.move_on(hours=1)
    assert await discontinue_what_is_late(place.app) == 1
    assert (await told(admin, one))["status"] == "DISCONTINUED"


@pytest.mark.settings(worklist_timeout="0")
async def test_without_a_timeout_nothing_is_discontinued(place, admin) -> None:
    await added(admin, date="20200101", starttime="0800")
    assert await discontinue_what_is_late(place.app) == 0


# -- assigned ------------------------------------------------------------------------------------------------------------
async def test_a_study_is_assigned_to_an_entry_and_that_is_undone(place, admin) -> None:
    one = await added(admin)
    [image] = a_study(
        Modality="CT", PatientName="UNKNOWN", PatientID="X1", PatientComments="his", StudyDescription="LEG"
    )
    await place.come(image)
    uid = image.StudyInstanceUID
    path = f"/worklist/entries/{one['entry']}/assign"
    preview = (await admin.get(path, params={"study": uid})).json()["changes"]
    assert {"keyword": "PatientID", "name": "Patient ID", "before": "X1", "after": "4711"} in preview
    assert {"keyword": "PatientComments", "name": "Patient Comments", "before": "his", "after": ""} in preview
    assert "StudyDescription" not in {one["keyword"] for one in preview}
    answer = await admin.post(path, json={"study": uid})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["arrived"]) == ("COMPLETED", uid)
    row = await study_row(place.app, uid)
    assert (row.patient_name, row.patient_id, row.accession_number, row.study_description) == (
        "SILVA^ANA",
        "4711",
        "A1",
        "LEG",
    )
    assert "00104000" not in row.attributes
    assert (await admin.post(path, json={"study": uid})).status_code == 409
    restored = (await admin.delete(path)).json()
    assert (restored["status"], restored["arrived"]) == ("SCHEDULED", "")
    row = await study_row(place.app, uid)
    assert (row.patient_id, row.accession_number) == ("X1", image.AccessionNumber)
    assert row.attributes["00104000"]["Value"] == ["his"]
    assert (await admin.delete(path)).status_code == 409


async def test_an_assignment_that_is_undone_in_the_studys_history_is_undone_at_the_entry(place, admin) -> None:
    one = await added(admin)
    [image] = a_study(Modality="CT", PatientID="X1")
    await place.come(image)
    answer = await admin.post(f"/worklist/entries/{one['entry']}/assign", json={"study": image.StudyInstanceUID})
    [edit] = answer.json()["edits"]
    undone = await undo(place.app, SYSTEM, edit)
    uids = (image.StudyInstanceUID,)
    await study_edited(place.app, StudyEdited(undone.id, "undo", uids, undone.made_at, undoes=edit))
    assert (await told(admin, one))["status"] == "SCHEDULED"
    assert (await admin.delete(f"/worklist/entries/{one['entry']}/assign")).status_code == 409


async def test_the_entry_that_was_chosen_by_mistake_is_still_to_be_performed(place, admin) -> None:
    mistaken, meant = await added(admin), await added(admin, id="A2", patid="99", patname="DOE^JANE")
    uid = mistaken["study"]
    await place.come(*a_study(StudyInstanceUID=uid, Modality="CT", PatientID="4711"))
    path = f"/worklist/entries/{meant['entry']}/assign"
    assert (await admin.post(path, json={"study": uid})).status_code == 200
    left = await told(admin, mistaken)
    assert (left["status"], left["arrived"]) == ("SCHEDULED", "")
    assert left["study"] != uid
    await complete_what_came_first(place.app)
    assert (await study_row(place.app, uid)).patient_id == "99"
    assert (await told(admin, mistaken))["status"] == "SCHEDULED"
    assert (await admin.delete(path)).json()["status"] == "SCHEDULED"
    again = await told(admin, mistaken)
    assert (again["status"], again["arrived"], again["study"]) == ("COMPLETED", uid, uid)
    assert (await study_row(place.app, uid)).patient_id == "4711"


async def test_series_are_assigned_to_an_entry(place, admin) -> None:
    one = await added(admin)
    study = a_study(images=1, Modality="CT", PatientID="X1", PatientName="X")
    other = an_object(StudyInstanceUID=study[0].StudyInstanceUID, Modality="CT", PatientID="X1", PatientName="X")
    await place.come(study[0], other)
    body = {"study": study[0].StudyInstanceUID, "series": [other.SeriesInstanceUID]}
    answer = await admin.post(f"/worklist/entries/{one['entry']}/assign", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["assigned"] == one["study"]
    row = await study_row(place.app, one["study"])
    assert (row.patient_id, row.accession_number, row.instance_count) == ("4711", "A1", 1)
    assert (await study_row(place.app, study[0].StudyInstanceUID)).patient_id == "X1"
    assert (await admin.delete(f"/worklist/entries/{one['entry']}/assign")).json()["status"] == "SCHEDULED"
    assert (await study_row(place.app, study[0].StudyInstanceUID)).instance_count == 2


async def test_series_that_are_moved_under_the_uid_of_an_entry_complete_it_at_once(place, admin) -> None:
    one = await added(admin)
    says = {"Modality": "CT", "PatientID": "4711", "PatientName": "SILVA^ANA", "AccessionNumber": ""}
    study = a_study(images=1, **says)
    other = an_object(StudyInstanceUID=study[0].StudyInstanceUID, **says)
    await place.come(study[0], other)
    body = {
        "priorstudyuid": study[0].StudyInstanceUID,
        "priorname": "SILVA^ANA",
        "series": [{"seriesInstanceUID": other.SeriesInstanceUID}],
        "study": {"StudyInstanceUID": one["study"], "Name": "SILVA^ANA", "ID": "4711"},
    }
    async with run_services(followers(place.app)):
        answer = await admin.post("/assignseries", json=body)
        assert answer.status_code == 200, answer.text

        async def is_over() -> bool:
            return (await told(admin, one))["status"] == "COMPLETED"

        await until(is_over)
    assert (await told(admin, one))["arrived"] == one["study"]


async def test_an_assignment_that_is_told_of_while_it_is_made_is_undone_as_any_other(place, admin, monkeypatch) -> None:
    complete = assigning._complete

    async def told_before(app, by, found, uid, edits, *, whole):
        await complete_what_was_moved(app, StudyEdited(edits[0], "assign_series", (uid,), place.clock.now()))
        return await complete(app, by, found, uid, edits, whole=whole)

    monkeypatch.setattr(assigning, "_complete", told_before)
    one = await added(admin)
    study = a_study(images=1, Modality="CT", PatientID="X1", PatientName="X")
    other = an_object(StudyInstanceUID=study[0].StudyInstanceUID, Modality="CT", PatientID="X1", PatientName="X")
    await place.come(study[0], other)
    body = {"study": study[0].StudyInstanceUID, "series": [other.SeriesInstanceUID]}
    assert (await admin.post(f"/worklist/entries/{one['entry']}/assign", json=body)).status_code == 200
    assert (await admin.delete(f"/worklist/entries/{one['entry']}/assign")).json()["status"] == "SCHEDULED"


async def test_nobody_assigns_what_they_do_not_see(place, admin) -> None:
    one = await added(admin)
    [image] = a_study(Modality="MR", PatientID="X1")
    await place.come(image)
    other = await place.client("Manager", {"Modality": ["CT"]})
    path, body = f"/worklist/entries/{one['entry']}/assign", {"study": image.StudyInstanceUID}
    assert [(await other.post(path, json=body)).status_code, (await other.get(path, params=body)).status_code] == [
        404,
        404,
    ]
    assert (await (await place.client("Radiologist")).post(path, json=body)).status_code == 403
    assert (await admin.post(path, json={})).json()["detail"] == "study: it is missing"
