"""Whose object it is: empty Patient Name and ID, and one patient in a study."""

from __future__ import annotations

import asyncio
import copy
import re

import orjson
import pytest
from pydicom.uid import generate_uid

from charrua_core.archive.ingest.ingest import Ingest
from charrua_core.errors import ObjectRefused
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import Origin

STAMPS = {"accept_empty_patient_name": "accept", "accept_empty_patient_id": "accept"}
CHECKS = {"same_patient": "check"}


async def store(ingest: Ingest, image):
    sent = received_of(image)
    origin = Origin("dimse", "MODALITY", "CHARRUA", "127.0.0.1", "one")
    spool = ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
    spool.write(memoryview(sent.data_set))
    return await ingest.store(spool)


async def studies(app):
    async with app.db.driver(reading=True) as connection:
        rows = await connection.fetch("SELECT patient_name, patient_id, instance_count, attributes FROM core.study")
    return [dict(row) for row in rows]


@pytest.mark.parametrize(
    ("setting", "attribute"),
    [("accept_empty_patient_name", "PatientName"), ("accept_empty_patient_id", "PatientID")],
)
async def test_an_empty_name_or_id_is_refused_where_the_site_wants_it(open_archive, setting, attribute):
    app = await open_archive(settings={setting: "refuse"})
    for empty in ("", None):
        with pytest.raises(ObjectRefused) as refused:
            await store(app.ingest, an_object(**{attribute: empty}))
        assert refused.value.dimse_status == 0xA900
    assert (await store(app.ingest, an_object())).status == "stored"
    assert len(await studies(app)) == 1


async def test_an_empty_name_and_id_are_kept_as_they_are_by_default(archive_in_process):
    await store(archive_in_process.ingest, an_object(PatientName="", PatientID=""))
    [study] = await studies(archive_in_process)
    assert (study["patient_name"], study["patient_id"]) == ("", "")


async def test_an_empty_name_and_id_get_one_time_stamp_for_the_study(open_archive):
    app = await open_archive(settings={**STAMPS, **CHECKS})
    first, *others = a_study(images=4, PatientName="^", PatientID=None)
    await store(app.ingest, first)
    await asyncio.gather(*[store(app.ingest, other) for other in others])
    [study] = await studies(app)
    assert study["instance_count"] == 4
    assert re.fullmatch(r"2\d{13}", study["patient_id"]) and re.fullmatch(r"2\d{13}", study["patient_name"])
    assert orjson.loads(study["attributes"])["00100020"]["Value"] == [study["patient_id"]]


async def test_a_time_stamp_is_an_edit_over_the_bytes_and_in_the_journal(open_archive):
    app = await open_archive(settings=STAMPS)
    image = an_object(PatientID="")
    await store(app.ingest, image)
    async with app.db.driver(reading=True) as connection:
        [edit] = await connection.fetch("SELECT * FROM core.edit")
        [instance] = await connection.fetch("SELECT * FROM core.instance")
    [given] = orjson.loads(instance["overlay"])["00100020"]["Value"]
    [line] = app.volumes.current.root.glob("journal/*.jsonl")
    written = orjson.loads(line.read_bytes())
    assert (edit["kind"], edit["made_by"]) == ("coerce", "storescp")
    assert written["id"] == str(edit["id"]) and written["after"]["attributes"]["00100020"]["Value"] == [given]
    assert received_of(image).data_set in app.volumes.current.path(instance["path"]).read_bytes()


@pytest.mark.parametrize("differing", [{"PatientID": "4712"}, {"PatientName": "Doe^John"}])
async def test_another_patient_in_a_study_is_refused_where_the_site_checks(open_archive, differing):
    app = await open_archive(settings=CHECKS)
    image = an_object()
    await store(app.ingest, image)
    with pytest.raises(ObjectRefused) as refused:
        await store(app.ingest, an_object(StudyInstanceUID=image.StudyInstanceUID, **differing))
    assert refused.value.dimse_status == 0xA900
    same = an_object(StudyInstanceUID=image.StudyInstanceUID, PatientName="DOE^JANE^^^")
    assert (await store(app.ingest, same)).status == "stored"


async def test_another_patient_in_a_study_is_stored_by_default(archive_in_process):
    image = an_object()
    await store(archive_in_process.ingest, image)
    other = an_object(StudyInstanceUID=image.StudyInstanceUID, PatientID="4712")
    assert (await store(archive_in_process.ingest, other)).status == "stored"


async def test_of_two_patients_that_come_at_once_for_one_study_one_is_stored(open_archive):
    """In three processes, so that neither knows what the others are about to commit."""
    apps = [await open_archive(settings=CHECKS) for _ in range(3)]
    for _ in range(10):
        study = generate_uid()
        objects = [an_object(StudyInstanceUID=study, PatientID=f"P{n % 3}") for n in range(12)]
        outcomes = await asyncio.gather(
            *[store(apps[n % 3].ingest, image) for n, image in enumerate(objects)], return_exceptions=True
        )
        stored = {objects[n].PatientID for n, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)}
        assert len(stored) == 1, outcomes
        assert all(isinstance(outcome, ObjectRefused) for outcome in outcomes if isinstance(outcome, Exception))
    files = list(apps[0].volumes.current.root.glob("2*/**/*.dcm"))
    assert len(files) == sum(row["instance_count"] for row in await studies(apps[0]))


async def test_late_objects_of_an_edited_study_are_compared_with_what_was_received(open_archive):
    app = await open_archive(settings=CHECKS)
    image = an_object()
    await store(app.ingest, image)
    overlay = '{"00100020": {"vr": "LO", "Value": ["RIGHT"]}}'
    async with app.db.driver() as connection:
        await connection.execute(f"UPDATE core.study SET patient_id = 'RIGHT', overlay = '{overlay}'")
    late = copy.deepcopy(image)
    late.SOPInstanceUID = late.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    assert (await store(app.ingest, late)).status == "stored"
    with pytest.raises(ObjectRefused):
        await store(app.ingest, an_object(StudyInstanceUID=image.StudyInstanceUID, PatientID="RIGHT"))


async def test_objects_without_a_study_are_filed_together_under_derived_uids(archive_in_process):
    app = archive_in_process
    for number in range(2):
        image = an_object(StudyInstanceUID=None, SeriesInstanceUID=None, InstanceNumber=number)
        await store(app.ingest, image)
    await store(app.ingest, an_object(StudyInstanceUID=None, SeriesInstanceUID=None, AccessionNumber="other"))
    counts = sorted(study["instance_count"] for study in await studies(app))
    assert counts == [1, 2]
    async with app.db.driver(reading=True) as connection:
        rows = await connection.fetch(
            "SELECT study_uid, attributes -> '0020000D' -> 'Value' ->> 0 AS uid FROM core.study"
        )
    assert all(row["study_uid"] == row["uid"] and row["uid"].startswith("2.25.") for row in rows)


async def test_objects_without_a_study_are_refused_where_the_site_wants_it(open_archive):
    app = await open_archive(settings={"accept_missing_study": False})
    with pytest.raises(ObjectRefused) as refused:
        await store(app.ingest, an_object(SeriesInstanceUID=None))
    assert refused.value.dimse_status == 0xA900
    assert (await store(app.ingest, an_object())).status == "stored"
