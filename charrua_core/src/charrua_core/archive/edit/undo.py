"""Taking an edit back, and what was done to a study: every edit has its inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import record as edit_record
from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit.effective import in_force
from charrua_core.archive.edit.make import invalid_unless, make
from charrua_core.archive.edit.moves import is_move, lock_about
from charrua_core.archive.edit.record import Record
from charrua_core.errors import EditInvalid
from charrua_core.types import Identity, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

_FINAL = frozenset({"undo", "purge", "keep"})


async def undo(app: App, identity: Identity, edit_id: str, *, reason: str = "", origin: Origin | None = None) -> Record:
    """Take an edit back; gives the record of that.

    Raises EditInvalid when there is no such edit, when it was undone before, when a later edit in force changed the same
    attribute or moved the same series (undo that one first), and when the files of a deletion are gone.
    """

    async def plan(tx: AsyncConnection) -> Record:
        undone = await _undoable(tx, edit_id)
        await lock_about(tx, undone.study_uids)
        await edit_targets.require_seen(tx, identity, undone)
        targets = {"study_uids": undone.study_uids, "edit": undone.id}
        if "sop_instance_uid" in undone.targets:
            targets["sop_instance_uid"] = undone.targets["sop_instance_uid"]
        return Record.new("undo", identity.name, targets, before=undone.after, after=undone.before, reason=reason)

    permission = "delete" if await _is_deletion(app, edit_id) else "edit"
    return await make(app, identity, permission, origin, plan)


async def history(app: App, identity: Identity, study_uid: str) -> list[Record]:
    """What was done to a study, oldest first, undone edits among it; not what was done out of the sight of who asks.

    Raises StudyNotFound where nothing is known of the study.
    """
    async with app.db.reading() as connection:
        await edit_targets.require_known(connection, identity, study_uid)
        records = await edit_record.touching(connection, [study_uid])
        return [record for record in records if await edit_targets.sees(connection, identity, record)]


async def _is_deletion(app: App, edit_id: str) -> bool:
    async with app.db.reading() as connection:
        record = await edit_record.find(connection, edit_id)
    return record is not None and record.kind == "delete"


async def _undoable(tx: AsyncConnection, edit_id: str) -> Record:
    record = await edit_record.find(tx, edit_id)
    if record is None or record.kind in _FINAL:
        raise EditInvalid("there is no edit of this number that could be undone")
    invalid_unless(record.undone_by is None, "this edit was undone before")
    for later in await in_force(tx, record.study_uids):
        if later.kind == "purge" and later.targets["edit"] == record.id:
            raise EditInvalid("the files are removed: this deletion cannot be undone any more")
        if later.made_at > record.made_at and _same_matter(record, later):
            raise EditInvalid(f"edit {later.id} was made over it later: undo that one first")
    return record


def _same_matter(record: Record, later: Record) -> bool:
    """Whether two edits change the same attribute of the same thing, or move the same series."""
    if is_move(record):
        return is_move(later) and bool(_things(record) & _things(later))
    attributes = record.after.get("attributes", {}).keys() & later.after.get("attributes", {}).keys()
    return bool(attributes) and bool(_things(record) & _things(later))


def _things(record: Record) -> set[tuple[str, ...]]:
    """What an edit is about: series, single objects, or whole studies."""
    if record.targets.get("series"):
        return {tuple(key) for key in record.targets["series"]}
    if record.arrivals:
        return {(arrival,) for arrival in record.arrivals}
    return {(uid,) for uid in record.study_uids}
