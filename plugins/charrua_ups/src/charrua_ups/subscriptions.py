"""Subscriptions of AEs to workitems and to the worklist, whole or filtered (PS3.4 CC.2.3, table CC.2.3-2).

What an AE subscribed to by itself takes precedence: a subscription to the worklist brings those to the workitems that the
AE has none of yet. With a deletion lock, the AE is told the state of all of them.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from charrua_core.archive.search import read_keys
from charrua_core.archive.search.matching import has_all, tests_of
from charrua_core.db import lock_key
from charrua_core.dicom.n_services import ArgumentInvalid
from charrua_core.errors import EditInvalid
from charrua_core.peers import check_aet
from charrua_core.types import DicomJson
from charrua_ups import events, trail
from charrua_ups.model import FILTERED_WORKLIST, RECEIVING_AE, SOP_INSTANCE_UID, WORKLIST, Caller, text
from charrua_ups.refusals import ActionInappropriate, WorkitemNotFound
from charrua_ups.rights import kept, may_work, passes, sight
from charrua_ups.searching import Row, Search, keys_of, matching
from charrua_ups.tables import subscription, workitem, worklist_subscription

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

_BATCH = 500
_STANDING = lock_key("charrua ups worklist")


async def while_subscriptions_stand(tx: AsyncConnection) -> None:
    """Have no AE subscribe to the worklist until the transaction ends: it would not see the workitem that this one makes."""
    await tx.execute(select(func.pg_advisory_xact_lock_shared(_STANDING)))


async def subscribe(app: App, caller: Caller, uid: str, aet: str, *, lock: bool, keys: DicomJson | None = None) -> None:
    """Subscribe an AE to a workitem, or to the worklist by its well-known UID; `keys` are those of a filtered one.

    A second filtered subscription of an AE takes the place of the first. Raises NotPermitted, WorkitemNotFound,
    ArgumentInvalid, QueryInvalid.
    """
    may_work(caller.identity)
    aet = receiver(aet)
    if uid in (WORKLIST, FILTERED_WORKLIST):
        await _subscribe_to_worklist(app, caller, uid, aet, lock, keys or {})
        return
    async with app.db.transaction() as tx:
        await _subscribe_to_one(app, tx, caller, uid, aet, lock)
        await trail.record(tx, caller, "U", uid, {}, subscribed=aet)


def receiver(aet: str) -> str:
    """Give the AE title of a receiver; raises ArgumentInvalid where it is none."""
    try:
        return check_aet(aet)
    except EditInvalid as error:
        raise ArgumentInvalid([RECEIVING_AE]) from error


async def _subscribe_to_one(app: App, tx: AsyncConnection, caller: Caller, uid: str, aet: str, lock: bool) -> None:
    row = await _seen(tx, caller, uid)
    given = {"deletion_lock": lock, "row_filters": kept(caller.identity.row_filters)}
    statement = insert(subscription).values(workitem_id=row.id, aet=aet, **given)
    await tx.execute(statement.on_conflict_do_update(index_elements=["workitem_id", "aet"], set_=given))
    if events.receiver_sees(app, aet, row.attributes):
        await events.write(app, tx, {aet: [(uid, events.state_report(row.attributes))]})


async def _seen(tx: AsyncConnection, caller: Caller, uid: str) -> Any:
    """Give the workitem's row, which nobody changes until the transaction ends. Raises WorkitemNotFound."""
    found = select(workitem.c.id, workitem.c.attributes).where(workitem.c.workitem_uid == uid)
    row = (await tx.execute(found.with_for_update(key_share=True))).one_or_none()
    if row is None or not sight(caller.identity.row_filters)(row.attributes):
        raise WorkitemNotFound
    return row


async def _subscribe_to_worklist(app: App, caller: Caller, uid: str, aet: str, lock: bool, keys: DicomJson) -> None:
    """First for what comes, in one transaction; then for what is there, some at a time, so that nobody has to wait for it."""
    filtered = uid == FILTERED_WORKLIST
    asked = Search(keys_of(keys)) if filtered else Search()
    # What cannot be applied is refused before it stands in the way of every creation.
    tests_of(asked.keys, ignore_case=False)
    sight(caller.identity.row_filters)
    given = {"deletion_lock": lock, "row_filters": kept(caller.identity.row_filters)}
    row = {"aet": aet, "filtered": filtered, "keys": keys if filtered else {}, **given}
    statement = insert(worklist_subscription).values(row)
    async with app.db.transaction() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(_STANDING)))
        await tx.execute(statement.on_conflict_do_update(index_elements=["aet", "filtered"], set_=row))
        await trail.record(tx, caller, "U", uid, {}, subscribed=aet)
    batch: list[Row] = []
    async with app.db.reading() as connection, aclosing(matching(connection, asked, caller.identity)) as rows:
        async for found in rows:
            batch.append(found)
            if len(batch) == _BATCH:
                await _take_in(app, uid, aet, given, batch)
    await _take_in(app, uid, aet, given, batch)


