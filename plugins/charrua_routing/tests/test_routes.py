"""The rules at work: what goes where, when, and how often."""

from __future__ import annotations

import time

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from charrua_core import sending
from charrua_core.archive.edit import edit
from charrua_core.archive.edit.values import from_keywords
from charrua_core.testing.objects import a_study
from charrua_core.testing.outside import DATA, with_data
from charrua_core.types import SYSTEM, Level
from charrua_routing import quiet, rules
from charrua_routing.facts import Facts, attributes_of
from charrua_routing.known import known_rules
from charrua_routing.routes import routes_of


def uids(images):
    return [str(image.SOPInstanceUID) for image in images]


async def test_an_object_goes_where_the_rules_that_take_it_say(add_rule, come, sent):
    await add_rule("ct", ["NEURO", "BACKUP"], {"modality": "CT"})
    await add_rule("all", ["BACKUP"], order=900)
    await add_rule("mr", ["MR"], {"modality": "MR"})
    study = a_study(images=2)
    await come(*study)
    assert sorted(await sent()) == [("BACKUP", uids(study)), ("NEURO", uids(study))]


async def test_edits_count_as_what_the_object_says(app, add_rule, come, sent):
    await add_rule(when={"institution": "Hospital Norte"})
    [told] = await come(*a_study())
    assert await sent() == []
    await edit.edit(app, SYSTEM, Level.SERIES, told.series_uid, from_keywords({"InstitutionName": "Hospital Norte"}))
    await sending.route(app, told, again=False)
    assert len(await sent()) == 1


async def test_a_rule_that_is_changed_counts_at_once_in_every_process(app, who, add_rule, come, sent):
    kept = await add_rule(when={"modality": "MR"})
    await come(*a_study())
    assert await sent() == []
    await rules.change(app, who, kept.number, 1, {**kept.document, "when": {"modality": "CT"}})
    known_rules(app)._forget("")  # what the notification does
    await come(*a_study())
    assert len(await sent()) == 1


async def test_what_is_to_go_at_night_waits_for_it_together(app, clock, add_rule, come):
    begins = (clock.now().astimezone().hour + 3) % 24
    await add_rule(send_between=f"{begins:02}:00-{begins:02}:30", priority=3, send_as=5)
    await come(*a_study(images=3))
    [job] = await app.jobs.list(kind="send")
    assert len(job.payload["objects"]) == 3
    assert job.run_at.astimezone().hour == begins
    assert job.priority == 3
    assert job.payload["options"] == {"transfer_syntaxes": ["1.2.840.10008.1.2.4.90"]}


@pytest.mark.parametrize("level", ["series", "study"])
async def test_a_study_or_series_goes_once_it_is_quiet_and_then_what_is_new(
    level, clock, add_rule, come, sent, run_quiet
):
    await add_rule(level=level, quiet_s=60, when={"modality": "CT"})
    study = a_study(images=4)
    for image in study[:3]:
        await come(image)
        clock.move_on(seconds=40)
        await run_quiet()
    assert await sent() == []
    clock.move_on(seconds=30)
    await run_quiet()
    assert await sent() == [("NEURO", uids(study[:3]))]
    await come(study[3])
    clock.move_on(seconds=61)
    await run_quiet()
    assert [len(objects) for _, objects in await sent()] == [3, 4]  # the job leaves out what the first one has sent


async def test_a_study_that_is_not_quiet_waits_in_one_job(app, clock, add_rule, come, run_quiet):
    await add_rule(level="study", quiet_s=60)
    for image in a_study(images=5):
        await come(image)
        clock.move_on(seconds=20)
    assert len(await app.jobs.list(kind="routing.quiet")) == 1
    await run_quiet()
    [job] = await app.jobs.list(kind="routing.quiet")
    assert job.run_at > clock.now()


async def test_of_a_series_no_other_series_goes(clock, add_rule, come, sent, run_quiet):
    await add_rule(level="series", quiet_s=10, when={"attributes": [{"attribute": "SeriesNumber", "value": 2}]})
    first, second = a_study(series=2)
    await come(first, second)
    clock.move_on(seconds=11)
    await run_quiet()
    assert await sent() == [("NEURO", uids([second]))]


async def test_a_rule_that_is_off_when_the_study_is_quiet_sends_nothing(
    app, who, clock, add_rule, come, sent, run_quiet
):
    kept = await add_rule(level="study", quiet_s=10)
    await come(*a_study())
    await rules.change(app, who, kept.number, 1, {**kept.document, "enabled": False})
    clock.move_on(seconds=11)
    await run_quiet()
    assert await sent() == []


