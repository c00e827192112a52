"""Taking an edit back, and what was done to a study: every edit has its inverse."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import record as edit_record
from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit.effective import in_force
from charrua_core.archive.edit.make import invalid_unless, make
from charrua_core.archive.edit.moves import is_move, lock_about
from charrua_core.archive.edit.record import Record
from charrua_core.archive.edit.status import permission_for_status
from charrua_core.errors import CharruaError, EditInvalid
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
        undone = await _one(tx, edit_id)
        await lock_about(tx, undone.study_uids)
        await edit_targets.require_seen(tx, identity, undone)
        await _require_undoable(tx, undone)
        targets = {"study_uids": undone.study_uids, "edit": undone.id}
        if "sop_instance_uid" in undone.targets:
            targets["sop_instance_uid"] = undone.targets["sop_instance_uid"]
        return Record.new("undo", identity.name, targets, before=undone.after, after=undone.before, reason=reason)

    return await make(app, identity, await _permission(app, identity, edit_id), origin, plan)


async def hindrance(app: App, identity: Identity, edit_id: str, besides: Collection[str] = ()) -> str:
    """Give why `undo` would refuse to take this edit back once those `besides` are taken back, "" where it would not."""
    async with app.db.reading() as connection:
        try:
            undone = await _one(connection, edit_id)
            await edit_targets.require_seen(connection, identity, undone)
            await _require_undoable(connection, undone, besides)
        except CharruaError as error:
            return str(error) or type(error).__name__
    return ""


async def seen(app: App, identity: Identity, edit_id: str) -> Record | None:
    """Give the record of an edit; None where there is none, or the identity sees nothing of what it is about."""
    async with app.db.reading() as connection:
        record = await edit_record.find(connection, edit_id)
        return record if record is not None and await edit_targets.sees(connection, identity, record) else None


async def history(app: App, identity: Identity, study_uid: str) -> list[Record]:
    """What was done to a study, oldest first, undone edits among it; not what was done out of the sight of who asks.

    Raises StudyNotFound where nothing is known of the study.
    """
    async with app.db.reading() as connection:
        await edit_targets.require_known(connection, identity, study_uid)
        records = await edit_record.touching(connection, [study_uid])
        return [record for record in records if await edit_targets.sees(connection, identity, record)]


async def _permission(app: App, identity: Identity, edit_id: str) -> str:
    """What it takes to undo an edit: what it took to make it."""
    async with app.db.reading() as connection:
        record = await edit_record.find(connection, edit_id)
    if record is not None and record.kind == "status":
        return permission_for_status(identity)
    return "delete" if record is not None and record.kind == "delete" else "edit"


async def _one(tx: AsyncConnection, edit_id: str) -> Record:
    record = await edit_record.find(tx, edit_id)
    if record is None or record.kind in _FINAL:
        raise EditInvalid("there is no edit of this number that could be undone")
    return record


async def _require_undoable(tx: AsyncConnection, record: Record, besides: Collection[str] = ()) -> None:
    """Raise EditInvalid where it was undone, or others stand on it: told to those alone who see what it is about."""
    invalid_unless(record.undone_by is None, "this edit was undone before")
    for later in await in_force(tx, record.study_uids):
        if later.kind == "purge" and later.targets["edit"] == record.id:
            raise EditInvalid("the files are removed: this deletion cannot be undone any more")
        if later.id not in besides and later.made_at > record.made_at and _same_matter(record, later):
            raise EditInvalid(f"edit {later.id} was made over it later: undo that one first")


def _same_matter(record: Record, later: Record) -> bool:
    """Whether two edits change the same attribute of the same thing, or move the same series."""
    if record.kind == "status" or later.kind == "status":
        return record.kind == later.kind and bool(_things(record) & _things(later))
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
