"""What is refused and what is taken, in each state (PS3.4 F.7.2, table F.7.2-1)."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode
from sqlalchemy import select

from charrua_core import audit
from charrua_core.dicom import UNCOMPRESSED, Command, ProposedContext, associate
from charrua_core.testing.performed import (
    MPPS,
    Performer,
    a_discontinuation,
    a_scheduled_step,
    a_series,
    a_step,
    an_end,
    with_values,
)
from charrua_core.types import Peer
from charrua_hl7.performed.refusals import PERFORM_STATUSES
from charrua_hl7.tables import performed

STATUS, PATIENT_NAME, SCHEDULED = 0x00400252, 0x00100010, 0x00400270

CREATED: list[tuple[dict[str, Any], int]] = [
    ({}, 0x0000),
    ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106),
    ({"PerformedProcedureStepStatus": "in progress"}, 0x0106),
    ({"PerformedProcedureStepStatus": ""}, 0x0121),
    ({"PerformedProcedureStepStatus": None}, 0x0120),
    ({"PerformedProcedureStepID": None}, 0x0120),
    ({"PerformedProcedureStepID": ""}, 0x0121),
    ({"PerformedStationAETitle": None}, 0x0120),
    ({"PerformedProcedureStepStartDate": None}, 0x0120),
    ({"PerformedProcedureStepStartTime": ""}, 0x0121),
    ({"Modality": None}, 0x0120),
    ({"ScheduledStepAttributesSequence": None}, 0x0120),
    ({"ScheduledStepAttributesSequence": []}, 0x0121),
    ({"ScheduledStepAttributesSequence": [a_scheduled_step("1.2", StudyInstanceUID=None)]}, 0x0120),
    ({"ScheduledStepAttributesSequence": [a_scheduled_step("")]}, 0x0121),
    ({"ScheduledStepAttributesSequence": [a_scheduled_step("1.2"), a_scheduled_step("1..2")]}, 0x0106),
    # What modalities leave out although it is of type 2
    ({"PatientSex": None, "StudyID": None, "PerformedSeriesSequence": None}, 0x0000),
    ({"ScheduledStepAttributesSequence": [a_scheduled_step("1.2", AccessionNumber=None)]}, 0x0000),
]


async def test_creation_asks_for_what_the_table_asks_for(ct: Performer) -> None:
    for changes, status in CREATED:
        found, uid = await ct.create(a_step(**changes))
        assert f"{found:04X}" == f"{status:04X}", changes
        assert (await ct.get(uid))[0] == 0x0124  # nobody knows this modality: it may store, and not query


async def asked(served: Any, operation: str, uid: str, attributes: bytes) -> Command:
    """The response to a request of our own requestor."""
    async with associate(served.peer, [ProposedContext(MPPS, UNCOMPRESSED[1:])], calling_aet="CT1") as association:
        answer: Command = await getattr(association, operation)(MPPS, uid, attributes)
        return answer


async def test_what_is_missing_is_listed(served: Any) -> None:
    answer = await asked(served, "create", "1.2", encoded(a_step(Modality=None, PerformedProcedureStepID=None)))
    assert (answer.status, answer.attribute_identifier_list) == (0x0120, (0x00400253, 0x00080060))


async def test_without_a_uid_the_archive_gives_one(served: Any) -> None:
    answer = await asked(served, "create", "", encoded(a_step()))
    uid = answer.affected_sop_instance_uid or ""
    assert (answer.status, (await the_step(served, uid)).status) == (0x0000, "IN PROGRESS")
    assert (await asked(served, "set", "", encoded(an_end()))).status == 0x0112


BROKEN: list[tuple[str, bytes, int]] = [
    ("create", b"\x40\x00\x70\x02\xff\x00\x00\x00ab", 0xC000),
    ("create", b"no data set at all", 0xC000),
    ("create", bytes(5 << 20), 0xA700),
    ("set", b"\x40\x00\x70\x02\xff\x00\x00\x00ab", 0xC000),
]


async def test_what_cannot_be_read_is_refused(served: Any) -> None:
    for operation, attributes, status in BROKEN:
        assert (await asked(served, operation, "1.2", attributes)).status == status
    wrong = Dataset()
    wrong.add_new(SCHEDULED, "LO", "no sequence")
    content = encoded(a_step(ScheduledStepAttributesSequence=None), explicit=True) + encoded(wrong, explicit=True)
    async with associate(served.peer, [ProposedContext(MPPS, UNCOMPRESSED[:1])], calling_aet="CT1") as association:
        answer = await association.create(MPPS, "1.2", content)
    assert (answer.status, answer.attribute_identifier_list) == (0x0106, (SCHEDULED,))


async def test_mutated_data_sets_are_answered_and_change_nothing_else(served: Any) -> None:
    chance = random.Random(7)
    whole = [encoded(a_step("1.2.3"), explicit=True), encoded(an_end(a_series("1.2.4", ["1.2.5"])), explicit=True)]
    begun = encoded(a_step(), explicit=True)
    statuses = set()
    async with associate(served.peer, [ProposedContext(MPPS, UNCOMPRESSED[:1])], calling_aet="CT1") as association:
        for number in range(MUTATIONS):
            attributes = mutated(whole[number % 2], chance)
            uid = (await association.create(MPPS, "", begun)).affected_sop_instance_uid or ""
            asking = association.set(MPPS, uid, attributes) if number % 2 else association.create(MPPS, "", attributes)
            answer = await asking
            statuses.add((answer.status, answer.error_id))
    assert {status for status, _ in statuses} <= set(PERFORM_STATUSES)
    assert (0x0110, None) not in statuses  # what is not understood is answered, not stumbled over
    async with served.app.db.reading() as connection:
        states = set((await connection.scalars(select(performed.c.status))).all())
    assert states <= {"IN PROGRESS", "COMPLETED", "DISCONTINUED"}


MUTATIONS = int(os.environ.get("CHARRUA_TEST_MUTATIONS", "60"))


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them changed, taken out, put in twice, or cut off."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(data)), chance.randint(1, 12)
        kind = chance.randrange(4)
        if kind == 0:
            data[at : at + length] = chance.randbytes(len(data[at : at + length]))
        elif kind == 1 and len(data) > 100:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length]
        else:
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data[: chance.randrange(50, len(data))] if chance.random() < 0.1 else data)


def encoded(attributes: Dataset, explicit: bool = False) -> bytes:
    """The data set in Implicit, or Explicit, VR Little Endian."""
    content = encode(attributes, not explicit, True)
    assert content is not None
    return content


async def test_a_step_of_seven_thousand_images_is_taken(ct: Performer, served: Any) -> None:
    _, uid = await ct.create(a_step())
    images = [f"1.2.3.{number}" for number in range(7_000)]
    assert (await asked(served, "set", uid, encoded(an_end(a_series(images=images))))).status == 0x0000
    [series] = (await the_step(served, uid)).attributes["00400340"]["Value"]
    assert len(series["00081140"]["Value"]) == 7_000


async def test_nul_and_other_letters_are_kept_as_text(ct: Performer, served: Any) -> None:
    _, uid = await ct.create(a_step(PatientName="Øre\0^山田", PerformedLocation="a\0b"))
    name = (await the_step(served, uid)).attributes["00100010"]["Value"]
    assert name == [{"Alphabetic": "Øre\N{REPLACEMENT CHARACTER}^山田"}]


async def test_what_was_left_out_is_empty_and_noted(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step(PatientSex=None))
    row = await the_step(served, uid)
    assert row.attributes["00100040"] == {"vr": "CS"}
    assert row.notes == [{"note": "filled_in", "of": ["PatientSex"]}]


async def test_a_uid_is_given_once(ct: Performer) -> None:
    _, uid = await ct.create(a_step())
    assert await ct.create(a_step(), uid) == (0x0111, uid)


async def the_step(served: Any, uid: str) -> Any:
    """The row of a step."""
    async with served.app.db.reading() as connection:
        return (await connection.execute(select(performed).where(performed.c.sop_instance_uid == uid))).one()


@pytest.mark.parametrize("state", ["IN PROGRESS", "COMPLETED", "DISCONTINUED", "nowhere"])
async def test_operations_are_answered_by_state(ct: Performer, state: str) -> None:
    uid = await in_state(ct, state)
    found = {
        "describe": await ct.set(uid, with_values(Dataset(), {"PerformedProcedureStepDescription": "Thorax"})),
        "say again": await ct.set(uid, with_values(Dataset(), {"PerformedProcedureStepStatus": "IN PROGRESS"})),
        "complete": await ct.set(uid, an_end()),
        "complete again": await ct.set(uid, an_end()),
        "discontinue": await ct.set(uid, a_discontinuation()),
    }
    assert {name: f"{status:04X}" for name, status in found.items()} == dict(zip(found, EXPECTED[state], strict=True))
    if state != "nowhere":
        assert (ct.answer.ErrorID, ct.answer.ErrorComment) == (
            0xA710,
            "Performed Procedure Step Object may no longer be updated",
        )


EXPECTED = {
    "IN PROGRESS": ("0000", "0000", "0000", "0110", "0110"),
    "COMPLETED": ("0110",) * 5,
    "DISCONTINUED": ("0110",) * 5,
    "nowhere": ("0112",) * 5,
}


async def in_state(ct: Performer, state: str) -> str:
    """A step in this state."""
    if state == "nowhere":
        return generate_uid()
    _, uid = await ct.create(a_step())
    if state != "IN PROGRESS":
        assert await ct.set(uid, an_end() if state == "COMPLETED" else a_discontinuation()) == 0x0000
    return uid


ENDED: list[tuple[Dataset, int]] = [
    (an_end(), 0x0000),
    (an_end(PerformedProcedureStepEndDate=None), 0x0121),
    (an_end(PerformedProcedureStepEndTime=""), 0x0121),
    (an_end(PerformedSeriesSequence=None), 0x0121),
    (an_end(PerformedSeriesSequence=[]), 0x0121),
    (an_end(a_series(SeriesInstanceUID=None)), 0x0121),
    (an_end(a_series("1.2.x")), 0x0106),
    (an_end(PerformedProcedureStepStatus="DONE"), 0x0106),
    # What modalities leave out, and nobody needs
    (an_end(a_series(ProtocolName=None, OperatorsName=None, ReferencedImageSequence=None)), 0x0000),
    (an_end(PerformedProcedureStepStatus="DISCONTINUED", PerformedSeriesSequence=None), 0x0000),
    (with_values(Dataset(), {"PerformedProcedureStepStatus": "DISCONTINUED"}), 0x0000),
]


async def test_the_end_asks_for_what_links_it_and_is_set_all_or_nothing(served: Any, ct: Performer) -> None:
    for changes, status in ENDED:
        _, uid = await ct.create(a_step())
        changes.PerformedProcedureStepDescription = "all or nothing"
        assert f"{await ct.set(uid, changes):04X}" == f"{status:04X}", changes
        row = await the_step(served, uid)
        assert (row.status != "IN PROGRESS") == (status == 0x0000)
        assert bool(row.attributes["00400254"].get("Value")) == (status == 0x0000)


async def test_what_the_end_lacks_is_noted(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step())
    await ct.set(uid, an_end(a_series(ProtocolName="", OperatorsName=None)))
    assert (await the_step(served, uid)).notes == [{"note": "final_lacks", "of": ["OperatorsName", "ProtocolName"]}]


async def test_what_may_not_be_changed_stays_and_is_told(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step())
    again = a_step(PerformedProcedureStepStatus="IN PROGRESS", ScheduledStepAttributesSequence=None)
    assert await ct.set(uid, again) == 0x0000  # all that it knows, and the same
    changes = an_end(PatientName="Other^One", PatientID="4711", Modality="MR")
    assert await ct.set(uid, changes) == 0x0107
    assert {int(tag) for tag in ct.answer.AttributeIdentifierList} == {PATIENT_NAME, 0x00080060}
    row = await the_step(served, uid)
    assert (row.status, row.attributes["00100010"]["Value"]) == ("COMPLETED", [{"Alphabetic": "Núñez^José"}])
    assert row.notes == [{"note": "not_set", "of": ["Modality", "PatientName"]}]


async def test_of_two_modalities_that_end_a_step_at_once_one_does(served: Any) -> None:
    others = [Performer(served.peer, aet) for aet in ("CT1", "CT2") * 3]
    for _ in range(3):
        _, uid = await others[0].create(a_step())
        ends = [an_end() if number % 2 else a_discontinuation() for number in range(len(others))]
        statuses = await asyncio.gather(*(one.set(uid, end) for one, end in zip(others, ends, strict=True)))
        assert sorted(statuses) == [0x0000, *[0x0110] * 5]
        winner = "COMPLETED" if statuses.index(0x0000) % 2 else "DISCONTINUED"
        assert (await the_step(served, uid)).status == winner


async def test_a_step_is_retrieved_by_who_may_see_it(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step())
    rights = frozenset({"query"})
    await served.app.peers.add(Peer("RIS", "127.0.0.1", 1, permissions=rights), by="test")
    only_mr = {"Modality": ["MR"]}
    await served.app.peers.add(Peer("MR", "127.0.0.1", 1, permissions=rights), by="test", row_filter=only_mr)
    status, told = await Performer(served.peer, "RIS").get(uid)
    assert told is not None
    assert (status, told.PatientName, told.ScheduledStepAttributesSequence[0].AccessionNumber) == (
        0,
        "Núñez^José",
        "A1",
    )
    status, told = await Performer(served.peer, "RIS").get(uid, [STATUS, 0x00100020])
    assert told is not None
    assert (status, told.PerformedProcedureStepStatus, len(told)) == (0x0000, "IN PROGRESS", 2)
    assert (await Performer(served.peer, "RIS").get(uid, [STATUS, 0x00104000]))[0] == 0x0001
    assert (await Performer(served.peer, "MR").get(uid))[0] == 0x0112
    assert (await Performer(served.peer, "MR").create(a_step()))[0] == 0x0124


async def test_all_that_happens_to_a_step_is_in_the_audit_trail(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step(study := generate_uid()))
    await ct.set(uid, an_end())
    await ct.set(uid, an_end())
    await served.app.audit.flush()
    rows = await audit.read(served.app.db, event=audit.Event.PROCEDURE_RECORD)
    told = {(row["action"], row["succeeded"], tuple(row["study_uids"])) for row in rows}
    assert told == {("C", True, (study,)), ("U", True, (study,)), ("U", False, ())}
    assert {row["detail"]["performed"] for row in rows} == {uid}
    assert "4711" not in str(rows)
