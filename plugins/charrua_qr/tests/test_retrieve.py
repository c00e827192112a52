"""C-MOVE and C-GET against a running archive."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import asyncpg
import orjson
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom.dsutils import encode

from charrua_core.app import App, Start
from charrua_core.archive.edit.edit import edit
from charrua_core.dicom import (
    UNCOMPRESSED,
    Association,
    Message,
    ProposedContext,
    associate,
)
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.shelf import json_of
from charrua_core.types import SYSTEM, Level

MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
CANCELLED, UNKNOWN_DESTINATION, UNABLE, SOME_FAILED = 0xFE00, 0xA801, 0xA702, 0xB000


@pytest.fixture
def destination(listening):
    """A function that has a peer DEST listen, which answers its C-STOREs with these statuses, in turn."""

    def destination(*statuses: int):
        left = list(statuses)

        async def take(association: Association, message: Message) -> None:
            await message.drain()
            await association.respond(message, left.pop(0) if left else 0x0000)

        return listening(take, "DEST")

    return destination


def data_sets(*objects: Dataset) -> set[bytes]:
    return {received_of(one).data_set for one in objects}


async def test_a_study_is_moved_and_fetched_at_each_level(modality, workstation):
    study = a_study(series=2, images=2)
    other = an_object(PatientID=study[0].PatientID)
    await modality.store(study, other)
    first = study[0]
    patient, image = {"PatientID": first.PatientID}, {"SOPInstanceUID": first.SOPInstanceUID}
    uids = {"StudyInstanceUID": first.StudyInstanceUID}
    series = {**uids, "SeriesInstanceUID": first.SeriesInstanceUID}
    for level, root, keys, expected in (
        ("PATIENT", "PATIENT", patient, [*study, other]),
        ("STUDY", "STUDY", uids, study),
        ("SERIES", "STUDY", series, study[:2]),
        ("IMAGE", "PATIENT", {**patient, **series, **image}, study[:1]),
    ):
        for retrieve in (workstation.move, workstation.get):
            workstation.received.clear()
            outcome = await retrieve(level, root=root, **keys)
            assert (outcome.status, outcome.completed, outcome.failed) == (0x0000, len(expected), 0)
            assert {one.data_set for one in workstation.received} == data_sets(*expected)


async def test_a_list_of_studies_is_moved(modality, workstation):
    studies = [an_object() for _ in range(3)]
    await modality.store(*studies)
    outcome = await workstation.move("STUDY", StudyInstanceUID=[one.StudyInstanceUID for one in studies[:2]])
    assert (outcome.status, outcome.completed) == (0x0000, 2)


async def test_nothing_found_is_a_success_of_nothing(workstation):
    for retrieve in (workstation.move, workstation.get):
        outcome = await retrieve("STUDY", StudyInstanceUID="1.2.3")
        assert (outcome.status, outcome.completed) == (0x0000, 0)


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"level": "STUDY"}, 0xA900),
        ({"level": "STUDY", "PatientName": "Doe*"}, 0xA900),
        ({"level": "SERIES", "SeriesInstanceUID": "1.2"}, 0xA900),
        ({"level": "PATIENT", "root": "PATIENT", "PatientID": "?*"}, 0xA900),
        ({"level": "STUDY", "StudyInstanceUID": "1.2", "destination": "NOBODY"}, UNKNOWN_DESTINATION),
        ({"level": "STUDY", "StudyInstanceUID": "1.2", "destination": "CHARRUA"}, UNKNOWN_DESTINATION),
    ],
)
async def test_a_retrieval_that_breaks_the_rules_is_refused(workstation, keys, status):
    assert (await workstation.move(**keys)).status == status


async def test_unknown_peers_may_not_retrieve(modality, workstation):
    image = an_object()
    await modality.store(image)
    workstation.aet = "STRANGER"
    for retrieve in (workstation.move, workstation.get):
        assert (await retrieve("STUDY", StudyInstanceUID=image.StudyInstanceUID)).status == 0x0124
    assert workstation.received == []


async def test_what_the_destination_refuses_is_counted_and_named(modality, workstation, destination):
    study = a_study(images=4)
    await modality.store(study)
    uids = {"StudyInstanceUID": study[0].StudyInstanceUID}
    async with destination(0x0000, 0xA700, 0xB007, 0xC000):
        outcome = await workstation.move("STUDY", destination="DEST", **uids)
    assert (outcome.status, outcome.completed, outcome.failed, outcome.warning) == (SOME_FAILED, 1, 2, 1)
    assert set(outcome.failed_uids) == {study[1].SOPInstanceUID, study[3].SOPInstanceUID}


async def test_a_move_takes_to_nobody_what_they_may_not_see(archive, modality, workstation, destination):
    study = a_study(series=2)
    study[1].Modality = "MR"
    await modality.store(study)
    asked = {"level": "STUDY", "destination": "DEST", "StudyInstanceUID": study[0].StudyInstanceUID}
    async with destination() as there:
        address = ("peer", "add", "DEST", "127.0.0.1", str(there.port))
        await archive.run(*address, "--see", "Modality=MR")
        assert (await workstation.move(**asked)).completed == 1
        await archive.run(*address, "--may", "echo query")
        assert (await workstation.move(**asked)).status == UNKNOWN_DESTINATION


async def test_an_object_taken_with_a_warning_ends_the_retrieval_with_one(modality, workstation, destination):
    image = an_object()
    await modality.store(image)
    async with destination(0xB007):
        outcome = await workstation.move("STUDY", destination="DEST", StudyInstanceUID=image.StudyInstanceUID)
    assert (outcome.status, outcome.completed, outcome.warning) == (SOME_FAILED, 0, 1)


async def test_a_destination_that_is_not_there_fails_all(modality, workstation, destination):
    study = a_study(images=2)
    await modality.store(study)
    async with destination() as acceptor:
        await acceptor.stop(grace_s=0)
        outcome = await workstation.move("STUDY", destination="DEST", StudyInstanceUID=study[0].StudyInstanceUID)
    assert (outcome.status, outcome.completed, outcome.failed) == (UNABLE, 0, 2)


@pytest.mark.settings(retrieve_results=2)
async def test_past_the_limit_the_retrieval_ends_with_an_error(modality, workstation):
    study = a_study(images=3)
    await modality.store(study)
    for retrieve in (workstation.move, workstation.get):
        workstation.received.clear()
        outcome = await retrieve("STUDY", StudyInstanceUID=study[0].StudyInstanceUID)
        assert (outcome.status, outcome.completed, len(workstation.received)) == (UNABLE, 2, 2)


@pytest.mark.parametrize("stored", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("taken", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
async def test_native_objects_leave_in_the_native_syntax_that_is_taken(modality, workstation, stored, taken):
    image = an_object(transfer_syntax=stored)
    assert await modality.store(image) == [0x0000]
    pixels = image.PixelData
    if stored == ExplicitVRBigEndian:
        pixels = bytes(byte for pair in zip(pixels[1::2], pixels[::2], strict=True) for byte in pair)
    workstation.takes = [taken]
    for retrieve in (workstation.move, workstation.get):
        outcome = await retrieve("STUDY", StudyInstanceUID=image.StudyInstanceUID)
        assert (outcome.status, outcome.completed) == (0x0000, 1)
    for came in workstation.received:
        assert (came.transfer_syntax_uid, came.attributes.PixelData) == (taken, pixels)
        assert (came.attributes.Rows, came.attributes.PatientName) == (8, image.PatientName)


async def test_a_compressed_object_that_cannot_be_decoded_is_not_sent_where_it_is_not_taken(modality, workstation):
    image = an_object(transfer_syntax=JPEGBaseline8Bit, PixelData=encapsulate([b"\xff\xd8\xff\xd9"]))
    image["PixelData"].is_undefined_length = True
    assert await modality.store(image) == [0x0000]
    workstation.takes = [ExplicitVRLittleEndian]
    outcome = await workstation.move("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    assert (outcome.status, outcome.failed_uids) == (UNABLE, (image.SOPInstanceUID,))


async def workstation_has_something(workstation) -> None:
    while not workstation.received:  # noqa: ASYNC110 - a test may look again and again
        await asyncio.sleep(0.001)


async def test_a_move_is_cancelled_between_objects(archive, modality, workstation):
    study = a_study(images=60)
    await modality.store(study)
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", study[0].StudyInstanceUID
    contexts = [ProposedContext(MOVE, UNCOMPRESSED)]
    async with associate(archive.peer, contexts, calling_aet=workstation.aet) as association:
        moving = association.move(MOVE, workstation.aet, encode(asked, False, True) or b"")
        async with aclosing(moving) as responses:
            pending = asyncio.ensure_future(anext(responses))
            await workstation_has_something(workstation)
            await association.cancel()
            final, _ = await pending
    assert final.status == CANCELLED
    assert final.number_of_completed_suboperations == len(workstation.received)
    assert final.number_of_remaining_suboperations == 60 - len(workstation.received)


async def test_edits_go_with_what_leaves(archive, modality, workstation):
    image = an_object(PatientName="Doe^Jane")
    assert await modality.store(image) == [0x0000]
    async with App.opened(Start(archive.environment)) as app:
        await edit(app, SYSTEM, Level.STUDY, image.StudyInstanceUID, json_of({"PatientName": "Roe^Jane"}))
    await workstation.move("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    [came] = workstation.received
    assert came.attributes.PatientName == "Roe^Jane"
    assert came.attributes.PixelData == image.PixelData


async def retrievals_noted(archive, who: str) -> list[asyncpg.Record]:
    await archive.stop()
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    rows = await connection.fetch("SELECT * FROM core.audit WHERE who = $1 ORDER BY id", who)
    await connection.close()
    return list(rows)


async def test_retrievals_are_in_the_audit_trail(archive, modality, workstation):
    image = an_object()
    await modality.store(image)
    await workstation.move("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    rows = await retrievals_noted(archive, workstation.aet)
    assert [(row["event"], row["study_uids"]) for row in rows] == [
        ("110102", [image.StudyInstanceUID]),
        ("110104", [image.StudyInstanceUID]),
    ]


async def test_retrievals_that_were_refused_are_in_the_audit_trail(archive, workstation):
    await workstation.move("STUDY", destination="NOBODY", StudyInstanceUID="1.2")
    workstation.aet = "STRANGER"
    for retrieve in (workstation.move, workstation.get):
        await retrieve("STUDY", StudyInstanceUID="1.2")
    noted = await retrievals_noted(archive, "WORKSTATION") + await retrievals_noted(archive, "STRANGER")
    details = [orjson.loads(row["detail"]) for row in noted]
    assert {(row["event"], row["succeeded"]) for row in noted} == {("110104", False)}
    assert [(one["destination"], one["status"], one["refused"]) for one in details] == [
        ("NOBODY", "A801", "PeerUnknown"),
        ("STRANGER", "0124", "NotPermitted"),
        ("STRANGER", "0124", "NotPermitted"),
    ]
