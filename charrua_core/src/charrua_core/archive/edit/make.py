"""How every edit is made: checked, recorded in the database and on the volume, applied, told and audited, or not at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, bindparam, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit, changes, faults, tables
from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.edit import journal
from charrua_core.archive.edit import record as edit_record
from charrua_core.archive.edit.effective import laid, overlay_of, refresh
from charrua_core.archive.edit.moves import is_move, relocate
from charrua_core.archive.edit.record import Overlay, Record
from charrua_core.archive.index.levels import column_values
from charrua_core.db import commit_outcome_unknown, worth_another_try
from charrua_core.errors import EditInvalid, NotPermitted
from charrua_core.types import Identity, Level, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

Plan = Callable[[AsyncConnection], Awaitable[Record]]
"""Looks at the index as it is, refuses what cannot be, and says what to record."""


T = TypeVar("T")

_TRIES = 6
Then = Callable[[AsyncConnection, Record], Awaitable[None]]
"""What is done in the transaction of the edit, beside it: once, or not at all where the edit is not made."""


async def make(
    app: App, identity: Identity, permission: str, origin: Origin | None, plan: Plan, then: Then | None = None
) -> Record:
    """Make one edit, and what comes with it, in one transaction; gives its record.

    Raises NotPermitted, and what the plan raises. A caller that is cancelled leaves the edit made or not made, never half.
    """
    if not identity.may(permission):
        raise NotPermitted(f"{identity.name} has no permission to {permission} studies")
    from_where = origin or Origin("cli", user=identity.name)
    return await asyncio.shield(patiently(lambda: _make(app, identity, from_where, plan, then)))


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do a transaction's work; when it collides with that of an object on its way in, again from its beginning."""
    for attempt in range(1, _TRIES):
        try:
            return await work()
        except Exception as error:
            if not worth_another_try(error):
                raise
            await asyncio.sleep(random.uniform(0, 0.05 * attempt))  # noqa: S311 -- so that the two do not meet again
    return await work()


async def _make(app: App, identity: Identity, origin: Origin, plan: Plan, then: Then | None) -> Record:
    volume = app.volumes.current
    written: list[Record] = []
    try:
        async with app.db.transaction() as tx:
            await edit_record.lock_edits(tx)
            record = await edit_record.following(tx, await plan(tx))
            await journal.insert(tx, [record])
            subject = await apply(tx, record)
            await _tell(tx, record, subject, identity, origin)
            if then is not None:
                await then(tx, record)
            written.append(record)
            await journal.append(volume, written)
            faults.passing("before_commit")
    except BaseException as error:
        if not await journal.settle(app.db, volume, written) or not commit_outcome_unknown(error):
            raise
    return written[0]


async def apply(tx: AsyncConnection, record: Record) -> Record:
    """Bring the index to what holds with this record; gives the record that it is about: the undone one, or itself."""
    subject = await edit_record.get(tx, record.targets["edit"]) if record.kind == "undo" else record
    studies = set(subject.study_uids)
    if is_move(subject):
        studies |= await relocate(tx, studies)
    elif subject.kind == "delete":
        await mark_deleted(tx, subject)
    elif "sop_instance_uid" in subject.targets:
        await overlay_objects(tx, [subject.targets["sop_instance_uid"]])
    await refresh(tx, studies)
    return subject


ARRIVALS = bindparam("arrivals", type_=ARRAY(postgresql.UUID(as_uuid=True)))

_MARK = text("""
    UPDATE core.instance i SET deleted_by = :edit
    FROM core.series s JOIN core.study t ON t.id = s.study_id
    WHERE s.id = i.series_id AND (t.study_uid = ANY(:uids) OR s.received_study_uid = ANY(:uids))
    AND i.arrival_id = ANY(:arrivals)
""").bindparams(ARRIVALS, bindparam("edit", type_=postgresql.UUID(as_uuid=False)))


async def mark_deleted(tx: AsyncConnection, record: Record) -> int:
    """Take the objects that a deletion names out of sight, or bring them back where it is undone; gives their number."""
    arrivals = [UUID(arrival) for arrival in record.arrivals]
    edit = None if record.undone_by else record.id
    marked = await tx.execute(_MARK, {"edit": edit, "uids": record.study_uids, "arrivals": arrivals})
    return marked.rowcount


async def overlay_objects(tx: AsyncConnection, sop_instance_uids: Sequence[str]) -> None:
    """Lay over each version of these objects what the records on it sum up to."""
    records: dict[str, list[Record]] = {}
    for record in await edit_record.on_objects(tx, sop_instance_uids):
        if record.undone_by is None:
            records.setdefault(record.targets["sop_instance_uid"], []).append(record)
    instance = tables.instance
    columns = (instance.c.id, instance.c.sop_instance_uid, instance.c.arrival_id, instance.c.header)
    for row in await tx.execute(select(*columns).where(instance.c.sop_instance_uid.in_(sop_instance_uids))):
        over = object_overlay(row.arrival_id, records.get(row.sop_instance_uid, []))
        await tx.execute(instance.update().where(instance.c.id == row.id).values(object_values(row.header, over)))


def object_values(header: bytes, over: Overlay) -> dict[str, Any]:
    """The columns of an instance that depend on what is laid over it."""
    return {"overlay": over or None, **column_values(Level.IMAGE, laid(over, unpack_json(header)))}


def object_overlay(arrival_id: UUID, records: list[Record]) -> Overlay:
    """What these records lay over one arrival: first what it was given on arrival, then the edits in their order."""
    mine = [record for record in records if arrival_id.hex in record.arrivals and record.kind in ("coerce", "edit")]
    return overlay_of(sorted(mine, key=lambda record: record.kind != "coerce"))


async def _tell(tx: AsyncConnection, record: Record, subject: Record, identity: Identity, origin: Origin) -> None:
    """Append the change, and the audit record (PS3.15 A.5.3.4 and A.5.3.9)."""
    kind = _restored(record, subject) or _CHANGES.get(subject.kind, "edited")
    payload = {"edit": record.id, "kind": record.kind, "study_uids": subject.study_uids}
    payload |= {"undoes": subject.id} if record.kind == "undo" else {}
    await changes.append(tx, kind, payload)
    gone = kind in _CHANGES.values()
    event = audit.Event.STUDY_DELETED if gone else audit.Event.INSTANCES_ACCESSED
    action: audit.Action = "D" if gone else "U"
    uids = subject.study_uids
    await audit.record(tx, event, action, identity.name, origin, study_uids=uids, edit=record.id, kind=record.kind)


_CHANGES = {"delete": "deleted", "purge": "purged"}


def _restored(record: Record, subject: Record) -> str | None:
    return "restored" if record.kind == "undo" and subject.kind == "delete" else None


def invalid_unless(condition: object, sentence: str) -> None:
    """Raise EditInvalid with the sentence unless the condition holds."""
    if not condition:
        raise EditInvalid(sentence)
