"""Workitems: creating, reading, updating, changing their state, asking for their cancellation (PS3.4 CC.2.1 to CC.2.7).

Both doors, DIMSE and the web, come here. Each change is one transaction: the workitem's row is locked, and audit record,
events and jobs are written with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.uid import generate_uid
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core.dicom.n_services import SUCCESS
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson
from charrua_ups import events, trail
from charrua_ups.model import (
    CANCELLED_AT,
    CHARACTER_SET,
    COMMUNICATIONS,
    CONTACT_NAME,
    CONTACT_URI,
    FINAL,
    MODIFIED,
    PROGRESS,
    PUSH,
    REASON,
    REASON_CODE,
    REQUESTING_AE,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STATE,
    TRANSACTION_UID,
    WORKLIST_LABEL,
    Caller,
    EventType,
    State,
    element,
    now,
    selected,
    text,
    values,
)
from charrua_ups.refusals import (
    ALREADY_CANCELED,
    CREATED_WITH_MODIFICATIONS,
    AlreadyCompleted,
    NotClaimed,
    PerformerUnreachable,
    TransactionMissing,
    UpdateOfFinal,
    WorkitemExists,
    WorkitemNotFound,
    WrongTransaction,
)
from charrua_ups.requirements import check_creation, check_final, check_setting
from charrua_ups.rights import may_search, may_work, sight
from charrua_ups.rows import columns_of
from charrua_ups.states import outcome, requested_state
from charrua_ups.subscriptions import subscribe_globals, while_subscriptions_stand
from charrua_ups.tables import workitem

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

_NO_REASON = {
    "00080100": element("SH", "110513"),
    "00080102": element("SH", "DCM"),
    "00080104": element("LO", "Discontinued for unspecified reason"),
}
"""PS3.16 CID 9300."""
_NOT_KEPT = (TRANSACTION_UID, CHARACTER_SET)
"""Transaction UID is a secret and has a column; what is kept is Unicode."""


async def create(app: App, caller: Caller, uid: str, attributes: DicomJson) -> tuple[str, int]:
    """Create a workitem under this UID, or under a new one where it is ""; give the UID and the status.

    Raises NotPermitted, NotScheduled, AttributeMissing, ValueMissing, ValueInvalid, WorkitemExists.
    """
    may_work(caller.identity)
    check_creation(attributes)
    uid = uid or generate_uid(prefix=None)
    own = {SOP_CLASS_UID: element("UI", PUSH), SOP_INSTANCE_UID: element("UI", uid), MODIFIED: element("DT", now())}
    given = {tag: one for tag, one in attributes.items() if tag not in _NOT_KEPT}
    status = SUCCESS if text(given, WORKLIST_LABEL) else CREATED_WITH_MODIFICATIONS
    if status:
        given[WORKLIST_LABEL] = element("LO", app.settings["ups_worklist_label"])
    created = given | own
    _require_sight(caller, created)
    async with app.db.transaction() as tx:
        await while_subscriptions_stand(tx)
        row = {"workitem_uid": uid, **columns_of(created)}
        statement = insert(workitem).values(row).on_conflict_do_nothing(index_elements=["workitem_uid"])
        number = await tx.scalar(statement.returning(workitem.c.id))
        if number is None:
            raise WorkitemExists
        await subscribe_globals(tx, number, created)
        told = [events.state_report(created), *events.assigned(created)]
        await events.tell_subscribers(app, tx, number, uid, created, told)
        await trail.record(tx, caller, "C", uid, created)
    return uid, status


def _require_sight(caller: Caller, attributes: DicomJson) -> None:
    if not sight(caller.identity.row_filters)(attributes):
        raise NotPermitted("the workitem would not be one that this account or peer may see")


async def get(app: App, caller: Caller, uid: str) -> DicomJson:
    """Give a workitem's attributes. Raises NotPermitted, WorkitemNotFound."""
    may_search(caller.identity)
    async with app.db.reading() as connection:
        found = await connection.scalar(select(workitem.c.attributes).where(workitem.c.workitem_uid == uid))
    if found is None or not sight(caller.identity.row_filters)(found):
        raise WorkitemNotFound
    attributes: DicomJson = found
    trail.read(app, caller, uid, attributes)
    return attributes


async def update_workitem(app: App, caller: Caller, uid: str, changes: DicomJson, transaction_uid: str = "") -> int:
    """Set attributes of a workitem, all or none; give the status. The transaction may be named among them.

    Raises NotPermitted, WorkitemNotFound, UpdateOfFinal, TransactionMissing, WrongTransaction, NotClaimed, ValueInvalid,
    ValueMissing.
    """
    may_work(caller.identity)
    given = transaction_uid or text(changes, TRANSACTION_UID)
    changes = {tag: one for tag, one in changes.items() if tag not in _NOT_KEPT}
    async with app.db.transaction() as tx:
        row = await locked(tx, caller, uid)
        _require_transaction(row, given)
        check_setting(changes)
        if all(row.attributes.get(tag) == one for tag, one in changes.items()):
            return SUCCESS
        after = row.attributes | changes | {MODIFIED: element("DT", now())}
        _require_sight(caller, after)
        await _keep(tx, row, after)
        await events.tell_subscribers(app, tx, row.id, uid, after, events.changes(row.attributes, after))
        await trail.record(tx, caller, "U", uid, after, set=sorted(changes))
    return SUCCESS


