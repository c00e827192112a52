"""Patients corrected and merged by ADT: the worklist at once, studies by edits, all of it taken back."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from charrua_core.archive.edit import undo as edit_undo
from charrua_core.errors import EditInvalid
from charrua_core.tables import edit
from charrua_core.types import SYSTEM
from charrua_hl7.errors import EventUnsupported, FieldMissing, ValueInvalid
from charrua_hl7.patients import rows
from charrua_hl7.patients.undoing import ChangeStays
from charrua_hl7.tables import message


async def changes(hospital, kind=None):
    async with hospital.app.db.reading() as connection:
        found = await rows.listed(connection, 50)
    return [one for one in found if kind in (None, one.kind)]


async def edits(hospital):
    async with hospital.app.db.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(edit))


async def test_an_update_corrects_entry_and_study_and_is_taken_back(hospital) -> None:
    number, uid = await hospital.order("4711"), await hospital.image("4711")
    outcome = await hospital.hears("PID|||4711^^^HOSP||Roe^Janet||19700102|F", "PV1||I|WARD^201^B")
    assert outcome.sentence == "Corrected: 1 entry, 1 study."
    assert await hospital.entry(number) == ("4711", "HOSP", "Roe^Janet")
    await hospital.works()
    assert await hospital.study(uid) == ("4711", "", "Roe^Janet")
    [change] = await changes(hospital)
    await hospital.undoes(change)
    assert await hospital.entry(number) == ("4711", "HOSP", "Doe^Jane")
    assert await hospital.study(uid) == ("4711", "", "Doe^Jane")
    with pytest.raises(ChangeStays, match="before"):
        await hospital.undoes(change)


async def test_what_says_the_same_and_whom_nobody_knows_leave_everything_as_it_is(hospital) -> None:
    await hospital.order("4711")
    same = await hospital.hears("PID|||4711^^^HOSP||Doe^Jane||||", event="ADT^A31")
    unknown = await hospital.hears("PID|||0815^^^HOSP||Doe^Jane", event="ADT^A31")
    assert "says the same" in same.sentence
    assert unknown.sentence == "Nothing here is of this patient."
    assert await changes(hospital) == []


async def test_who_is_told_of_one_that_was_merged_is_told_so_though_nothing_here_is_of_either(hospital) -> None:
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
    told = await hospital.hears("PID|||OLD^^^HOSP||Doe^Jane", event="ADT^A31")
    assert told.sentence.startswith("This patient was merged into another")


async def test_a_patient_whom_a_message_names_twice_as_the_former_one_is_merged_once(hospital) -> None:
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", *["MRG|OLD^^^HOSP"] * 30, event="ADT^A40")
    assert len(await changes(hospital, "merge")) == 1


async def test_a_merge_moves_entries_and_studies_also_those_that_come_later_and_is_taken_back(hospital) -> None:
    number, uid, other = await hospital.order("OLD"), await hospital.image("OLD"), await hospital.image("NEW")
    outcome = await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet||19700102|F", "MRG|OLD^^^HOSP", event="ADT^A40")
    assert outcome.sentence == "Corrected: 1 entry, 2 studies."
    assert await hospital.entry(number) == ("NEW", "HOSP", "Roe^Janet")
    await hospital.works()
    late, late_order = await hospital.image("OLD"), await hospital.order("OLD")
    assert await hospital.entry(late_order) == ("NEW", "HOSP", "Roe^Janet")
    await hospital.works()
    assert [await hospital.study(one) for one in (uid, late, other)] == [("NEW", "", "Roe^Janet")] * 3

    [merge] = await changes(hospital, "merge")
    await hospital.undoes(merge)
    assert [await hospital.entry(one) for one in (number, late_order)] == [("OLD", "HOSP", "Doe^Jane")] * 2
    assert [await hospital.study(one) for one in (uid, late)] == [("OLD", "", "Doe^Jane")] * 2
    assert await hospital.study(other) == ("NEW", "", "Roe^Janet")
    assert await hospital.study(await hospital.image("OLD")) == ("OLD", "", "Doe^Jane")
    await hospital.works()
    assert await hospital.entry(await hospital.order("OLD")) == ("OLD", "HOSP", "Doe^Jane")


async def test_a_study_that_was_given_its_orders_identity_is_given_it_again_when_a_merge_is_taken_back(
    hospital,
) -> None:
    number = await hospital.order("OLD", AccessionNumber="A1")
    before = await hospital.image("OLD", AccessionNumber="A1")
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
    await hospital.works()
    late = await hospital.image("OLD", AccessionNumber="A1")
    await hospital.works()
    assert {(await hospital.study(uid))[::2] for uid in (before, late)} == {("NEW", "Roe^Janet")}
    await hospital.undoes((await changes(hospital, "merge"))[0])
    assert (await hospital.entry(number))[0] == "OLD"
    assert {(await hospital.study(uid))[::2] for uid in (before, late)} == {("OLD", "Doe^Jane")}


async def test_a_merge_undone_in_the_studys_own_history_brings_the_entries_back_too(hospital) -> None:
    number, uid = await hospital.order("OLD"), await hospital.image("OLD")
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
    await hospital.works()
    [record] = await edit_undo.history(hospital.app, SYSTEM, uid)
    await edit_undo.undo(hospital.app, SYSTEM, record.id)
    await hospital.works()
    assert await hospital.entry(number) == ("OLD", "HOSP", "Doe^Jane")
    [merge] = await changes(hospital, "merge")
    assert merge.undone_by == "charrua"
    assert await hospital.entry(await hospital.order("OLD")) == ("OLD", "HOSP", "Doe^Jane")


async def test_the_same_merge_twice_changes_nothing_more(hospital) -> None:
    await hospital.order("OLD")
    await hospital.image("OLD")
    for _ in range(2):
        outcome = await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
        await hospital.works()
    assert outcome.sentence.startswith(("What is here", "Nothing here"))
    assert (len(await changes(hospital, "merge")), await edits(hospital)) == (1, 1)


async def test_what_was_corrected_over_a_merge_is_taken_back_first(hospital) -> None:
    number, uid = await hospital.order("OLD"), await hospital.image("OLD")
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
    await hospital.works()
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Johanna")
    await hospital.works()
    assert await hospital.entry(number) == ("NEW", "HOSP", "Roe^Johanna")
    assert await hospital.study(uid) == ("NEW", "", "Roe^Johanna")
    update, merge = await changes(hospital)
    with pytest.raises(ChangeStays, match="first"):
        await hospital.undoes(merge)
    await hospital.undoes(update)
    await hospital.undoes(merge)
    assert await hospital.entry(number) == ("OLD", "HOSP", "Doe^Jane")
    assert await hospital.study(uid) == ("OLD", "", "Doe^Jane")


async def test_merges_in_a_row_lead_to_the_last_patient_and_are_taken_back_one_by_one(hospital) -> None:
    number, uid = await hospital.order("A"), await hospital.image("A")
    for former, stays in (("A", "B"), ("B", "C")):
        await hospital.hears(f"PID|||{stays}^^^HOSP||Of^{stays}", f"MRG|{former}^^^HOSP", event="ADT^A40")
    late_order, late = await hospital.order("A"), await hospital.image("A")
    await hospital.works()
    assert {await hospital.entry(one) for one in (number, late_order)} == {("C", "HOSP", "Of^C")}
    assert {await hospital.study(one) for one in (uid, late)} == {("C", "", "Of^C")}
    second, first = await changes(hospital, "merge")
    await hospital.undoes(second)
    assert {await hospital.entry(one) for one in (number, late_order)} == {("B", "HOSP", "Of^B")}
    assert {await hospital.study(one) for one in (uid, late)} == {("B", "", "Of^B")}
    await hospital.undoes(first)
    assert {await hospital.entry(one) for one in (number, late_order)} == {("A", "HOSP", "Doe^Jane")}
    assert {await hospital.study(one) for one in (uid, late)} == {("A", "", "Doe^Jane")}


async def test_who_is_merged_into_one_that_was_merged_becomes_what_that_one_became(hospital) -> None:
    number, uid = await hospital.order("A"), await hospital.image("A")
    for former, stays in (("B", "C"), ("A", "B")):
        await hospital.hears(f"PID|||{stays}^^^HOSP||Of^{stays}", f"MRG|{former}^^^HOSP", event="ADT^A40")
    await hospital.works()
    assert (await hospital.entry(number), await hospital.study(uid)) == (("C", "HOSP", "Of^C"), ("C", "", "Of^C"))


async def test_what_is_said_of_the_one_that_stays_is_said_of_what_comes_under_a_former_id(hospital) -> None:
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
    for _ in range(2):
        await hospital.hears("PID|||NEW^^^HOSP||Roe^Johanna")
    assert len(await changes(hospital)) == 2
    assert await hospital.entry(await hospital.order("OLD")) == ("NEW", "HOSP", "Roe^Johanna")


async def test_a_change_taken_back_before_its_studies_were_edited_edits_none(hospital) -> None:
    uid = await hospital.image("OLD")
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|OLD^^^HOSP", event="ADT^A40")
    await hospital.undoes((await changes(hospital))[0])
    assert await hospital.study(uid) == ("OLD", "", "Doe^Jane")
    assert await edits(hospital) == 0


async def test_a_merge_back_ends_the_memory_of_the_first(hospital) -> None:
    uid = await hospital.image("A")
    await hospital.hears("PID|||B^^^HOSP||Of^B", "MRG|A^^^HOSP", event="ADT^A40")
    await hospital.hears("PID|||A^^^HOSP||Of^A", "MRG|B^^^HOSP", event="ADT^A40")
    await hospital.works()
    late = [await hospital.image(patient_id) for patient_id in ("A", "B")]
    await hospital.works()
    assert {(await hospital.study(one))[0] for one in (uid, *late)} == {"A"}
    assert (await hospital.entry(await hospital.order("B")))[0] == "A"
    await hospital.undoes((await changes(hospital, "merge"))[0])
    assert {(await hospital.study(one))[0] for one in (uid, late[1])} == {"B"}
    assert (await hospital.entry(await hospital.order("A")))[0] == "B"


async def test_several_patients_of_one_message_are_merged_each_with_theirs(hospital) -> None:
    one, other = await hospital.order("A1"), await hospital.order("B1")
    pairs = ("PID|||A2^^^HOSP||Of^A", "MRG|A1^^^HOSP", "PID|||B2^^^HOSP||Of^B", "MRG|B1^^^HOSP")
    await hospital.hears(*pairs, event="ADT^A40")
    assert await hospital.entry(one) == ("A2", "HOSP", "Of^A")
    assert await hospital.entry(other) == ("B2", "HOSP", "Of^B")


async def test_a_list_of_ids_changes_where_it_differs(hospital) -> None:
    kept, changed = await hospital.order("NHS9", "NHS"), await hospital.order("99")
    await hospital.hears("PID|||100^^^HOSP~NHS9^^^NHS||Doe^Jane", "MRG|99^^^HOSP~NHS9^^^NHS", event="ADT^A47")
    assert (await hospital.entry(changed))[0] == "100"
    assert (await hospital.entry(kept))[0] == "NHS9"


async def test_without_issuer_the_id_decides_unless_two_issuers_are_known_for_it(hospital) -> None:
    alone = await hospital.image("1")
    two = [await hospital.image("2", issuer) for issuer in ("HOSP", "CLINIC", "")]
    for patient_id in ("1", "2"):
        await hospital.hears(f"PID|||{patient_id}^^^HOSP||Roe^Janet", event="ADT^A31")
    await hospital.works()
    assert (await hospital.study(alone))[2] == "Roe^Janet"
    assert [(await hospital.study(uid))[2] for uid in two] == ["Roe^Janet", "Doe^Jane", "Doe^Jane"]


async def test_a_visit_concerns_what_is_still_to_be_done_and_its_number_changes(hospital) -> None:
    number = await hospital.order("4711", AdmissionID="V1")
    await hospital.hears("PID|||4711^^^HOSP||Doe^Jane", "PV1||I|WARD^201", event="ADT^A12")
    await hospital.hears(
        "PID|||4711^^^HOSP||Doe^Jane", "MRG|4711^^^HOSP||||V1", "PV1||I|||||||||||||||||V2", event="ADT^A50"
    )
    [renumbered, visit] = await changes(hospital)
    assert visit.entries[str(number)]["after"]["00380300"]["Value"] == ["WARD 201"]
    assert renumbered.entries[str(number)]["after"]["00380010"]["Value"] == ["V2"]


async def test_an_account_moves_to_another_patient_with_its_entries_and_studies(hospital) -> None:
    mine, others = await hospital.order("A", AdmissionID="ACC1"), await hospital.order("A", AdmissionID="ACC2")
    uid, other = await hospital.image("A", AdmissionID="ACC1"), await hospital.image("A", AdmissionID="ACC2")
    pid = "PID|||B^^^HOSP||Of^B|||||||||||||ACC1"
    await hospital.hears(pid, "MRG|A^^^HOSP||ACC1", event="ADT^A44")
    await hospital.works()
    assert [(await hospital.entry(number))[0] for number in (mine, others)] == ["B", "A"]
    assert [(await hospital.study(one))[0] for one in (uid, other)] == ["B", "A"]
    await hospital.undoes((await changes(hospital, "move"))[0])
    assert (await hospital.entry(mine))[0] == (await hospital.study(uid))[0] == "A"


REFUSED = (
    ("ADT^A40", ("PID|||A^^^HOSP",), FieldMissing, "MRG^1^1"),
    ("ADT^A40", ("PID|||A^^^HOSP", "MRG|"), FieldMissing, "MRG^1^1"),
    ("ADT^A40", ("PID|||A^^^HOSP", "MRG|A^^^HOSP"), ValueInvalid, "MRG^1^1"),
    ("ADT^A50", ("PID|||A^^^HOSP", "MRG|A^^^HOSP"), FieldMissing, "MRG^1^5"),
    ("ADT^A08", ("PID|||",), FieldMissing, "PID^1^3"),
    ("ADT^A08", (), FieldMissing, "PID"),
    ("ADT^A29", ("PID|||A^^^HOSP",), EventUnsupported, "MSH^1^9^1^2"),
)


async def test_what_cannot_be_done_is_refused_with_its_place_and_links_are_kept(hospital) -> None:
    for event, segments, refusal, location in REFUSED:
        with pytest.raises(refusal) as refused:
            await hospital.hears(*segments, event=event)
        assert refused.value.location == location
    assert "Kept" in (await hospital.hears("PID|||A^^^HOSP", "PID|||B^^^HOSP", event="ADT^A24")).sentence


async def test_an_edit_that_cannot_be_made_fails_its_message_without_saying_the_value(hospital, monkeypatch) -> None:
    async def refuse(*_, **__):
        raise EditInvalid("PatientBirthDate: '19709999' is not a date")

    monkeypatch.setattr("charrua_hl7.patients.on_studies.edit_patient", refuse)
    await hospital.image("4711")
    heard = await hospital.hears("PID|||4711^^^HOSP||Roe^Jane", event="ADT^A31")
    await hospital.works()
    [change] = await changes(hospital)
    async with hospital.app.db.reading() as connection:
        [kept] = await connection.execute(select(message).where(message.c.id == heard.id))
    assert (change.state, kept.state) == ("failed", "failed")
    assert "PatientBirthDate" in kept.sentence
    assert "9999" not in kept.sentence
    assert (await hospital.app.jobs.counts())["hl7.correct_studies", "dead"] == 1
