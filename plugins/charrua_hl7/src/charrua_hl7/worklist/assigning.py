"""Assigning a received study, or series of one, to an entry: the order's identity is given to it, and the entry is COMPLETED.

Both are undone together: by `unassign`, and the entry follows where its edit is undone in the study's history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import edit, make, undo
from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit.record import Overlay, Record
from charrua_core.archive.edit.series import split
from charrua_core.archive.index.levels import STUDY_INSTANCE_UID, text_of
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.errors import EditInvalid, StudyNotFound
from charrua_core.types import DicomJson, Identity, Level, StudyEdited
from charrua_core.web import HttpError
from charrua_hl7.worklist import standing, trail
from charrua_hl7.worklist.changing import begin_anew
from charrua_hl7.worklist.correcting import reason_of, record_of
from charrua_hl7.worklist.entries import OPEN, Entry, Status, locked, set_status, value
from charrua_hl7.worklist.handing import give_back, hand_over
from charrua_hl7.worklist.identity import assigned, of_new_study, patient_of
from charrua_hl7.worklist.seeing import seen
from charrua_hl7.worklist.standing import Standing
from charrua_hl7.worklist.trail import By

if TYPE_CHECKING:
    from charrua_core.app import App

ASSIGNED = "a study was assigned to it"
_STUDY_UID = STUDY_INSTANCE_UID


async def study_seen(app: App, identity: Identity, uid: str) -> DicomJson:
    """Give what a study says, as who asks sees it. Raises StudyNotFound."""
    query = Query(Level.STUDY, keys={_STUDY_UID: OneOf("UI", (uid,))}, limit=1)
    async for found in search(app, query, identity):
        return found.attributes
    raise StudyNotFound


async def changes(app: App, by: By, number: int, uid: str) -> tuple[Entry, DicomJson, Overlay]:
    """Give the entry, what a study says now, and what it would say of these once it is assigned to the entry."""
    async with app.db.reading() as connection:
        found = await seen(connection, by.identity, number)
    study = await study_seen(app, by.identity, uid)
    _, over = assigned(found.attributes, study)
    return found, study, {tag: one for tag, one in over.items() if text_of(one) != text_of(study.get(tag))}


async def assign(app: App, by: By, number: int, uid: str, series: Sequence[str]) -> tuple[Entry, list[str], str]:
    """Assign a study, or these series of it, to an entry; give the entry, the edits, and the UID where the images are then.

    Raises EntryNotFound, StudyNotFound, NotPermitted, EditInvalid, HttpError 409 where the entry has that study.
    """
    async with app.db.reading() as connection:
        found = await seen(connection, by.identity, number)
        known = await standing.of_entry(connection, number)
    if any(one.study_uid == uid and one.found_by == "assigned" and one.state != "undone" for one in known):
        raise HttpError(409, "study: it is assigned to this entry already")
    _require_patient(found)
    made = await (_series(app, by, found, uid, series) if series else _study(app, by, found, uid))
    target = str(made[0].after.get("study_uid", uid)) if series else uid
    try:
        completed = await _complete(app, by, found, target, [one.id for one in made], whole=not series)
    except BaseException:
        await _take_back(app, by, [one.id for one in made])
        raise
    return completed, [one.id for one in made], target


def _require_patient(found: Entry) -> None:
    if not patient_of(found.attributes).patient_id:
        raise EditInvalid("the entry names no patient ID, by which a study is somebody's")


async def _study(app: App, by: By, found: Entry, uid: str) -> list[Record]:
    """Give a whole study the order's identity, by one edit; by none where it has it already."""

    async def plan(tx: AsyncConnection) -> Record:
        [study] = await edit_targets.whole_studies(tx, by.identity, uid)
        is_others, over = assigned(found.attributes, study["attributes"])
        if not over:
            raise _Alike
        kind: Any = "assign_study" if is_others else "edit"
        return record_of(kind, by.identity.name, uid, over, study["attributes"], reason_of(found.id))

    try:
        return [await make.make(app, by.identity, "edit", by.origin, plan)]
    except _Alike:
        return []


class _Alike(Exception):
    """The study says what the order says."""


