"""Entries of the worklist as rows."""

from __future__ import annotations

from charrua_core.archive.index.levels import tag_of
from charrua_hl7.worklist.entries import STEP, Status, put, set_status


def an_entry(**step):
    item = {
        tag_of("Modality"): {"vr": "CS", "Value": ["CT"]},
        tag_of("ScheduledProcedureStepID"): {"vr": "SH", "Value": ["S1"]},
    }
    return {tag_of("PatientID"): {"vr": "LO", "Value": ["4711"]}, STEP: {"vr": "SQ", "Value": [item | step]}}


async def test_the_same_step_of_an_order_is_written_once(open_archive) -> None:
    app = await open_archive()
    async with app.db.transaction() as tx:
        first = await put(app, tx, an_entry(), order_key="A", source="hl7")
        second = await put(app, tx, an_entry(), order_key="A", source="hl7")
    assert (first.id, first.version, second.version) == (second.id, 1, 2)


async def test_what_is_over_does_not_begin_again(open_archive) -> None:
    app = await open_archive()
    async with app.db.transaction() as tx:
        one = await put(app, tx, an_entry(), order_key="A", source="hl7")
        [done] = await set_status(app, tx, [one.id], Status.COMPLETED, "its study has arrived")
        assert await set_status(app, tx, [one.id], Status.STARTED, "") == []
    assert done.step[tag_of("ScheduledProcedureStepStatus")]["Value"] == ["COMPLETED"]