@pytest.mark.parametrize(
    ("priors", "expected"),
    [
        ({"count": 1}, ["MR 2025"]),
        ({"count": 5}, ["MR 2025", "CT HEAD 2024", "CT CHEST 2023"]),
        ({"count": 5, "same": ["modality"]}, ["CT HEAD 2024", "CT CHEST 2023"]),
        ({"count": 5, "same": ["modality", "body part"]}, ["CT CHEST 2023"]),
    ],
)
@pytest.mark.parametrize("level", ["object", "study"])
async def test_the_patients_earlier_studies_go_after_it(
    level, priors, expected, clock, add_rule, come, sent, run_quiet
):
    earlier = {
        "CT CHEST 2023": {"Modality": "CT", "BodyPartExamined": "CHEST", "StudyDate": "20230101"},
        "CT HEAD 2024": {"Modality": "CT", "BodyPartExamined": "HEAD", "StudyDate": "20240101"},
        "MR 2025": {"Modality": "MR", "BodyPartExamined": "CHEST", "StudyDate": "20250101"},
        "later": {"Modality": "CT", "BodyPartExamined": "CHEST", "StudyDate": "20270101"},
        "another's": {"Modality": "CT", "BodyPartExamined": "CHEST", "StudyDate": "20230101", "PatientID": "0815"},
        "another issuer's": {"Modality": "CT", "StudyDate": "20230101", "IssuerOfPatientID": "SUR"},
    }
    studies = {name: a_study(**attributes) for name, attributes in earlier.items()}
    await come(*(image for study in studies.values() for image in study), calling="OLD")
    await add_rule(level=level, quiet_s=10, priors=priors, when={"from": "CT1"})
    now = a_study(images=2, Modality="CT", BodyPartExamined="CHEST", StudyDate="20260101")
    await come(*now)
    clock.move_on(seconds=11)
    await run_quiet()
    names = {str(study[0].SOPInstanceUID): name for name, study in studies.items()}
    first, *later = [objects for _, objects in await sent()]
    assert first == uids(now)
    assert [names[uid] for [uid] in later] == expected


async def test_a_patient_without_an_id_has_no_priors(clock, add_rule, come, sent, run_quiet):
    await come(*a_study(PatientID="*", StudyDate="20240101"), *a_study(PatientID="4711", StudyDate="20240101"))
    await add_rule(level="study", quiet_s=10, priors={"count": 5}, when={"from": "CT1"})
    await come(*a_study(PatientID="*", StudyDate="20250101"), calling="CT1")
    clock.move_on(seconds=11)
    await run_quiet()
    assert len(await sent()) == 2  # it, and the one of the patient whose ID is an asterisk


async def test_fifty_rules_take_less_than_a_millisecond_an_object(app, add_rule, come):
    for number in range(49):
        attributes = [{"attribute": "BodyPartExamined", "is": "in", "value": [f"PART{number}", "LEG*"]}]
        await add_rule(f"rule {number}", [f"STATION{number}"], {"modality": "CT", "attributes": attributes})
    await add_rule("last", ["NEURO"], {"institution": "*", "study_description": "thorax"})
    [told] = await come(*a_study(InstitutionName="Norte", StudyInstanceUID=generate_uid()))
    assert [route.destination for route in await routes_of(app, told)] == ["NEURO"]
    spent = []
    for _ in range(200):
        began = time.perf_counter()
        await routes_of(app, told)
        spent.append(time.perf_counter() - began)
    print(f"median {sorted(spent)[100] * 1e6:.0f} µs an object with 50 rules")
    assert sorted(spent)[20] < 0.005  # the machine may be busy; alone it takes less than one


async def test_the_attributes_of_an_object_that_is_gone_are_none(app, come):
    [told] = await come(*a_study())
    assert Facts(told, await attributes_of(app, told), app.settings).values("00100020") == ["4711"]
    gone = type(told)(
        *("1.2", "1.2.3", "1.2.3.4"),
        *(told.sop_class_uid, told.transfer_syntax_uid, "CT", 1),
        told.received_at,
        told.origin,
    )
    assert await attributes_of(app, gone) is None


@with_data
@pytest.mark.parametrize(
    ("completion", "distributed", "goes_to"),
    [("COMPLETE", False, ["BACKUP", "RIS"]), ("PARTIAL", False, ["BACKUP"]), ("PARTIAL", True, ["BACKUP", "RIS"])],
)
async def test_reports_come_from_the_virtual_server_reports(
    app, add_rule, come, sent, completion, distributed, goes_to
):
    await app.change_setting("routing_preliminary_reports", distributed, by="test")
    await add_rule("reports", ["RIS"], {"from": ["REPORTS"]})
    await add_rule("all", ["BACKUP"])
    report = dcmread(DATA / "sr/sr.dcm")
    report.CompletionFlag = completion
    await come(report)
    assert sorted(name for name, _ in await sent()) == goes_to


async def test_an_image_does_not_come_from_reports(add_rule, come, sent):
    await add_rule("reports", ["RIS"], {"from": ["REPORTS"]})
    await come(*a_study())
    assert await sent() == []


async def test_a_quiet_study_whose_job_is_done_twice_after_a_crash_goes_once(app, clock, add_rule, come, sent):
    await add_rule(level="study", quiet_s=10)
    study = a_study(images=2)
    await come(*study)
    clock.move_on(seconds=11)
    [job] = await app.jobs.list(kind=quiet.KIND)
    for _ in range(2):
        await quiet.quiet_job(app).run(job.payload)
    assert await sent() == [("NEURO", uids(study))]
