"""Push, pull and watch, against a running archive, by pynetdicom."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import orjson
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from charrua_core.archive.datasets.identifier import encode_identifier
from charrua_core.dicom import UNCOMPRESSED, ProposedContext, associate
from charrua_core.testing.waiting import until
from charrua_core.testing.worklist import (
    FILTERED_WORKLIST,
    PULL,
    PUSH,
    QUERY,
    WATCH,
    WORKLIST,
    Party,
    a_workitem,
    code,
    discontinued,
    in_transaction,
    performed,
)
from charrua_ups.model import INPUT, OBJECTS, element

CT = "1.2.840.10008.5.1.4.1.1.2"
STATE, TRANSACTION_UID, READINESS, CHARACTER_SET = 0x00741000, 0x00081195, 0x00404041, 0x00080005


async def test_a_workitem_is_ordered_found_claimed_performed_and_completed(orderer: Party, performer: Party) -> None:
    status, uid = await orderer.push(a_workitem(ScheduledStationNameCodeSequence=code("STN1")))
    assert status == 0x0000
    key = Dataset()
    key.CodeValue = "STN1"
    [found] = await performer.find(
        ProcedureStepState="SCHEDULED", ScheduledStationNameCodeSequence=[key], PatientName="nunez*"
    )
    assert (found.SOPInstanceUID, found.PatientName) == (uid, "Núñez^José")
    mine = generate_uid()
    assert await performer.enter(uid, "IN PROGRESS", mine) == 0x0000
    assert await performer.set(uid, in_transaction(performed(), mine)) == 0x0000
    assert await performer.enter(uid, "COMPLETED", mine) == 0x0000
    assert await performer.enter(uid, "COMPLETED", mine) == 0xB306
    status, item = await orderer.get(uid, negotiated=PUSH)
    assert (status, item.ProcedureStepState, item.SOPClassUID) == (0x0000, "COMPLETED", PUSH)
    assert (
        item.UnifiedProcedureStepPerformedProcedureSequence[0].PerformedStationNameCodeSequence[0].CodeValue == "STN1"
    )
    assert "TransactionUID" not in item


async def test_a_peer_that_reads_one_character_set_alone_is_told_workitems_in_that(orderer: Party, listening) -> None:
    await orderer.push(a_workitem())
    plain = await listening("PLAIN", character_set="ISO_IR 6")
    [found] = await plain.find(PatientName="núñez*", SpecificCharacterSet="ISO_IR 192")
    assert (found.SpecificCharacterSet, found.PatientName) == ("ISO_IR 6", "Nunez^Jose")
    _, got = await plain.get(found.SOPInstanceUID)
    assert got is not None
    assert (got.SpecificCharacterSet, got.PatientName) == ("ISO_IR 6", "Nunez^Jose")


async def test_a_workitem_has_20_000_objects_as_its_input(archive: Any, orderer: Party) -> None:
    objects = [{"00081150": element("UI", CT), "00081155": element("UI", f"1.2.3.{one}")} for one in range(20_000)]
    images = {"0040E020": element("CS", "DICOM"), "0020000D": element("UI", "1.2.3"), OBJECTS: element("SQ", *objects)}
    item = encode_identifier(
        {**a_workitem().to_json_dict(), INPUT: element("SQ", images)}, UNCOMPRESSED[0], "ISO_IR 192"
    )
    async with associate(archive.peer, [ProposedContext(PUSH, UNCOMPRESSED)], calling_aet=orderer.aet) as association:
        assert (await association.create(PUSH, "1.2.4", item)).status == 0x0000
    _, kept = await orderer.get("1.2.4")
    assert kept is not None
    assert len(kept.InputInformationSequence[0].ReferencedSOPSequence) == 20_000


async def test_of_two_performers_that_claim_at_once_one_has_it(orderer: Party, performer: Party) -> None:
    _, uid = await orderer.push(a_workitem())
    claims = {generate_uid(): party for party in (orderer, performer) * 4}
    statuses = await asyncio.gather(*(party.enter(uid, "IN PROGRESS", mine) for mine, party in claims.items()))
    assert sorted(statuses) == [0x0000, *[0xC301] * 7]
    [winner] = [mine for mine, status in zip(claims, statuses, strict=True) if status == 0x0000]
    for mine in claims:
        assert await performer.set(uid, in_transaction(performed(), mine)) == (0x0000 if mine == winner else 0xC301)


CREATED: list[tuple[dict[str, Any], int]] = [
    ({"ProcedureStepState": "IN PROGRESS"}, 0xC309),
    ({"ProcedureStepState": None}, 0x0120),
    ({"PatientName": None}, 0x0120),
    ({"TransactionUID": None}, 0x0120),
    ({"ScheduledProcedureStepPriority": ""}, 0x0121),
    ({"ScheduledStationNameCodeSequence": [Dataset()]}, 0x0121),
    ({"ScheduledProcedureStepPriority": "URGENT"}, 0x0106),
    ({"TransactionUID": "1.2.3"}, 0x0106),
    ({"UnifiedProcedureStepPerformedProcedureSequence": code("STN1")}, 0x0106),
    ({"WorklistLabel": ""}, 0xB300),
]


async def test_creation_asks_for_what_the_table_asks_for(orderer: Party) -> None:
    for changes, status in CREATED:
        answered, uid = await orderer.push(a_workitem(**changes))
        assert f"{answered:04X}" == f"{status:04X}", changes
        found, item = await orderer.get(uid)
        label = item.get("WorklistLabel") if item else ""
        assert (found, label) == ((0, "WORKLIST") if status == 0xB300 else (0xC307, "")), changes


async def test_a_uid_is_given_once(orderer: Party) -> None:
    _, uid = await orderer.push(a_workitem())
    assert await orderer.push(a_workitem(PatientID="other"), uid) == (0x0111, uid)
    assert (await orderer.get(uid))[1].PatientID == "4711"


@pytest.mark.parametrize("state", ["SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED", "nowhere"])
async def test_operations_are_answered_by_state(orderer: Party, performer: Party, state: str) -> None:
    uid, mine, other = await in_state(orderer, state)
    label = Dataset()
    label.ProcedureStepLabel = "Segment the spleen"
    found = {
        "set": await performer.set(uid, label),
        "set by the wrong": await performer.set(uid, in_transaction(label, other)),
        "set by the right": await performer.set(uid, in_transaction(label, mine)),
        "claim": await performer.enter(uid, "IN PROGRESS", None),
        "get": (await performer.get(uid))[0],
        "cancel": await orderer.request_cancel(uid),
        "suspend": await orderer.watch(uid, 5),
        "watch": await orderer.watch(uid),
    }
    assert {name: f"{status:04X}" for name, status in found.items()} == dict(zip(found, EXPECTED[state], strict=True))


EXPECTED = {
    "SCHEDULED": ("0000", "C310", "C310", "C301", "0000", "0000", "C314", "0000"),
    "IN PROGRESS": ("C301", "C301", "0000", "C301", "0000", "C312", "C314", "0000"),
    "COMPLETED": ("C300", "C300", "C300", "C301", "0000", "C311", "C314", "0000"),
    "CANCELED": ("C300", "C300", "C300", "C301", "0000", "B304", "C314", "0000"),
    "nowhere": ("C307", "C307", "C307", "C307", "C307", "C307", "C314", "C307"),
}


async def in_state(party: Party, state: str) -> tuple[str, str, str]:
    """A workitem in this state, its Transaction UID and another one."""
    uid, mine = generate_uid(), generate_uid()
    if state != "nowhere":
        await party.push(a_workitem(), uid)
    if state not in ("nowhere", "SCHEDULED"):
        await party.enter(uid, "IN PROGRESS", mine)
    if state in ("COMPLETED", "CANCELED"):
        await party.set(uid, in_transaction(performed() if state == "COMPLETED" else discontinued(), mine))
        assert await party.enter(uid, state, mine) == 0x0000
    return uid, mine, generate_uid()


FINAL: list[tuple[str, Any, str]] = [
    ("COMPLETED", None, ""),
    ("COMPLETED", performed, "PerformedStationNameCodeSequence"),
    ("COMPLETED", performed, "PerformedWorkitemCodeSequence"),
    ("COMPLETED", performed, "PerformedProcedureStepStartDateTime"),
    ("COMPLETED", performed, "PerformedProcedureStepEndDateTime"),
    ("COMPLETED", performed, "OutputInformationSequence"),
    ("CANCELED", None, ""),
    ("CANCELED", discontinued, "ProcedureStepCancellationDateTime"),
    ("CANCELED", discontinued, "ProcedureStepDiscontinuationReasonCodeSequence"),
]


async def test_a_final_state_needs_what_the_table_asks_for(performer: Party) -> None:
    for state, prepared, missing in FINAL:
        uid, mine, _ = await in_state(performer, "IN PROGRESS")
        if prepared:
            changes = prepared()
            [sequence] = list(changes)
            del sequence.value[0][missing]
            assert await performer.set(uid, in_transaction(changes, mine)) == 0x0000
        assert await performer.enter(uid, state, mine) == 0xC304, (state, missing)
        assert (await performer.get(uid))[1].ProcedureStepState == "IN PROGRESS"


SET = [
    ("ProcedureStepState", "COMPLETED", 0x0106),
    ("SOPInstanceUID", "1.2.3", 0x0106),
    ("ScheduledProcedureStepModificationDateTime", "20260101", 0x0106),
    ("InputReadinessState", "MAYBE", 0x0106),
    ("ProcedureStepLabel", "", 0x0121),
    ("CommentsOnTheScheduledProcedureStep", "", 0x0000),
]


async def test_what_may_be_set_is_set_all_or_nothing(performer: Party) -> None:
    for keyword, value, status in SET:
        _, uid = await performer.push(a_workitem())
        changes = Dataset()
        setattr(changes, keyword, value)
        changes.PatientComments = "all or nothing"
        assert await performer.set(uid, changes) == status, keyword
        assert ("PatientComments" in (await performer.get(uid))[1]) == (status == 0x0000)


async def test_what_is_asked_for_is_given_and_no_transaction(performer: Party) -> None:
    uid, _, _ = await in_state(performer, "IN PROGRESS")
    status, told = await performer.get(uid, [STATE, READINESS, CHARACTER_SET])
    assert status == 0x0000
    assert {element.keyword for element in told} == {
        "ProcedureStepState",
        "InputReadinessState",
    }
    status, told = await performer.get(uid, [STATE, TRANSACTION_UID])
    assert (status, [element.keyword for element in told]) == (0x0001, ["ProcedureStepState"])


async def test_a_scheduled_workitem_is_cancelled_by_way_of_in_progress(orderer: Party, performer: Party) -> None:
    _, uid = await orderer.push(a_workitem())
    await performer.watch(uid)
    assert await orderer.request_cancel(uid, ReasonForCancellation="ordered twice") == 0x0000
    item = (await orderer.get(uid))[1]
    [progress] = item.ProcedureStepProgressInformationSequence
    assert (item.ProcedureStepState, progress.ReasonForCancellation) == ("CANCELED", "ordered twice")
    assert progress.ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110513"
    await until(lambda: performer.states(uid) == ["SCHEDULED", "IN PROGRESS", "CANCELED"])


async def test_a_performer_hears_that_it_is_asked_to_cancel(orderer: Party, performer: Party) -> None:
    uid, _, _ = await in_state(performer, "IN PROGRESS")
    assert await orderer.request_cancel(uid) == 0xC312
    await performer.watch(uid)
    assert await orderer.request_cancel(uid, ReasonForCancellation="ordered twice", ContactDisplayName="Ana") == 0x0000
    await until(lambda: performer.types(uid) == [1, 2])
    told = performer.heard[-1][2]
    assert (told.RequestingAE, told.ReasonForCancellation, told.ContactDisplayName) == (
        "ORDERER",
        "ordered twice",
        "Ana",
    )
    assert (await orderer.get(uid))[1].ProcedureStepState == "IN PROGRESS"


async def test_a_subscriber_hears_of_each_change_in_order(listening: Any, performer: Party) -> None:
    watcher = await listening("WATCHER", roles=True)
    uid, mine, _ = await in_state(performer, "SCHEDULED")
    assert await watcher.watch(uid) == 0x0000
    changes = Dataset()
    changes.InputReadinessState = "INCOMPLETE"
    changes.ScheduledStationNameCodeSequence = code("STN2")
    await performer.set(uid, changes)
    await performer.enter(uid, "IN PROGRESS", mine)
    progress = Dataset()
    progress.ProcedureStepProgress = "50"
    changes = Dataset()
    changes.ProcedureStepProgressInformationSequence = [progress]
    await performer.set(uid, in_transaction(changes, mine))
    await performer.set(uid, in_transaction(performed(), mine))
    await performer.enter(uid, "COMPLETED", mine)
    await until(lambda: len(watcher.heard) == 6)
    assert watcher.types(uid) == [1, 1, 5, 1, 3, 1]
    told = [one for _, _, one in watcher.heard]
    assert [told[at].InputReadinessState for at in (0, 1)] == ["READY", "INCOMPLETE"]
    assert told[2].ScheduledStationNameCodeSequence[0].CodeValue == "STN2"
    assert told[4].ProcedureStepProgressInformationSequence[0].ProcedureStepProgress == 50
    assert watcher.states(uid) == ["SCHEDULED", "SCHEDULED", "IN PROGRESS", "COMPLETED"]
    assert await watcher.watch(uid, 4) == 0x0000
    assert performer.heard == []


async def test_subscriptions_to_the_worklist_take_what_is_there_and_what_comes(listening: Any, orderer: Party) -> None:
    _, before = await orderer.push(a_workitem())
    all_of_it, plain, filtered = [await listening(aet) for aet in ("LOCKED", "PLAIN", "FILTERED")]
    assert await all_of_it.watch(WORKLIST, lock="TRUE") == 0x0000
    assert await plain.watch(WORKLIST) == 0x0000
    assert await filtered.watch(FILTERED_WORKLIST, lock="TRUE", WorklistLabel="SPLEEN") == 0x0000
    _, liver = await orderer.push(a_workitem())
    _, spleen = await orderer.push(a_workitem(WorklistLabel="SPLEEN"))
    await orderer.request_cancel(before)
    canceled = ["IN PROGRESS", "CANCELED"]
    await until(lambda: all_of_it.states(before) == ["SCHEDULED", *canceled] and plain.states(before) == canceled)
    assert all_of_it.states(liver) == all_of_it.states(spleen) == ["SCHEDULED"]
    await until(lambda: filtered.states(spleen) == ["SCHEDULED"])
    assert {uid for uid, _, _ in filtered.heard} == {spleen}


async def test_a_suspended_subscription_keeps_what_it_has_and_an_ended_one_nothing(
    listening: Any, orderer: Party
) -> None:
    watcher = await listening("WATCHER")
    await watcher.watch(WORKLIST)
    _, first = await orderer.push(a_workitem())
    assert await watcher.watch(WORKLIST, 5) == 0x0000
    _, second = await orderer.push(a_workitem())
    await orderer.request_cancel(first)
    await until(lambda: watcher.states(first) == ["SCHEDULED", "IN PROGRESS", "CANCELED"])
    assert watcher.states(second) == []
    await watcher.watch(second)
    assert await watcher.watch(WORKLIST, 4) == 0x0000
    await orderer.request_cancel(second)
    await orderer.push(a_workitem())
    await until(lambda: watcher.states(second) == ["SCHEDULED"])
    assert len(watcher.heard) == 4


async def test_subscribing_is_refused(orderer: Party) -> None:
    given: list[tuple[dict[str, Any], int]] = [
        ({"receiver": "NOBODY"}, 0xC308),
        ({"lock": None}, 0x0115),
        ({"lock": "MAYBE"}, 0x0115),
        ({"action": 9}, 0x0123),
        ({"action": 1}, 0x0123),
    ]
    assert [await orderer.watch(WORKLIST, **one) for one, _ in given] == [status for _, status in given]


async def test_events_wait_for_a_receiver_that_is_away(archive: Any, listening: Any, orderer: Party) -> None:
    watcher = await listening("WATCHER")
    listening.stop()
    _, uid = await orderer.push(a_workitem())
    await watcher.watch(uid)
    await orderer.request_cancel(uid)
    again = await listening("WATCHER")
    await until(lambda: again.states(uid) == ["SCHEDULED", "IN PROGRESS", "CANCELED"], timeout_s=20)


async def test_subscribers_to_the_worklist_hear_of_a_restart(archive: Any, listening: Any) -> None:
    watcher = await listening("WATCHER")
    await watcher.watch(WORKLIST)
    await archive.stop()
    await archive.start()
    await until(lambda: watcher.types(WORKLIST) == [4])
    assert watcher.heard[-1][2].SCPStatus == "RESTARTED"


async def test_every_class_that_searches_finds(orderer: Party) -> None:
    _, uid = await orderer.push(a_workitem())
    for model in (PULL, WATCH, QUERY):
        assert [found.SOPInstanceUID for found in await orderer.find(model, SOPInstanceUID=uid)] == [uid]


KEYS: list[tuple[dict[str, Any], str]] = [
    ({}, "abc"),
    ({"ProcedureStepState": "CANCELED"}, ""),
    ({"WorklistLabel": "LIVER"}, "ab"),
    ({"WorklistLabel": "liver"}, ""),
    ({"WorklistLabel": "S*"}, "c"),
    ({"WorklistLabel": "LIVER\\SPLEEN"}, "abc"),
    ({"ScheduledProcedureStepStartDateTime": "20261125-20261126"}, "ab"),
    ({"ScheduledProcedureStepStartDateTime": "20261127"}, "c"),
    ({"ScheduledProcedureStepStartDateTime": "20261125080000-0100"}, ""),
    ({"PatientName": "PEREZ"}, ""),
    ({"PatientName": "perez*"}, "b"),
    ({"PatientName": "山田*"}, "c"),
    ({"PatientID": "4711"}, "ac"),
    ({"ScheduledStationNameCodeSequence": "STN1"}, "a"),
    ({"ScheduledStationNameCodeSequence": "STN?"}, "ac"),
    ({"PatientID": "4711", "ScheduledProcedureStepPriority": "HIGH"}, "c"),
]


async def test_keys_match(orderer: Party) -> None:
    given = {
        "a": {"ScheduledStationNameCodeSequence": code("STN1")},
        "b": {"PatientName": "Pérez^Ana", "PatientID": "1"},
        "c": {
            "PatientName": "Yamada^Tarou=山田^太郎",
            "WorklistLabel": "SPLEEN",
            "ScheduledProcedureStepPriority": "HIGH",
            "ScheduledProcedureStepStartDateTime": "202611271000",
            "ScheduledStationNameCodeSequence": code("STN2"),
        },
    }
    names = {(await orderer.push(a_workitem(**changes)))[1]: name for name, changes in given.items()}
    for keys, expected in KEYS:
        if station := keys.get("ScheduledStationNameCodeSequence"):
            key = Dataset()
            key.CodeValue = station
            keys = {"ScheduledStationNameCodeSequence": [key]}
        found = await orderer.find(SpecificCharacterSet="ISO_IR 192", **keys)
        assert "".join(names[one.SOPInstanceUID] for one in found) == expected, keys


async def test_keys_that_cannot_be(orderer: Party) -> None:
    with pytest.raises(LookupError, match="A900"):
        await orderer.find(ScheduledProcedureStepStartDateTime="soon")
    with pytest.raises(LookupError, match="0106"):
        await orderer.find(TransactionUID="1.2.3")


@pytest.mark.settings(ups_results=2)
async def test_a_search_has_a_limit(orderer: Party) -> None:
    for _ in range(3):
        await orderer.push(a_workitem())
    with pytest.raises(LookupError, match="A700"):
        await orderer.find(ProcedureStepState="SCHEDULED")


async def test_a_search_is_cancelled_while_the_database_is_at_it(archive: Any, orderer: Party) -> None:
    await orderer.push(a_workitem())
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    asked = encode(a_request(""), False, True) or b""
    async with (
        associate(archive.peer, [ProposedContext(PULL, UNCOMPRESSED)], calling_aet=orderer.aet) as association,
        connection.transaction(),
    ):
        await connection.execute("LOCK charrua_ups.workitem")
        responses = association.find(PULL, asked)
        first = asyncio.ensure_future(anext(responses))
        await asyncio.wait((first,), timeout=0.3)
        await association.cancel()
        assert (await asyncio.wait_for(first, 5))[0] == 0xFE00
    await connection.close()


async def test_who_may_not_work_with_the_worklist_is_refused(archive: Any, listening: Any, orderer: Party) -> None:
    _, uid = await orderer.push(a_workitem())
    stranger = Party(archive.peer, "STRANGER")
    reader = await listening("READER", permissions=frozenset({"echo", "query"}))
    for party, get in ((stranger, 0x0124), (reader, 0x0000)):
        assert (await party.push(a_workitem()))[0] == 0x0124
        assert (await party.get(uid))[0] == get
        assert await party.enter(uid, "IN PROGRESS", generate_uid()) == 0x0124
        assert await party.set(uid, performed()) == 0x0124
        assert await party.request_cancel(uid) == 0x0124
        assert await party.watch(WORKLIST, receiver="ORDERER") == 0x0124
    with pytest.raises(LookupError, match="0124"):
        await stranger.find()
    assert len(await reader.find()) == 1


async def test_a_filtered_peer_sees_and_does_what_its_filter_is_proven_to_admit(
    archive: Any, listening: Any, orderer: Party
) -> None:
    limited = await listening("LIMITED")
    await archive.run("peer", "add", limited.aet, "127.0.0.1", str(limited.port), "--see", "Modality=CT")
    await orderer.watch(WORKLIST, receiver=limited.aet)
    ct, mr = [{"ScheduledStationClassCodeSequence": code(modality, "DCM")} for modality in ("CT", "MR")]
    _, theirs = await orderer.push(a_workitem(**ct))
    _, others = await orderer.push(a_workitem(**mr))
    assert [one.SOPInstanceUID for one in await limited.find()] == [theirs]
    found = {uid: await everything_asked(limited, uid) for uid in (theirs, others)}
    assert set(found[theirs]) == {0x0000}
    assert set(found[others]) == {0xC307}
    assert (await limited.push(a_workitem(**ct)))[0] == 0x0000
    assert (await limited.push(a_workitem(**mr)))[0] == 0x0124
    away = Dataset()
    away.ScheduledStationClassCodeSequence = code("MR", "DCM")
    assert await limited.set((await limited.push(a_workitem(**ct)))[1], away) == 0x0124
    await archive.settled()
    assert others not in {uid for uid, _, _ in limited.heard}
    assert limited.states(theirs)


async def everything_asked(party: Party, uid: str) -> list[int]:
    """The statuses of whatever can be done with a workitem."""
    changes = Dataset()
    changes.PatientComments = "seen"
    return [
        (await party.get(uid))[0],
        await party.watch(uid),
        await party.set(uid, changes),
        await party.watch(uid, 4),
        await party.request_cancel(uid),
    ]


def a_request(accession_number: str) -> Dataset:
    request = Dataset()
    request.StudyInstanceUID, request.AccessionNumber = generate_uid(), accession_number
    return request


async def test_each_access_is_in_the_audit_trail_without_patients(archive: Any, orderer: Party) -> None:
    request = a_request("A1")
    _, uid = await orderer.push(a_workitem(ReferencedRequestSequence=[request]))
    await orderer.get(uid)
    await orderer.find(PatientName="nunez*")
    await orderer.enter(uid, "IN PROGRESS", None)
    await orderer.request_cancel(uid)
    await asyncio.sleep(0.5)
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    rows = await connection.fetch("SELECT * FROM core.audit WHERE who = 'ORDERER' AND event IN ('110111', '110112')")
    await connection.close()
    kept = {(row["event"], row["action"], row["succeeded"], *row["study_uids"]) for row in rows}
    study = request.StudyInstanceUID
    assert kept == {
        ("110111", "C", True, study),
        ("110111", "R", True, study),
        ("110112", "E", True),
        ("110111", "U", False),
        ("110111", "U", True, study),
    }
    assert "nunez" not in orjson.dumps([orjson.loads(row["detail"]) for row in rows]).decode().lower()
