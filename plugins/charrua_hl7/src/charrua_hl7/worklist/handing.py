"""A study that is assigned to one entry, and had come for another: that one is still to be performed.

It happens where the wrong entry was chosen at the modality. The other entry is scheduled again, and gets a Study Instance UID
of its own, so that what is made for it does not join the study that is somebody else's now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import generate_uid
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import STUDY_INSTANCE_UID
from charrua_hl7.worklist import standing, trail
from charrua_hl7.worklist.arrivals import ARRIVED
from charrua_hl7.worklist.changing import begin_anew, rewrite
from charrua_hl7.worklist.entries import OPEN, Entry, Status, locked, set_status
from charrua_hl7.worklist.standing import Standing
from charrua_hl7.worklist.trail import By

if TYPE_CHECKING:
    from charrua_core.app import App


async def hand_over(app: App, tx: AsyncConnection, by: By, study_uid: str, to: int) -> None:
    """Take a study from the entries that it had come for, other than the one that it is assigned to."""
    for one in await standing.of_study(tx, study_uid):
        if one.entry_id != to and one.found_by != "assigned" and one.state in standing.ITS_OWN:
            await _release(app, tx, by, one)


async def _release(app: App, tx: AsyncConnection, by: By, one: Standing) -> None:
    await standing.settle(tx, one.entry_id, one.study_uid, "handed over")
    await standing.arrived(tx, one.entry_id, "")
    [found] = await locked(tx, [one.entry_id])
    if one.found_by == "uid":
        found = await _with_uid(tx, found, str(generate_uid(prefix=None)))
    if found.status is Status.COMPLETED and found.reason == ARRIVED:
        status = Status(one.former_status) if one.former_status in OPEN else Status.SCHEDULED
        await set_status(app, tx, [found.id], status, "", of={Status.COMPLETED})
        await begin_anew(tx, found.id, app.jobs.clock.now())
    await trail.record(tx, by, "U", found, handed_over=one.study_uid)


async def give_back(app: App, tx: AsyncConnection, by: By, study_uid: str) -> None:
    """Give a study that is no longer assigned back to the entries that it had come for, unless they have another by now."""
    for one in await standing.of_study(tx, study_uid):
        [found] = await locked(tx, [one.entry_id])
        if one.state == "handed over" and not found.arrived_study_uid:
            await _take_again(app, tx, by, one, found)


async def _take_again(app: App, tx: AsyncConnection, by: By, one: Standing, found: Entry) -> None:
    await standing.settle(tx, found.id, one.study_uid, "corrected" if one.edits else "left")
    await standing.arrived(tx, found.id, one.study_uid)
    if one.found_by == "uid":
        found = await _with_uid(tx, found, one.study_uid)
    await set_status(app, tx, [found.id], Status.COMPLETED, ARRIVED)
    await trail.record(tx, by, "U", found, given_back=one.study_uid)


async def _with_uid(tx: AsyncConnection, found: Entry, uid: str) -> Entry:
    return await rewrite(tx, found, found.attributes | {STUDY_INSTANCE_UID: {"vr": "UI", "Value": [uid]}})
