"""What is known of what was performed, against what has arrived."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import func, select, update

from charrua_core.dicom import Acceptor, Dispatcher, Limits
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import a_study
from charrua_core.testing.performed import Performer, a_discontinuation, a_scheduled_step, a_series, a_step, an_end
from charrua_core.types import SYSTEM, Identity, Peer, RowFilter
from charrua_hl7.performed import in_progress, performed_of, performed_of_entry
from charrua_hl7.performed.known import SILENT_AFTER, unscheduled
from charrua_hl7.performed.upkeep import complete_forgotten, remove_old_steps
from charrua_hl7.tables import performed


def who_sees(**admitted: str) -> Identity:
    """Somebody who sees this part of the archive."""
    filters = (RowFilter({keyword: (value,) for keyword, value in admitted.items()}),)
    return Identity("ana", "user", permissions=frozenset({"query"}), row_filters=filters)


async def stored(served: Any, *objects: Any) -> None:
    """Have the archive receive objects."""
    services = served.app.hooks.gather("dimse_services", app=served.app)
    acceptor = Acceptor(Limits(), Dispatcher(services))
    await acceptor.start("127.0.0.1", 0)
    await Modality(Peer("CHARRUA", "127.0.0.1", acceptor.port)).give(*objects)
    await acceptor.stop(grace_s=0.5)


async def test_images_that_are_named_are_counted_against_those_that_are_here(served: Any, ct: Performer) -> None:
    images = a_study(images=3)
    study, series = images[0].StudyInstanceUID, images[0].SeriesInstanceUID
    entry = await served.order(study)
    _, uid = await ct.create(a_step(study))
    await ct.set(uid, an_end(a_series(series, [one.SOPInstanceUID for one in images]), a_series()))
    await stored(served, images[:2])
    [step] = await performed_of(served.app, SYSTEM, study)
    first = step["series"][0]
    assert (first["series_uid"], first["named"], first["received"]) == (series, 3, 2)
    assert {name: step[name] for name in ("status", "silent", "station", "begun", "named", "received", "entries")} == {
        "status": "COMPLETED",
        "silent": False,
        "station": "CT1",
        "begun": "20261126083000",
        "named": 3,
        "received": 2,
        "entries": [entry.id],
    }
    assert await performed_of_entry(served.app, SYSTEM, entry.id) == [step]


async def test_a_step_is_found_by_its_series_where_it_names_another_study(served: Any, ct: Performer) -> None:
    images = a_study()
    _, uid = await ct.create(a_step())
    await ct.set(uid, an_end(a_series(images[0].SeriesInstanceUID, [images[0].SOPInstanceUID])))
    await stored(served, images)
    [step] = await performed_of(served.app, SYSTEM, images[0].StudyInstanceUID)
    assert (step["sop_instance_uid"], step["named"], step["received"]) == (uid, 1, 1)


async def test_row_filters_let_see_the_steps_that_pass_them(served: Any, ct: Performer) -> None:
    await ct.create(a_step(study := generate_uid()))
    for admitted, seen in (
        ({"Modality": "CT"}, 1),
        ({"Modality": "MR"}, 0),
        ({"PatientID": "47*"}, 1),
        ({"AccessionNumber": "A1"}, 1),
        ({"ReferringPhysicianName": "House*"}, 0),  # what it does not state is not proven
    ):
        assert len(await performed_of(served.app, who_sees(**admitted), study)) == seen, admitted


async def test_steps_without_an_entry_are_told(served: Any, ct: Performer) -> None:
    await served.order(study := generate_uid())
    await ct.create(a_step(study))
    _, alone = await ct.create(a_step(scheduled=[a_scheduled_step(generate_uid(), AccessionNumber="")]))
    assert [one["sop_instance_uid"] for one in await unscheduled(served.app, SYSTEM)] == [alone]
    assert await unscheduled(served.app, who_sees(Modality="MR")) == []


async def test_a_step_that_was_discontinued_tells_why(served: Any, ct: Performer) -> None:
    _, uid = await ct.create(a_step(study := generate_uid()))
    await ct.set(uid, a_discontinuation())
    [step] = await performed_of(served.app, SYSTEM, study)
    assert (step["status"], step["reason"]) == ("DISCONTINUED", "Doctor canceled procedure")


async def aged(served: Any, uid: str, by: timedelta) -> None:
    """Let time pass over a step."""
    async with served.app.db.transaction() as tx:
        statement = update(performed).where(performed.c.sop_instance_uid == uid)
        await tx.execute(statement.values(changed_at=func.now() - by))


async def test_a_step_of_which_nothing_is_heard_for_a_day_is_silent(served: Any, ct: Performer) -> None:
    entry = await served.order(study := generate_uid())
    _, uid = await ct.create(a_step(study))
    await aged(served, uid, SILENT_AFTER)
    [step] = await performed_of(served.app, SYSTEM, study)
    assert (step["status"], step["silent"]) == ("IN PROGRESS", True)
    async with served.app.db.transaction() as tx:
        assert await in_progress(tx, [entry.id]) == set()


async def test_an_entry_does_not_wait_for_a_modality_that_has_forgotten_its_step(served: Any, ct: Performer) -> None:
    images = a_study()
    here, away = (
        await served.order(images[0].StudyInstanceUID),
        await served.order(generate_uid(), AccessionNumber="A2"),
    )
    steps = [
        a_step(images[0].StudyInstanceUID),
        a_step(scheduled=[a_scheduled_step(away.order_key, AccessionNumber="A2")]),
    ]
    uids = [(await ct.create(step))[1] for step in steps]
    await stored(served, images)
    assert await complete_forgotten(served.app) == 0
    for uid in uids:
        await aged(served, uid, SILENT_AFTER)
    assert await complete_forgotten(served.app) == 1
    assert [await served.status(one) for one in (here, away)] == ["COMPLETED", "STARTED"]
    assert await ct.set(uids[0], an_end()) == 0x0000  # it remembers
    assert (await served.entry(here)).status == "COMPLETED"


@pytest.mark.parametrize("retention", ["0", "30d"])
async def test_old_steps_are_removed_unless_an_entry_keeps_them(serve: Any, retention: str) -> None:
    served = await serve({"mpps_retention": retention})
    ct = Performer(served.peer)
    await served.order(study := generate_uid())
    unscheduled = [a_step(scheduled=[a_scheduled_step(generate_uid(), AccessionNumber="")]) for _ in range(2)]
    old, young, kept = [(await ct.create(step))[1] for step in (*unscheduled, a_step(study))]
    for uid, days in ((old, 31), (young, 29), (kept, 31)):
        await aged(served, uid, timedelta(days=days))
    assert await remove_old_steps(served.app) == (1 if retention == "30d" else 0)
    async with served.app.db.reading() as connection:
        left = set((await connection.scalars(select(performed.c.sop_instance_uid))).all())
    assert left == ({young, kept} if retention == "30d" else {old, young, kept})