def _require_transaction(row: Any, given: str) -> None:
    """Raise unless the Transaction UID fits (PS3.4 CC.2.6.3)."""
    state = State(row.state)
    if state in FINAL:
        raise UpdateOfFinal
    if state is State.SCHEDULED and given:
        raise NotClaimed
    if state is State.IN_PROGRESS and given != row.transaction_uid:
        raise WrongTransaction if given else TransactionMissing


async def change_state(app: App, caller: Caller, uid: str, asked: str, transaction_uid: str) -> int:
    """Change a workitem's state; give the status: success, or that it is in that state already.

    Raises NotPermitted, WorkitemNotFound, ArgumentInvalid, and what `outcome` and `check_final` raise.
    """
    may_work(caller.identity)
    state = requested_state(asked)
    async with app.db.transaction() as tx:
        row = await locked(tx, caller, uid)
        status = outcome(State(row.state), state, transaction_uid, row.transaction_uid)
        if status != SUCCESS:
            return status
        if state in FINAL:
            check_final(row.attributes, state)
        await _enter(app, tx, caller, row, state, row.attributes, transaction_uid)
    return SUCCESS


async def _enter(
    app: App, tx: AsyncConnection, caller: Caller, row: Any, state: State, attributes: DicomJson, transaction_uid: str
) -> DicomJson:
    uid = row.workitem_uid
    after = attributes | {STATE: element("CS", str(state))}
    await _keep(tx, row, after, transaction_uid=transaction_uid)
    await events.tell_subscribers(app, tx, row.id, uid, after, [events.state_report(after)])
    await trail.record(tx, caller, "U", uid, after, state=str(state))
    return after


async def request_cancel(app: App, caller: Caller, uid: str, request: DicomJson) -> int:
    """Ask for a workitem to be cancelled: done at once where nobody works at it, else told to who does; give the status.

    Raises NotPermitted, WorkitemNotFound, AlreadyCompleted, PerformerUnreachable.
    """
    may_work(caller.identity)
    async with app.db.transaction() as tx:
        row = await locked(tx, caller, uid)
        if row.state == State.CANCELED:
            return ALREADY_CANCELED
        if row.state == State.COMPLETED:
            raise AlreadyCompleted
        if row.state == State.SCHEDULED:
            await _cancel(app, tx, caller, row, request)
            return SUCCESS
        information = selected(request, REASON, REASON_CODE, CONTACT_URI, CONTACT_NAME)
        information[REQUESTING_AE] = element("AE", caller.aet)
        asked = events.Event(EventType.CANCEL_REQUESTED, information)
        if not await events.tell_subscribers(app, tx, row.id, uid, row.attributes, [asked]):
            raise PerformerUnreachable
        await trail.record(tx, caller, "U", uid, row.attributes, asked="cancel")
    return SUCCESS


async def _cancel(app: App, tx: AsyncConnection, caller: Caller, row: Any, request: DicomJson) -> None:
    """By way of IN PROGRESS, with what the final state asks for (PS3.4 CC.2.2.3)."""
    transaction_uid = generate_uid(prefix=None)
    begun = await _enter(app, tx, caller, row, State.IN_PROGRESS, row.attributes, transaction_uid)
    why: dict[str, Any] = {CANCELLED_AT: element("DT", now()), REASON_CODE: element("SQ", _NO_REASON)}
    why |= selected(request, REASON, REASON_CODE)
    if values(request, CONTACT_URI):
        why[COMMUNICATIONS] = element("SQ", selected(request, CONTACT_URI, CONTACT_NAME))
    progress: DicomJson = {PROGRESS: element("SQ", why)}
    await _enter(app, tx, caller, row, State.CANCELED, begun | progress, transaction_uid)


async def locked(tx: AsyncConnection, caller: Caller, uid: str) -> Any:
    """Give a workitem's row, which nobody else changes until the transaction ends. Raises WorkitemNotFound."""
    row = (
        await tx.execute(select(workitem).where(workitem.c.workitem_uid == uid).with_for_update(key_share=True))
    ).one_or_none()
    if row is None or not sight(caller.identity.row_filters)(row.attributes):
        raise WorkitemNotFound
    return row


async def _keep(tx: AsyncConnection, row: Any, attributes: DicomJson, **columns: Any) -> None:
    found = columns_of(attributes)
    changed = {**found, **columns, "changed_at": func.now()}
    await tx.execute(update(workitem).where(workitem.c.id == row.id).values(changed))
