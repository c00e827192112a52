"""Performed procedure steps: created, set and told (PS3.4 F.7.2, F.8.2). Each change is one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.uid import generate_uid
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core import audit
from charrua_core.dicom.n_services import keyword
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson
from charrua_hl7.performed import forwarding, linking
from charrua_hl7.performed.model import FINAL, STATUS, Caller, State, columns_of, studies_of, text
from charrua_hl7.performed.notes import Note, added, rows
from charrua_hl7.performed.refusals import NoLongerUpdated, StepExists, StepUnknown
from charrua_hl7.performed.requirements import check_creation, check_final, check_setting, completed
from charrua_hl7.performed.rights import sight
from charrua_hl7.tables import performed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

_EVENT = audit.Event.PROCEDURE_RECORD


def _may_perform(caller: Caller) -> None:
    if not caller.identity.may("store"):
        raise NotPermitted("no permission to store, nor to tell what is performed")


async def create(app: App, caller: Caller, uid: str, given: DicomJson) -> str:
    """Keep a step that has begun, under this UID or under a new one where it is ""; give the UID.

    Raises NotPermitted, AttributeMissing, ValueMissing, ValueInvalid, StepExists.
    """
    _may_perform(caller)
    notes = check_creation(given)
    uid = uid or generate_uid(prefix=None)
    attributes = completed(given)
    row = {"sop_instance_uid": uid, "notes": rows(notes), **columns_of(attributes)}
    async with app.db.transaction() as tx:
        await linking.lock(tx, row["study_uids"], row["accession_numbers"])
        statement = insert(performed).values(row).on_conflict_do_nothing(index_elements=["sop_instance_uid"])
        number = await tx.scalar(statement.returning(performed.c.id))
        if number is None:
            raise StepExists
        await linking.link_step(app, tx, number, attributes)
        await forwarding.pass_on(app, tx, caller, number, "N-CREATE", attributes, attributes)
        await _record(tx, caller, "C", uid, attributes, status=row["status"])
    return uid


async def change(app: App, caller: Caller, uid: str, changes: DicomJson) -> list[str]:
    """Set attributes of a step, all or none; give those that N-SET may not change, which stay as they are.

    Raises NotPermitted, StepUnknown, NoLongerUpdated, ValueInvalid, ValueMissing.
    """
    _may_perform(caller)
    async with app.db.transaction() as tx:
        row = await _locked(tx, uid)
        if State(row.status) in FINAL:
            raise NoLongerUpdated
        wanted, refused = check_setting(row.attributes, changes)
        after = row.attributes | wanted
        state = State(text(after, STATUS))
        notes = check_final(after, state) if state in FINAL else []
        notes += [Note("not_set", tuple(keyword(int(tag, 16)) for tag in refused))] if refused else []
        if wanted or notes:
            values = {**columns_of(after), "notes": added(row.notes, notes), "changed_at": func.now()}
            await tx.execute(update(performed).where(performed.c.id == row.id).values(values))
        if wanted:
            await linking.link_step(app, tx, row.id, after)
            if state in FINAL:
                await linking.follow_step(app, tx, row.id)
            await forwarding.pass_on(app, tx, caller, row.id, "N-SET", wanted, after)
        await _record(tx, caller, "U", uid, after, status=state)
    return refused


async def _locked(tx: AsyncConnection, uid: str) -> Any:
    """Give the row of a step, with the locks of what it is linked by: they are taken before its own."""
    chosen = select(performed).where(performed.c.sop_instance_uid == uid)
    seen = (await tx.execute(chosen)).one_or_none()
    if seen is None:
        raise StepUnknown
    await linking.lock(tx, seen.study_uids, seen.accession_numbers)
    row = (await tx.execute(chosen.with_for_update(key_share=True))).one_or_none()
    if row is None:
        raise StepUnknown
    return row


async def get(app: App, caller: Caller, uid: str) -> DicomJson:
    """Give a step's attributes. Raises NotPermitted, StepUnknown."""
    if not caller.identity.may("query"):
        raise NotPermitted("no permission to query")
    async with app.db.reading() as connection:
        found = await connection.scalar(select(performed.c.attributes).where(performed.c.sop_instance_uid == uid))
    if found is None or not sight(caller.identity.row_filters)(found):
        raise StepUnknown
    attributes: DicomJson = found
    studies = studies_of(attributes)
    app.audit.later(_EVENT, "R", caller.identity.name, caller.origin, study_uids=studies, performed=uid)
    return attributes


async def _record(
    tx: AsyncConnection, caller: Caller, action: audit.Action, uid: str, attributes: DicomJson, **detail: Any
) -> None:
    studies = studies_of(attributes)
    await audit.record(
        tx, _EVENT, action, caller.identity.name, caller.origin, study_uids=studies, performed=uid, **detail
    )