async def _series(app: App, by: By, found: Entry, uid: str, series: Sequence[str]) -> list[Record]:
    """Move series to the study of the entry's UID, which is made where there is none."""
    target = value(found.attributes, _STUDY_UID)
    if target == uid:
        raise HttpError(409, "series: they are in the entry's study already; assign the whole study")
    told: dict[str, Any] = {"reason": reason_of(found.id), "origin": by.origin}
    try:
        await study_seen(app, by.identity, target)
        record = await edit.assign_series(app, by.identity, series, target, study_uid=uid, **told)
    except StudyNotFound:
        over, patient = of_new_study(found.attributes), patient_of(found.attributes)
        # Who does not see all of the archive cannot know whether a UID is free: their new study has one of its own.
        told["new_study_uid"] = "" if by.identity.row_filters else target
        record = await split(app, by.identity, uid, series, patient=patient, attributes=over or None, **told)
    return [record]


async def _complete(app: App, by: By, found: Entry, uid: str, edits: list[str], *, whole: bool) -> Entry:
    async with app.db.transaction() as tx:
        one = await seen(tx, by.identity, found.id, locked=True)
        await standing.note(tx, one, uid, "assigned", "corrected" if edits else "alike", by.identity.name, edits)
        await standing.arrived(tx, one.id, uid)
        if whole:
            await hand_over(app, tx, by, uid, one.id)
        await set_status(app, tx, [one.id], Status.COMPLETED, ASSIGNED, of=frozenset(Status))
        completed = await seen(tx, by.identity, found.id)
        await trail.record(tx, by, "U", completed, assigned=uid, edits=edits)
    return completed


async def unassign(app: App, by: By, number: int) -> Entry:
    """Take the last assignment to an entry back, with its edits. HttpError 409 where there is none."""
    async with app.db.reading() as connection:
        await seen(connection, by.identity, number)
        last = next(filter(_in_force, await standing.of_entry(connection, number)), None)
    if last is None:
        raise HttpError(409, "no study is assigned to this entry by hand")
    await _take_back(app, by, last.edits)
    await restore(app, by, last)
    async with app.db.reading() as connection:
        return await seen(connection, by.identity, number)


def _in_force(one: Standing) -> bool:
    return one.found_by == "assigned" and one.state != "undone"


async def _take_back(app: App, by: By, edits: Sequence[str]) -> None:
    """Undo edits, the last one first; what somebody has undone before stays undone."""
    for number in reversed(edits):
        record = await undo.seen(app, by.identity, number)
        if record is None or record.undone_by is None:
            await undo.undo(app, by.identity, number, origin=by.origin)


async def restore(app: App, by: By, last: Standing) -> None:
    """Bring an entry back to what it was before a study was assigned to it; nothing where that was done."""
    async with app.db.transaction() as tx:
        [now] = await locked(tx, [last.entry_id])
        await standing.settle(tx, now.id, last.study_uid, "undone")
        others = [one.study_uid for one in await standing.of_entry(tx, now.id) if one.state in standing.ITS_OWN]
        await standing.arrived(tx, now.id, others[0] if others else "")
        if not others and now.status is Status.COMPLETED and now.reason == ASSIGNED:
            status = Status(last.former_status)
            [now] = await set_status(app, tx, [now.id], status, last.former_reason, of=frozenset(Status))
            if status in OPEN:
                await begin_anew(tx, now.id, app.jobs.clock.now())
        await give_back(app, tx, by, last.study_uid)
        await trail.record(tx, by, "U", now, unassigned=last.study_uid)


async def study_edited(app: App, edited: StudyEdited) -> None:
    """Let an entry follow where the edit that gave a study its identity is undone in the study's own history."""
    if not edited.undoes:
        return
    async with app.db.reading() as connection:
        found = await standing.of_edit(connection, [edited.undoes], edited.study_uids)
    for one in found:
        if one.state != "undone":
            await _follow(app, one)


async def _follow(app: App, one: Standing) -> None:
    if one.found_by == "assigned":
        await restore(app, trail.ITSELF, one)
        return
    async with app.db.transaction() as tx:
        await standing.settle(tx, one.entry_id, one.study_uid, "left")


def described(over: Overlay, now: DicomJson) -> list[tuple[str, str, str]]:
    """Give tag, what is said now and what is said then, of each attribute that changes."""
    return [(tag, text_of(now.get(tag)), text_of(element)) for tag, element in over.items()]