async def _take_in(app: App, uid: str, aet: str, given: dict[str, Any], batch: list[Row]) -> None:
    """Subscribe the AE to some workitems that there are, and report their states with a lock, unless it has unsubscribed."""
    told = [
        (text(row.attributes, SOP_INSTANCE_UID), events.state_report(row.attributes))
        for row in batch
        if given["deletion_lock"] and events.receiver_sees(app, aet, row.attributes)
    ]
    async with app.db.transaction() as tx:
        standing = select(worklist_subscription.c.aet).where(*_of(uid, aet)).with_for_update(read=True, key_share=True)
        there = select(workitem.c.id).where(workitem.c.id.in_([row.id for row in batch]))
        if batch and await tx.scalar(standing):
            numbers = (await tx.scalars(there.with_for_update(read=True, key_share=True))).all()
            await _add(tx, [{"workitem_id": number, "aet": aet, **given} for number in numbers])
            await events.write(app, tx, {aet: told})
    batch.clear()


async def _add(tx: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    if rows:
        await tx.execute(insert(subscription).values(rows).on_conflict_do_nothing())


async def subscribe_globals(tx: AsyncConnection, number: int, attributes: DicomJson) -> None:
    """Subscribe to a new workitem the AEs that are subscribed to the worklist, where their keys and filters take it."""
    locks: dict[str, dict[str, Any]] = {}
    for row in (await tx.execute(select(worklist_subscription))).all():
        takes = has_all(attributes, tests_of(read_keys(row.keys), ignore_case=False))
        if takes and passes(row.row_filters, attributes):
            lock = row.deletion_lock or bool(locks.get(row.aet, {}).get("deletion_lock"))
            given = {"deletion_lock": lock, "row_filters": row.row_filters}
            locks[row.aet] = {"workitem_id": number, "aet": row.aet, **given}
    await _add(tx, list(locks.values()))


async def unsubscribe(app: App, caller: Caller, uid: str, aet: str) -> bool:
    """End an AE's subscription to a workitem, or to the worklist with all that it brought; whether there was one.

    Raises NotPermitted, WorkitemNotFound, ArgumentInvalid.
    """
    may_work(caller.identity)
    aet = receiver(aet)
    async with app.db.transaction() as tx:
        if uid in (WORKLIST, FILTERED_WORKLIST):
            found = await _forget_worklist(tx, uid, aet)
            ended = await tx.execute(delete(subscription).where(subscription.c.aet == aet))
            found = found or bool(ended.rowcount)
        else:
            row = await _seen(tx, caller, uid)
            here = (subscription.c.workitem_id == row.id, subscription.c.aet == aet)
            found = bool((await tx.execute(delete(subscription).where(*here))).rowcount)
        await trail.record(tx, caller, "U", uid, {}, unsubscribed=aet)
    return found


async def suspend(app: App, caller: Caller, uid: str, aet: str) -> bool:
    """End an AE's subscription to workitems to come, and leave it those that there are; whether there was one.

    Raises NotPermitted, ActionInappropriate, ArgumentInvalid.
    """
    may_work(caller.identity)
    if uid not in (WORKLIST, FILTERED_WORKLIST):
        raise ActionInappropriate
    aet = receiver(aet)
    async with app.db.transaction() as tx:
        found = await _forget_worklist(tx, uid, aet)
        await trail.record(tx, caller, "U", uid, {}, suspended=aet)
    return found


async def _forget_worklist(tx: AsyncConnection, uid: str, aet: str) -> bool:
    return bool((await tx.execute(delete(worklist_subscription).where(*_of(uid, aet)))).rowcount)


def _of(uid: str, aet: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return worklist_subscription.c.aet == aet, worklist_subscription.c.filtered == (uid == FILTERED_WORKLIST)
