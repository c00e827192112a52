"""What people do with one entry: add, change, discontinue, complete, have it begin again; each in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson, Identity
from charrua_core.web import HttpError
from charrua_hl7.performed import link_entries
from charrua_hl7.tables import entry
from charrua_hl7.worklist import trail
from charrua_hl7.worklist.by_hand import laid, made
from charrua_hl7.worklist.entries import (
    OPEN,
    Entry,
    Status,
    columns_of,
    locked,
    of_row,
    order_key,
    put,
    set_status,
    value,
    with_status,
)
from charrua_hl7.worklist.searching import may_see
from charrua_hl7.worklist.seeing import seen
from charrua_hl7.worklist.trail import By

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.audit import Action

ACCESSION_NUMBER, PATIENT_ID = tag_of("AccessionNumber"), tag_of("PatientID")
ISSUER = tag_of("IssuerOfPatientID")
BY_HAND = "by hand"
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('charrua worklist ' || :number, 0))")
_TAKEN = "id: this accession number is another order's"


class Changed(HttpError):
    """Somebody else has changed the entry since it was looked at."""

    def __init__(self) -> None:
        super().__init__(409, "somebody has changed the entry since: look at it again")


async def add(app: App, by: By, given: DicomJson, status: Status | None, source: str) -> Entry:
    """Add an entry, or bring the one of the same accession number to what is given.

    HttpError 409 where that is another patient's, is over, or has several steps.
    """
    now = app.jobs.clock.now().astimezone()
    async with app.db.transaction() as tx:
        known = await _of_accession(tx, by.identity, value(given, ACCESSION_NUMBER), given)
        if known:
            return await _given_anew(app, tx, by, known, given, status)
        attributes = made(given, app.settings["worklist_default_modality"], now)
        _require_sight(by.identity, attributes)
        status = status or Status.SCHEDULED
        added = await put(app, tx, attributes, order_key=order_key(attributes), source=source, status=status)
        await trail.record(tx, by, "C", added)
    return added


async def _of_accession(tx: AsyncConnection, identity: Identity, number: str, given: DicomJson) -> Entry | None:
    """The entry that has this accession number already, locked."""
    if not number:
        return None
    await tx.execute(_ONE_AT_A_TIME, {"number": number})
    rows = (await tx.execute(select(entry).where(entry.c.accession_number == number).with_for_update())).all()
    found = [of_row(row) for row in rows]
    if not found:
        return None
    if not all(may_see(identity, one.attributes) and _same_patient(one.attributes, given) for one in found):
        raise HttpError(409, _TAKEN)
    if len(found) > 1:
        raise HttpError(409, "id: the order of this accession number has several steps: change the one that is meant")
    return found[0]


def _same_patient(one: DicomJson, other: DicomJson) -> bool:
    issuers = {value(one, ISSUER), value(other, ISSUER)} - {""}
    return value(one, PATIENT_ID) == value(other, PATIENT_ID) and len(issuers) < 2


async def _given_anew(
    app: App, tx: AsyncConnection, by: By, known: Entry, given: DicomJson, status: Status | None
) -> Entry:
    """Bring an entry to what is said of it now; what is left out stays, and what was started is not scheduled again."""
    if known.status is Status.COMPLETED:
        raise HttpError(409, "id: the order of this accession number is COMPLETED")
    said = {tag: one for tag, one in given.items() if one.get("Value")}
    changed = await _rewritten(app, tx, by, known, said)
    begun = changed.status is Status.STARTED and status in OPEN
    if status and status != changed.status and not begun:
        changed = await _brought(app, tx, by, changed, status, BY_HAND)
    return changed


async def change(app: App, by: By, number: int, version: int, given: DicomJson) -> Entry:
    """Give an entry other values. Raises EntryNotFound, Changed where it has another version by now."""
    async with app.db.transaction() as tx:
        found = await seen(tx, by.identity, number, locked=True)
        _require_version(found, version)
        return await _rewritten(app, tx, by, found, given)


async def _rewritten(app: App, tx: AsyncConnection, by: By, found: Entry, given: DicomJson) -> Entry:
    attributes = laid(found.attributes, given)
    if attributes == found.attributes:
        return found
    _require_sight(by.identity, attributes)
    changed = await rewrite(tx, found, attributes)
    await link_entries(app, tx, [changed])
    [changed] = await locked(tx, [changed.id])
    await trail.record(tx, by, "U", changed)
    return changed


async def rewrite(tx: AsyncConnection, found: Entry, attributes: DicomJson) -> Entry:
    """Write an entry that is locked with other attributes."""
    values = columns_of(with_status(attributes, found.status))
    changing = update(entry).where(entry.c.id == found.id)
    changing = changing.values(**values, version=entry.c.version + 1, changed_at=func.now())
    return of_row((await tx.execute(changing.returning(entry))).one())


async def bring(app: App, by: By, number: int, status: Status, reason: str, version: int) -> Entry:
    """Bring an entry to a status. Raises EntryNotFound, Changed."""
    async with app.db.transaction() as tx:
        found = await seen(tx, by.identity, number, locked=True)
        if version:
            _require_version(found, version)
        if found.status == status:
            return found
        return await _brought(app, tx, by, found, status, reason or BY_HAND)


async def _brought(app: App, tx: AsyncConnection, by: By, found: Entry, status: Status, reason: str) -> Entry:
    again = status in OPEN and found.status not in OPEN
    [changed] = await set_status(app, tx, [found.id], status, "" if again else reason, of=frozenset(Status))
    if again:
        await begin_anew(tx, found.id, app.jobs.clock.now())
    action: Action = "D" if status is Status.DISCONTINUED else "U"
    await trail.record(tx, by, action, changed, status=str(status))
    return changed


async def begin_anew(tx: AsyncConnection, number: int, now: datetime) -> None:
    """Have an entry time out from now on, not from its scheduled start."""
    await tx.execute(update(entry).where(entry.c.id == number).values(reopened_at=now))


def _require_version(found: Entry, version: int) -> None:
    if found.version != version:
        raise Changed


def _require_sight(identity: Identity, attributes: DicomJson) -> None:
    """Nobody makes an entry that they would not see."""
    if not may_see(identity, attributes):
        raise NotPermitted("you would not see this entry: your filter does not admit what it says")
