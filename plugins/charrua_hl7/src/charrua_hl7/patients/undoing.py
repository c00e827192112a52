"""What a message changed of a patient, taken back: entries, studies, and the memory of a merge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.accounts import Accounts
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.errors import CharruaError, EditInvalid, NotPermitted
from charrua_core.types import SYSTEM, Identity, Origin, StudyEdited
from charrua_hl7.patients import on_entries, rows
from charrua_hl7.patients.rows import Change
from charrua_hl7.tables import entry_study, patient_change
from charrua_hl7.worklist import standing
from charrua_hl7.worklist.correcting import enqueue as enqueue_correction

if TYPE_CHECKING:
    from charrua_core.app import App

UNDO = "hl7.undo_edits"
"""The job that takes edits back where the process ended before it had done so."""


class Correction(NamedTuple):
    """An edit that gave a study the identity of its order."""

    edit: str
    entry: int
    study: str


class ChangeNotFound(CharruaError):
    """There is no such change of a patient."""

    http_status = 404


class ChangeStays(CharruaError):
    """The change cannot be taken back."""

    http_status = 409


async def undo_change(app: App, identity: Identity, number: int, origin: Origin) -> Change:
    """Take a change back: entries that say otherwise by now stay, and a merge is forgotten.

    Raises NotPermitted; ChangeNotFound, also for who sees a part of the archive; ChangeStays where it was taken back before,
    or something was made over it later that has to be taken back first.
    """
    if not identity.may("edit"):
        raise NotPermitted("no permission to edit")
    async with app.db.reading() as connection:
        change = await rows.get(connection, number)
    if change is None or identity.row_filters:
        raise ChangeNotFound
    left = await _in_force(app, change.edits)
    if change.undone_at and not left:
        raise ChangeStays("it was taken back before")
    over = await corrections_since(app, change)
    besides = {one.edit for one in over}
    for edit_id in [*besides, *left]:
        if hindrance := await edit_undo.hindrance(app, identity, edit_id, besides):
            raise ChangeStays(f"an edit of its studies cannot be undone: {hindrance}")
    work = {"change": number, "by": identity.name, "over": [(one.edit, one.entry, one.study) for one in over]}
    if not change.undone_at:
        change = await _forget(app, work, over, origin)
    await undo_edits(app, work, identity=identity, origin=origin)
    return change


async def _forget(app: App, work: dict[str, Any], over: Sequence[Correction], origin: Origin) -> Change:
    """Bring entries back and forget a merge; what becomes of the studies is a job's matter from then on."""
    async with app.db.transaction() as tx:
        change = await rows.get(tx, work["change"], lock=True)
        if change is None or change.undone_at:
            raise ChangeStays("it was taken back before")
        if (later := await rows.later_on(tx, change)) is not None:
            raise ChangeStays(f"change {later} was made over it later: take that one back first")
        await _take_back(tx, change, work["by"], origin)
        for one in over:  # without its edit, which would otherwise be a person's decision against it
            await standing.settle(tx, one.entry, one.study, "waiting", [])
        await app.jobs.enqueue(UNDO, work, tx=tx)
        undone = await rows.get(tx, change.id)
    return undone or change


async def _take_back(tx: AsyncConnection, change: Change, by: str, origin: Origin) -> None:
    back = await on_entries.take_back(tx, change.entries)
    state = "done" if change.state == "waiting" else change.state
    await rows.amend(tx, change.id, undone_at=datetime.now(UTC), undone_by=by, state=state)
    ended = update(patient_change).where(patient_change.c.ended_by == change.id)
    await tx.execute(ended.values(ended_by=None))
    await audit.record(tx, audit.Event.PATIENT_RECORD, "U", by, origin, change=change.id, entries=back, undone=True)


async def undo_edits(
    app: App, payload: dict[str, Any], *, identity: Identity | None = None, origin: Origin | None = None
) -> None:
    """Take back what a change has made of studies, the last edit first; those that are taken back already stay so."""
    async with app.db.reading() as connection:
        change = await rows.get(connection, payload["change"])
    if change is None:
        return
    who = identity or await _named(app.accounts, payload["by"])
    over = [Correction(*one) for one in payload["over"]]
    for edit_id in await _in_force(app, [*(one.edit for one in over), *change.edits[::-1]]):
        try:
            await edit_undo.undo(
                app, who, edit_id, reason=f"patient change {change.id}", origin=origin or Origin("hl7", user=who.name)
            )
        except EditInvalid:
            if await _in_force(app, [edit_id]):
                raise
    async with app.db.transaction() as tx:
        for one in over:
            await enqueue_correction(app, tx, one.entry, one.study)


async def corrections_since(app: App, change: Change) -> list[Correction]:
    """Give what studies were given of the entries that a change has moved, since then: they say the patient that is undone.

    What a person has assigned is not among it.
    """
    columns = (entry_study.c.entry_id, entry_study.c.study_uid, entry_study.c.edits)
    ids = [int(number) for number in change.entries]
    of_entries = (
        entry_study.c.entry_id.in_(ids),
        entry_study.c.state == "corrected",
        entry_study.c.found_by != "assigned",
    )
    async with app.db.reading() as connection:
        found = (await connection.execute(select(*columns).where(*of_entries))).all()
    since = []
    for row in found:
        for edit_id in row.edits:
            record = await edit_undo.seen(app, SYSTEM, edit_id)
            if record is not None and record.undone_by is None and record.made_at > change.at:
                since.append((record.made_at, Correction(edit_id, row.entry_id, row.study_uid)))
    return [one for _, one in sorted(since, reverse=True)]


async def _named(accounts: Accounts, name: str) -> Identity:
    """Give who took the change back, or the archive in their name where the account is gone."""
    return await accounts.identity(name) or Identity(name, "system", permissions=SYSTEM.permissions)


async def _in_force(app: App, edits: Sequence[str]) -> list[str]:
    """Give those edits that were not undone."""
    found = [(edit_id, await edit_undo.seen(app, SYSTEM, edit_id)) for edit_id in edits]
    return [edit_id for edit_id, record in found if record is not None and record.undone_by is None]


async def study_edited(app: App, edited: StudyEdited) -> None:
    """Let the entries follow where the edits of a change were undone one by one, in the studies' own history."""
    if not edited.undoes:
        return
    async with app.db.reading() as connection:
        change = await rows.of_edit(connection, edited.undoes)
    if change is None or await _in_force(app, change.edits):
        return
    async with app.db.transaction() as tx:
        locked = await rows.get(tx, change.id, lock=True)
        if locked is not None and locked.undone_at is None:
            record = await edit_undo.seen(app, SYSTEM, edited.edit)
            by = record.made_by if record else SYSTEM.name
            await _take_back(tx, locked, by, Origin("job", user=by))
