"""Orders and appointments: what their messages make of the worklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from charrua_core.archive.index.levels import tag_of
from charrua_core.db import Collided
from charrua_core.types import Identity, Origin
from charrua_hl7.errors import MessageRefused
from charrua_hl7.mapping import ordered_steps
from charrua_hl7.message import Message
from charrua_hl7.orders.book import _ENTRIES, Book, Order, Page, same_order
from charrua_hl7.orders.taking import take_orders
from charrua_hl7.processing import Outcome, Received
from charrua_hl7.tables import entry
from charrua_hl7.testing import order
from charrua_hl7.worklist.entries import Draft, Status, of_row, order_key, set_status, value

SAID = Identity("HL7 HIS", "system")


async def take(app: Any, *texts: str) -> Sequence[Outcome | MessageRefused]:
    """Do what messages say, all in one transaction."""
    from datetime import UTC, datetime

    received = [
        Received(number, Message.parse(text.encode()), datetime.now(UTC), Origin("hl7"), SAID)
        for number, text in enumerate(texts, 1)
    ]
    async with app.db.transaction() as tx:
        return await take_orders(app, tx, received)


async def entries(app: Any) -> list[Any]:
    async with app.db.reading() as connection:
        return [
            of_row(row) for row in await connection.execute(select(entry).order_by(entry.c.order_key, entry.c.step_id))
        ]


def told(outcomes: Sequence[Outcome | MessageRefused]) -> list[str]:
    return [str(one) if isinstance(one, MessageRefused) else one.sentence for one in outcomes]


async def status(app: Any, wanted: Status) -> None:
    async with app.db.transaction() as tx:
        await set_status(app, tx, [one.id for one in await entries(app)], wanted, "by hand")


async def test_an_order_that_comes_again_keeps_the_uid_that_was_made_for_it(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1"))
    [first] = await entries(app)
    assert told(await take(app, order("1", when="202702020800"))) == ["1 entry changed, the order was here already"]
    [second] = await entries(app)
    uid = tag_of("StudyInstanceUID")
    assert value(first.attributes, uid).startswith("2.25.")
    assert value(second.attributes, uid) == value(first.attributes, uid)
    assert value(second.step, tag_of("ScheduledProcedureStepStartDate")) == "20270202"


@pytest.mark.parametrize("begun", [Status.STARTED, Status.COMPLETED])
async def test_a_number_that_was_given_out_twice_makes_no_order_that_was_performed_another_persons(
    archive_in_process: Any, begun: Status
) -> None:
    app = archive_in_process
    await take(app, order("1"))
    [wrong] = await take(app, order("1", patient="4712", name="Perez^Ana"))  # a mistyped ID, corrected before it begins
    assert isinstance(wrong, Outcome)
    await status(app, begun)
    [refused] = await take(app, order("1", patient="99", name="Silva^Rosa"))
    assert (type(refused).__name__, refused.acknowledgement, refused.condition) == ("KeyTaken", "AE", "205")
    [kept] = await entries(app)
    assert value(kept.attributes, tag_of("PatientID")) == "4712"


async def test_a_change_changes_what_it_says_and_null_takes_away(archive_in_process: Any) -> None:
    app = archive_in_process
    change = "\r".join(
        [
            "MSH|^~\\&|HIS|CLINIC|||20270101||ORM^O01|1|P|2.5.1",
            'PID|||4711^^^CLINIC||Perez^Ana||""|F',
            "ORC|XO|P1|F1",
            "OBR|1|P1|F1",
        ]
    )
    await take(app, order("1", modality="MR"), change)
    [one] = await entries(app)
    assert value(one.step, tag_of("Modality")) == "MR"
    assert value(one.attributes, tag_of("AccessionNumber")) != ""
    assert tag_of("PatientBirthDate") not in one.attributes
    assert value(one.attributes, tag_of("PatientSex")) == "F"


@pytest.mark.parametrize(
    ("before", "control", "after", "sentence"),
    [
        (None, "CA", Status.DISCONTINUED, "1 entry cancelled by the order"),
        (Status.STARTED, "CA", Status.STARTED, "the order has begun or is over, and cannot be cancelled"),
        (Status.COMPLETED, "CA", Status.COMPLETED, "the order has begun or is over, and cannot be cancelled"),
        (Status.STARTED, "DC", Status.DISCONTINUED, "1 entry discontinued by the order"),
        (Status.COMPLETED, "DC", Status.COMPLETED, "the order is over, and cannot be discontinued"),
        (None, "HD", Status.DISCONTINUED, "1 entry held by the order"),
        (Status.STARTED, "HD", Status.STARTED, "the order has begun or is over, and cannot be held"),
        (Status.DISCONTINUED, "NW", Status.SCHEDULED, "1 entry changed, the order was here already"),
        (Status.COMPLETED, "NW", Status.COMPLETED, "1 entry changed, the order was here already"),
        (None, "OK", Status.SCHEDULED, "it changes nothing in the worklist"),
    ],
)
async def test_order_control_decides_about_the_entry(
    archive_in_process: Any, before: Status | None, control: str, after: Status, sentence: str
) -> None:
    app = archive_in_process
    await take(app, order("1"))
    if before:
        await status(app, before)
    assert told(await take(app, order("1", control))) == [sentence]
    assert [one.status for one in await entries(app)] == [after]


async def test_order_status_decides_where_the_message_is_about_it(archive_in_process: Any) -> None:
    app = archive_in_process
    seen = []
    for control, said in (("SC", "SC"), ("XO", "IP"), ("SC", "IP"), ("SC", "CM"), ("SC", "SC"), ("SC", "IP")):
        await take(app, order("1", control, status=said))
        seen += [one.status for one in await entries(app)]
    assert seen == ["SCHEDULED", "SCHEDULED", "STARTED", "COMPLETED", "COMPLETED", "COMPLETED"]


async def test_an_order_that_says_of_itself_that_it_is_over_is_over(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1", status="CM"), order("2", status="IP"), order("3"), order("3", "SC", status="CA"))
    assert [one.status for one in await entries(app)] == [Status.COMPLETED, Status.SCHEDULED, Status.DISCONTINUED]


async def test_a_message_that_is_refused_at_its_end_leaves_nothing_of_its_beginning(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1") + "ORC|ZZ|P2|F2\rOBR|1|P2|F2\r", order("3"))
    assert [one.order_key for one in await entries(app)] == ["filler:F3^"]


async def test_what_is_held_is_released_and_what_is_cancelled_is_not(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1"), order("1", "HD"), order("1", "RL"))
    assert [one.status for one in await entries(app)] == [Status.SCHEDULED]
    await take(app, order("1", "CA"), order("1", "RL"))
    assert [(one.status, one.reason) for one in await entries(app)] == [(Status.DISCONTINUED, "cancelled by the order")]


async def test_what_is_held_can_be_cancelled(archive_in_process: Any) -> None:
    app = archive_in_process
    assert told(await take(app, order("1"), order("1", "HD"), order("1", "CA")))[2] == "1 entry cancelled by the order"
    assert [one.reason for one in await entries(app)] == ["cancelled by the order"]


async def test_what_was_cancelled_does_not_begin_again_when_it_is_moved(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1"), order("1", "CA"), order("1", "XO", when="202703030800"))
    assert [one.status for one in await entries(app)] == [Status.DISCONTINUED]


async def test_an_entry_tells_by_which_message_it_was_changed_last(archive_in_process: Any) -> None:
    app = archive_in_process
    for texts, last in (
        ([order("1"), order("1", "XO")], 2),
        ([order("1", "HD")], 1),
        ([order("1"), order("1", "CA")], 2),
    ):
        await take(app, *texts)
        async with app.db.reading() as connection:
            assert (await connection.scalars(select(entry.c.message_id))).all() == [last]


async def test_an_order_that_timed_out_is_scheduled_again_when_it_is_moved(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1"))
    await status(app, Status.DISCONTINUED)
    await take(app, order("1", "XO"))
    assert [one.status for one in await entries(app)] == [Status.DISCONTINUED]
    await take(app, order("1", "XO", when="202703030800"))
    assert [one.status for one in await entries(app)] == [Status.SCHEDULED]


OMI = "\r".join(
    [
        "MSH|^~\\&|HIS|CLINIC|||20270101||OMI^O23^OMI_O23|{control_id}|P|2.5.1",
        "PID|||4711^^^CLINIC||Perez^Ana",
        "ORC|{control}|P1^HIS|F1^RIS",
        "TQ1|||||||{when}",
        "OBR|1|P1^HIS|F1^RIS|CT^CT of head and neck",
    ]
)
IPC = "IPC|ACC1|RP1|1.2.3.{study}|{step}|CT||||{aet}"


def imaging(*steps: str, control: str = "NW", when: str = "202701021030") -> str:
    """An imaging order with these steps, by their IDs."""
    listed = [IPC.format(study=7, step=step, aet=f"CT{step}") for step in steps]
    return "\r".join([OMI.format(control_id=f"{control}{when}", control=control, when=when), *listed])


async def test_an_order_has_several_steps_and_those_that_a_change_leaves_out_stay(archive_in_process: Any) -> None:
    app = archive_in_process
    assert told(await take(app, imaging("S1", "S2", "S3"))) == ["3 entries added"]
    assert told(await take(app, imaging("S2", control="XO", when="202705050900"))) == ["1 entry changed"]
    dates = [value(one.step, tag_of("ScheduledProcedureStepStartDate")) for one in await entries(app)]
    assert [one.step_id for one in await entries(app)] == ["S1", "S2", "S3"]
    assert dates == ["20270102", "20270505", "20270102"]
    assert told(await take(app, imaging("S1", control="CA"))) == ["3 entries cancelled by the order"]


async def test_an_end_that_names_one_step_beside_others_ends_that_one(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, imaging("S1", "S2"))
    both = imaging("S1", control="CA") + "\r" + "\r".join(imaging("S2", control="XO").split("\r")[2:])
    assert told(await take(app, both)) == ["1 entry cancelled by the order; 1 entry changed"]
    assert [one.status for one in await entries(app)] == [Status.DISCONTINUED, Status.SCHEDULED]


async def test_what_a_change_says_of_the_patient_holds_for_the_steps_that_it_leaves_out(
    archive_in_process: Any,
) -> None:
    app = archive_in_process
    await take(app, imaging("S1", "S2"))
    await take(app, imaging("S2", control="XO").replace("Perez^Ana", "Perez^Anna"))
    assert [value(one.attributes, tag_of("PatientName")) for one in await entries(app)] == ["Perez^Anna"] * 2


async def test_a_change_that_has_as_many_steps_as_the_order_means_these_by_whatever_names(
    archive_in_process: Any,
) -> None:
    app = archive_in_process
    await take(app, imaging("S1"))
    assert told(await take(app, imaging("NEW", control="XO", when="202705050900"))) == ["1 entry changed"]
    [one] = await entries(app)
    assert (one.step_id, value(one.step, tag_of("ScheduledProcedureStepID"))) == ("S1", "S1")
    assert value(one.step, tag_of("ScheduledProcedureStepStartDate")) == "20270505"
    assert told(await take(app, imaging("S2"))) == ["1 entry added"]  # ordered anew, another name is another step


async def test_of_an_order_whose_step_is_over_the_others_are_discontinued(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, imaging("S1", "S2"))
    async with app.db.transaction() as tx:
        await set_status(app, tx, [(await entries(app))[0].id], Status.COMPLETED, "done")
    assert told(await take(app, imaging("S1", control="DC"))) == ["1 entry discontinued by the order"]
    assert [one.status for one in await entries(app)] == [Status.COMPLETED, Status.DISCONTINUED]


async def test_null_takes_neither_the_study_instance_uid_nor_the_procedures_id_away(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, imaging("S1"))
    await take(app, imaging("S1", control="XO").replace("|RP1|1.2.3.7|", '|""|""|'))
    [one] = await entries(app)
    kept = [value(one.attributes, tag_of(keyword)) for keyword in ("StudyInstanceUID", "RequestedProcedureID")]
    assert kept == ["1.2.3.7", "RP1"]


async def test_an_order_that_has_no_number_but_its_procedures_is_refused(archive_in_process: Any) -> None:
    app = archive_in_process
    text = imaging("S1").replace("P1^HIS|F1^RIS", "|").replace("ACC1|RP1|1.2.3.7", "|RP1|")
    assert told(await take(app, text)) == ["the order has no number of its placer or filler, and no accession number"]


async def test_an_order_that_gets_its_fillers_number_later_stays_the_same(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, order("1").replace("F1", ""))
    assert told(await take(app, order("1", "XO"))) == ["1 entry changed"]
    [one] = await entries(app)
    assert one.order_key == "placer:P1^"
    assert value(one.attributes, tag_of("FillerOrderNumberImagingServiceRequest")) == "F1"


async def test_a_step_that_is_added_to_an_order_has_the_key_of_its_others(archive_in_process: Any) -> None:
    app = archive_in_process
    await take(app, imaging("S1").replace("F1^RIS", ""))
    assert told(await take(app, imaging("S1", "S2"))) == ["1 entry added, 1 entry changed, the order was here already"]
    assert {one.order_key for one in await entries(app)} == {"placer:P1^HIS"}


async def test_steps_that_have_the_same_id_by_mistake_are_entries_all_the_same(archive_in_process: Any) -> None:
    app = archive_in_process
    twice = imaging("S1") + "\r" + IPC.format(study=8, step="S1", aet="CTX")
    assert told(await take(app, twice)) == ["2 entries added"]
    assert told(await take(app, twice)) == ["2 entries changed, the order was here already"]
    assert [one.step_id for one in await entries(app)] == ["S1", "S1-2"]


async def test_a_step_of_an_order_is_known_by_another_steps_numbers_and_is_never_written_over(
    archive_in_process: Any,
) -> None:
    app = archive_in_process
    head = "MSH|^~\\&|HIS|CLINIC|||20270101||ORM^O01|1|P|2.5.1\rPID|||4711^^^CLINIC||Perez^Ana"
    await take(app, f"{head}\rORC|NW\rOBR|1|||CT{'|' * 14}A1||S1\rORC|NW\rOBR|2|||CT{'|' * 14}A1||S2")
    await take(app, f"{head}\rORC|NW||F9\rOBR|1||F9|CT{'|' * 14}A1||S1")  # the filler's number comes later, to one step
    await status(app, Status.COMPLETED)
    asked = f"{head}\rORC|NW||F9\rOBR|1||F9|CT{'|' * 14}A2||S2"
    assert told(await take(app, asked)) == ["1 entry changed, the order was here already"]
    assert [(one.step_id, one.status) for one in await entries(app)] == [
        ("S1", Status.COMPLETED),
        ("S2", Status.COMPLETED),
    ]


async def test_entries_of_orders_are_looked_up_by_indexes_however_many_there_are(archive_in_process: Any) -> None:
    numbers = [["filler:F1^"], ["F1"], ["P1"], ["A1"]]
    async with archive_in_process.db.driver() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")  # where there is another way it is taken
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {_ENTRIES}", *numbers))
    assert "Seq Scan" not in plan, plan
    assert {"entry_by_order", "entry_by_filler", "entry_by_placer", "entry_by_accession"} <= {*plan.split()}


async def test_messages_on_one_order_that_come_at_the_same_moment_leave_one_entry_with_what_both_say(
    archive_in_process: Any,
) -> None:
    app = archive_in_process
    said = Message.parse(order("1", modality="MR").encode())
    async with app.db.transaction() as tx:
        book = await Book.of(tx, [Order.of(one.attributes) for one in await ordered_steps(app, tx, said)])
        await take(app, order("1", modality="CT"))  # in a transaction of its own, which is through before
        with pytest.raises(Collided):  # the intake does the messages again then
            await _written(app, tx, book, said)


async def _written(app: Any, tx: Any, book: Book, said: Message) -> None:
    page = Page()
    for step in await ordered_steps(app, tx, said):
        page.write(Draft(Order.of(step.attributes).key, step.complete))
    book.turn(page)
    await book.write(app, tx)


async def test_a_message_that_comes_back_to_an_order_speaks_of_the_same_entry(archive_in_process: Any) -> None:
    app = archive_in_process
    other = "\rORC|NW|P2|F2\rOBR|1|P2|F2|MR^MR"
    again = "\rORC|NW|P1^HIS|F1^RIS\rOBR|1|P1^HIS|F1^RIS|CT^CT\r" + IPC.format(study=8, step="S1", aet="CTX")
    [outcome] = await take(app, imaging("S1") + other + again)
    assert len(await entries(app)) == 2
    assert told([outcome]) == ["1 entry added; 1 entry changed, the order was here already"]


async def test_an_appointment_moves_the_entry_of_its_order_and_its_end_cancels_it(archive_in_process: Any) -> None:
    app = archive_in_process

    def booking(event: str, when: str) -> str:
        return "\r".join(
            [
                f"MSH|^~\\&|RIS|CLINIC|||20270101||SIU^{event}|{event}|P|2.5.1",
                "SCH|AP1|AF1" + "|" * 24 + "P1|F1",
                "PID|||4711^^^CLINIC||Perez^Ana",
                "RGS|1",
                f"AIS|1||CTHEAD^CT of the head|{when}",
            ]
        )

    await take(app, order("1"), booking("S13", "202704040715"))
    [one] = await entries(app)
    assert value(one.step, tag_of("ScheduledProcedureStepStartDate")) == "20270404"
    assert value(one.step, tag_of("Modality")) == "CT"
    assert told(await take(app, booking("S26", "202704040715"))) == ["1 entry cancelled by the order"]
    assert told(await take(app, booking("S23", "1"))) == ["SIU is not taken for this event"]


async def test_a_message_that_is_refused_leaves_those_beside_it_alone(archive_in_process: Any) -> None:
    app = archive_in_process
    two = order("1") + "ORC|ZZ|P1|F1\rOBR|1|P1|F1\r"
    assert told(await take(app, order("1"), two, order("1", "CA"))) == [
        "1 entry added",
        "its order control code is not known here",
        "1 entry cancelled by the order",
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"filler": ("1", "A")}, {"filler": ("1", "A")}, True),
        ({"filler": ("1", "A")}, {"filler": ("1", "B")}, False),
        ({"filler": ("1", "A")}, {"filler": ("1", "")}, True),
        ({"filler": ("1", ""), "placer": ("9", "")}, {"filler": ("2", ""), "placer": ("9", "")}, False),
        ({"filler": ("1", ""), "placer": ("9", "")}, {"placer": ("9", "")}, True),
        ({"placer": ("9", ""), "accession": ("A", "")}, {"accession": ("A", "")}, True),
        ({"placer": ("8", ""), "accession": ("A", "")}, {"placer": ("9", ""), "accession": ("A", "")}, False),
        ({"filler": ("1", "")}, {"placer": ("1", "")}, False),
    ],
)
def test_an_order_is_known_by_its_numbers(one: Any, other: Any, same: bool) -> None:
    assert same_order(one, other) is same
    assert same_order(other, one) is same


def test_the_key_of_an_order_is_its_fillers_number() -> None:
    numbers = {
        tag_of("FillerOrderNumberImagingServiceRequest"): {"vr": "LO", "Value": ["F1"]},
        tag_of("PlacerOrderNumberImagingServiceRequest"): {"vr": "LO", "Value": ["P1"]},
        tag_of("AccessionNumber"): {"vr": "SH", "Value": ["A1"]},
    }
    keys = []
    while numbers:
        keys.append(order_key(numbers))
        numbers.pop(next(iter(numbers)))
    assert [*keys, order_key({})] == ["filler:F1^", "placer:P1^", "accession:A1^", ""]
