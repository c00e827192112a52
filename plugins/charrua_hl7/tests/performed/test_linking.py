"""Which entries a step performs, and what becomes of them."""

from __future__ import annotations

import asyncio
from typing import Any

from pydicom.uid import generate_uid
from sqlalchemy import select

from charrua_core.jobs import Worker
from charrua_core.testing.performed import (
    Performer,
    a_discontinuation,
    a_scheduled_step,
    a_step,
    an_end,
)
from charrua_core.testing.waiting import until
from charrua_hl7.performed import in_progress, link_entries, linking, performed_jobs
from charrua_hl7.performed.model import State
from charrua_hl7.performed.verdict import Step, verdict
from charrua_hl7.tables import performed, performed_entry
from charrua_hl7.worklist.entries import Status, locked, set_status

GOING, DONE, BROKEN_OFF = (Step(one) for one in State)
BY_MISTAKE = Step(State.DISCONTINUED, by_mistake=True)

VERDICTS = [
    ([], None),
    ([GOING], "STARTED"),
    ([DONE], "COMPLETED"),
    ([BROKEN_OFF], "DISCONTINUED"),
    ([DONE, GOING], "STARTED"),
    ([BROKEN_OFF, GOING], "STARTED"),
    ([DONE, BROKEN_OFF], "COMPLETED"),
    ([BY_MISTAKE], "SCHEDULED"),
    ([BY_MISTAKE, GOING], "STARTED"),
    ([BY_MISTAKE, BROKEN_OFF], "DISCONTINUED"),
]


def test_an_entry_has_the_status_of_its_steps() -> None:
    for steps, status in VERDICTS:
        found = verdict(steps)
        assert (found.status if found else None) == status, steps


