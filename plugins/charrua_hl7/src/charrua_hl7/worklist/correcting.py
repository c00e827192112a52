"""A study that came for an entry is given the order's identity, by one edit that can be undone and is never made again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit.make import make
from charrua_core.archive.edit.record import Overlay, Record, RecordKind
from charrua_core.errors import StudyNotFound
from charrua_core.jobs import JobType
from charrua_core.types import SYSTEM, DicomJson, Level, Origin
from charrua_hl7.tables import entry, entry_study
from charrua_hl7.worklist import standing
from charrua_hl7.worklist.entries import of_row
from charrua_hl7.worklist.identity import differences

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "hl7.correct"
_ORIGIN = Origin("job")
_REASON = "the order's identity (worklist entry"


class _NothingToDo(Exception):
    """The study says what the order says, or what was to be done is done."""


def correction_job(app: App) -> JobType:
    """Give the kind of jobs."""
    return JobType(KIND, partial(_correct, app), lane_concurrency=2)


async def enqueue(app: App, tx: AsyncConnection, number: int, study_uid: str) -> None:
    """Have a study corrected, with the transaction that says that it came."""
    payload = {"entry": number, "study": study_uid}
    await app.jobs.enqueue(KIND, payload, dedup_key=f"{number} {study_uid}", tx=tx)


async def _correct(app: App, payload: dict[str, Any]) -> None:
    number, uid = int(payload["entry"]), str(payload["study"])

    async def plan(tx: AsyncConnection) -> Record:
        return await _plan(tx, number, uid)

    async def then(tx: AsyncConnection, record: Record) -> None:
        await standing.settle(tx, number, uid, "corrected", [record.id])

    try:
        await make(app, SYSTEM, "edit", _ORIGIN, plan, then)
    except _NothingToDo:
        async with app.db.transaction() as tx:
            if await _waits(tx, number, uid):
                await standing.settle(tx, number, uid, "alike")
    except StudyNotFound:
        async with app.db.transaction() as tx:
            await standing.settle(tx, number, uid, "left")


async def _plan(tx: AsyncConnection, number: int, uid: str) -> Record:
    if not await _waits(tx, number, uid):
        raise _NothingToDo
    row = (await tx.execute(select(entry).where(entry.c.id == number))).one()
    [study] = await edit_targets.whole_studies(tx, SYSTEM, uid)
    over = differences(of_row(row).attributes, study["attributes"])
    if not over:
        raise _NothingToDo
    return record_of("edit", SYSTEM.name, uid, over, study["attributes"], reason_of(number))


async def _waits(tx: AsyncConnection, number: int, uid: str) -> bool:
    """Whether the study is still to be corrected; its row is locked."""
    of_it = (entry_study.c.entry_id == number, entry_study.c.study_uid == uid)
    return await tx.scalar(select(entry_study.c.state).where(*of_it).with_for_update()) == "waiting"


def record_of(kind: RecordKind, by: str, uid: str, over: Overlay, now: DicomJson, reason: str) -> Record:
    """Give the record of attributes that are laid over a whole study."""
    before = {tag: now.get(tag) for tag in over if tag in now or over[tag] is not None}
    targets = {"level": str(Level.STUDY), "study_uids": [uid]}
    return Record.new(kind, by, targets, before={"attributes": before}, after={"attributes": over}, reason=reason)


def reason_of(number: int) -> str:
    """Say why an edit was made, for the study's history."""
    return f"{_REASON} {number})"


def is_ours(reason: str) -> bool:
    """Whether an edit with this reason was made for an entry."""
    return reason.startswith(_REASON)