async def test_an_entry_is_started_and_completed_by_its_step(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    _, uid = await ct.create(a_step(study))
    assert await served.status(entry) == "STARTED"
    await ct.set(uid, an_end())
    assert await served.status(entry) == "COMPLETED"


async def test_a_discontinued_step_says_why(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    _, uid = await ct.create(a_step(study))
    await ct.set(uid, a_discontinuation())
    found = await served.entry(entry)
    assert (found.status, found.reason) == ("DISCONTINUED", "Doctor canceled procedure")


async def test_an_entry_that_was_chosen_by_mistake_is_to_be_performed(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    _, uid = await ct.create(a_step(study))
    await ct.set(uid, a_discontinuation("110514", meaning="Incorrect worklist entry selected"))
    assert await served.status(entry) == "SCHEDULED"


async def test_an_entry_of_several_steps_is_over_with_the_last(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    (_, first), (_, second) = await ct.create(a_step(study)), await ct.create(a_step(study))
    await ct.set(first, an_end())
    assert await served.status(entry) == "STARTED"
    await ct.set(second, a_discontinuation())
    assert await served.status(entry) == "COMPLETED"
    await ct.create(a_step(study))  # the modality goes on
    assert await served.status(entry) == "STARTED"


async def test_a_step_of_several_entries_completes_them_all(served: Any, ct: Performer) -> None:
    studies = [generate_uid(), generate_uid()]
    entries = [await served.order(study, step_id=f"S{at}") for at, study in enumerate(studies)]
    items = [a_scheduled_step(study, ScheduledProcedureStepID=f"S{at}") for at, study in enumerate(studies)]
    _, uid = await ct.create(a_step(scheduled=items))
    await ct.set(uid, an_end())
    assert [await served.status(one) for one in entries] == ["COMPLETED", "COMPLETED"]


async def test_what_was_discontinued_and_is_performed_all_the_same_is_started(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    async with served.app.db.transaction() as tx:
        await set_status(served.app, tx, [entry.id], Status.DISCONTINUED, "its time has passed")
    await ct.create(a_step(study))
    assert await served.status(entry) == "STARTED"


CHOSEN: list[tuple[list[dict[str, Any]], dict[str, Any], list[int], list[str]]] = [
    # Orders, what the item of the step says, which of them it performs, notes
    ([{}], {}, [0], []),
    ([{}], {"ScheduledProcedureStepID": ""}, [0], []),
    ([{}], {"ScheduledProcedureStepID": "S9"}, [], ["step_unclear"]),
    ([{}, {"step_id": "S2"}], {"ScheduledProcedureStepID": "S2"}, [1], []),
    ([{}, {"step_id": "S2"}], {"ScheduledProcedureStepID": ""}, [], ["step_unclear"]),
    ([{}], {"study_uid": "1.2.3"}, [0], []),  # by its accession number
    ([{}], {"study_uid": "1.2.3", "AccessionNumber": "A2"}, [], []),
    ([{"PatientID": "4712"}], {"study_uid": "1.2.3"}, [], ["patient_of_another"]),
    ([{"PatientID": "4712"}], {}, [0], ["patient_differs"]),
    ([{"PatientName": {"Alphabetic": "NUNEZ^JOSE"}}], {}, [0], []),
]


async def test_a_step_performs_the_entries_that_it_names(served: Any, ct: Performer) -> None:
    for number, (orders, said, chosen, notes) in enumerate(CHOSEN):
        study, accession = generate_uid(), f"N{number}"
        entries = [await served.order(study, **{"AccessionNumber": accession, **one}) for one in orders]
        item = a_scheduled_step(**{"study_uid": study, "AccessionNumber": accession, **said})
        _, uid = await ct.create(a_step(scheduled=[item]))
        linked, noted = await of_step(served, uid)
        assert linked == [entries[at].id for at in chosen], (orders, said)
        assert noted == notes, (orders, said)


async def of_step(served: Any, uid: str) -> tuple[list[int], list[str]]:
    """The entries that a step performs, and its notes."""
    async with served.app.db.reading() as connection:
        row = (await connection.execute(select(performed).where(performed.c.sop_instance_uid == uid))).one()
        links = select(performed_entry.c.entry_id).where(performed_entry.c.performed_id == row.id)
        return sorted((await connection.scalars(links)).all()), [one["note"] for one in row.notes]


async def test_studies_that_were_grouped_are_found_by_their_own_uids(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid(), AccessionNumber="A7")
    item = a_scheduled_step(generate_uid())
    item.ReferencedStudySequence = [a_scheduled_step("1.2")]
    item.ReferencedStudySequence[0].ReferencedSOPInstanceUID = study
    await ct.create(a_step(scheduled=[item]))
    assert await served.status(entry) == "STARTED"


async def test_an_order_that_comes_after_its_step_is_linked(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step(study := generate_uid()))
    entry = await served.order(study)
    assert await served.status(entry) == "STARTED"
    await ct.set(uid, an_end())
    assert await served.status(entry) == "COMPLETED"
    again = await served.order(study)  # it is to be done once more
    assert (again.id, await served.status(again)) == (entry.id, "SCHEDULED")


async def test_orders_and_steps_of_the_same_moment_are_linked(served: Any) -> None:
    studies = [generate_uid() for _ in range(8)]
    steps = [Performer(served.peer).create(a_step(study)) for study in studies]
    orders = [served.order(study, AccessionNumber=f"N{at}") for at, study in enumerate(studies)]
    found = await asyncio.gather(*steps, *orders)
    await worked(served)
    assert [await served.status(one) for one in found[len(studies) :]] == ["STARTED"] * len(studies)


async def worked(served: Any) -> None:
    """Do the jobs that are due."""
    worker = asyncio.create_task(Worker(served.app.db, performed_jobs(served.app)).run())

    async def all_done() -> bool:
        return not await served.app.jobs.due()

    await until(all_done)
    worker.cancel()


async def test_an_entry_whose_lock_is_held_is_linked_by_a_job(served: Any, ct: Performer) -> None:
    await ct.create(a_step(study := generate_uid()))
    async with served.app.db.transaction() as holding:
        await linking.lock(holding, [study], [])
        entry = await served.order(study)
        assert await served.status(entry) == "SCHEDULED"
    await worked(served)
    assert await served.status(entry) == "STARTED"


async def test_a_modality_that_performs_an_entry_is_known(served: Any, ct: Performer) -> None:
    entry, other = await served.order(study := generate_uid()), await served.order(generate_uid())
    _, uid = await ct.create(a_step(study))
    async with served.app.db.transaction() as tx:
        assert await in_progress(tx, [entry.id, other.id]) == {entry.id}
    await ct.set(uid, an_end())
    async with served.app.db.transaction() as tx:
        assert await in_progress(tx, [entry.id, other.id]) == set()


async def test_an_entry_is_linked_once(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    _, uid = await ct.create(a_step(study))
    async with served.app.db.transaction() as tx:
        [found] = await locked(tx, [entry.id])
        await link_entries(served.app, tx, [found])
        await link_entries(served.app, tx, [found])
    assert await of_step(served, uid) == ([entry.id], [])
