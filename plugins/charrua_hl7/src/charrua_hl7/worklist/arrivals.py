"""Studies that arrive for an entry.

An object belongs to an entry whose Study Instance UID it has, or whose accession number and patient its study has. Of
several steps of one study, an object belongs to those of its modality.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import RowMapping, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.types import SYSTEM, DicomJson
from charrua_hl7.patients.rows import chain
from charrua_hl7.patients.who import Who
from charrua_hl7.performed import in_progress, link_entries
from charrua_hl7.tables import entry, entry_study
from charrua_hl7.worklist import correcting, standing, trail
from charrua_hl7.worklist.entries import COLUMNS, OPEN, Entry, Status, locked, of_row, set_status
from charrua_hl7.worklist.identity import is_another_person, is_same_patient
from charrua_hl7.worklist.standing import FoundBy

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import StoredObject

ARRIVED = "its study has arrived"
TIMED_OUT = "nobody performed it in time"
REMEMBERED = 20_000
REMEMBERED_S = 60.0
"""For so long, further objects of a study are not looked up: an order that comes after the first images is found then."""


class _Lately:
    """What was looked up lately, so that the many objects of a study cost one look-up."""

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def has(self, key: tuple[str, str]) -> bool:
        """Whether this was noted, and lately."""
        at = self._at.get(key)
        return at is not None and time.monotonic() - at < REMEMBERED_S

    def note(self, key: tuple[str, str]) -> None:
        """Note it; the oldest go where there are too many."""
        self._at[key] = time.monotonic()
        self._at.move_to_end(key)
        while len(self._at) > REMEMBERED:
            self._at.popitem(last=False)


_LATELY: WeakKeyDictionary[App, _Lately] = WeakKeyDictionary()


async def study_arrived(app: App, stored: StoredObject) -> None:
    """Let the entry that an object belongs to know of it."""
    lately = _LATELY.setdefault(app, _Lately())
    key = (stored.study_uid, stored.modality)
    if lately.has(key):
        return
    await look_for_entries(app, stored.study_uid, stored.modality)
    lately.note(key)


async def look_for_entries(app: App, study_uid: str, modality: str) -> None:
    """Bring the entries that a study, of which an object of this modality is here, belongs to, to what is true of them now."""
    async with app.db.reading() as connection:
        found, by = await _entries_of(connection, study_uid)
    meant = _of_modality(found, modality)
    if not meant:
        return
    async with app.db.transaction() as tx:
        study = await _study(tx, study_uid)
        if study is None:
            return
        for one in await locked(tx, [one.id for one in meant]):
            await _came(app, tx, one, study, by)


async def _entries_of(connection: AsyncConnection, uid: str) -> tuple[list[Entry], FoundBy]:
    """The entries that do not know of this study: by its UID, else by its accession number."""
    by_uid = await _unaware(connection, uid, entry.c.study_uid == uid)
    if by_uid:
        return by_uid, "uid"
    accession = select(tables.study.c.accession_number).where(tables.study.c.study_uid == uid)
    number = await connection.scalar(accession)
    if not number:
        return [], "accession"
    open_ones = or_(
        entry.c.status.in_(sorted(OPEN)),
        (entry.c.status == Status.COMPLETED) & (entry.c.arrived_study_uid == ""),
        (entry.c.status == Status.DISCONTINUED) & (entry.c.reason == TIMED_OUT),
    )
    return await _unaware(connection, uid, entry.c.accession_number == number, open_ones), "accession"


async def _unaware(connection: AsyncConnection, uid: str, *where: Any) -> list[Entry]:
    known = exists().where(entry_study.c.entry_id == entry.c.id, entry_study.c.study_uid == uid)
    rows = await connection.execute(select(*COLUMNS).where(*where, ~known).order_by(entry.c.id).limit(100))
    return [of_row(row) for row in rows]


def _of_modality(found: Sequence[Entry], modality: str) -> list[Entry]:
    """Of several steps those of the object's modality, or that name none; one alone is meant by any object."""
    return list(found) if len(found) == 1 else [one for one in found if one.modality in ("", modality)]


async def _study(tx: AsyncConnection, uid: str) -> RowMapping | None:
    columns = (tables.study.c.study_uid, tables.study.c.attributes)
    alive = (tables.study.c.study_uid == uid, tables.study.c.deleted_by.is_(None))
    return (await tx.execute(select(*columns).where(*alive))).mappings().first()


async def _came(app: App, tx: AsyncConnection, one: Entry, study: RowMapping, by: FoundBy) -> None:
    """Note at an entry that is locked that its study is here."""
    uid = study["study_uid"]
    if not await _is_of_its_patient(tx, one, study["attributes"], by):
        if await standing.note(tx, one, uid, by, "mismatch", SYSTEM.name):
            app.troubles.note("order", str(one.id), page=f"/worklist/{one.id}")
        return
    corrects = app.settings["worklist_corrects_studies"]
    if not await standing.note(tx, one, uid, by, "waiting" if corrects else "left", SYSTEM.name):
        return
    await standing.arrived(tx, one.id, uid)
    await link_entries(app, tx, [replace(one, arrived_study_uid=uid)])
    if await _is_over(tx, one):
        await set_status(app, tx, [one.id], Status.COMPLETED, ARRIVED, of={*OPEN, Status.DISCONTINUED})
    if corrects:
        await correcting.enqueue(app, tx, one.id, uid)
    await trail.record(tx, trail.ITSELF, "U", one, arrived=uid)


async def _is_of_its_patient(tx: AsyncConnection, one: Entry, study: DicomJson, by: FoundBy) -> bool:
    """Whether a study is of the entry's patient, or of one who was merged into them.

    Under the UID that the order gave, it may have the patient's ID wrong, if no more: who has taken the wrong entry at the
    modality and typed in the right patient is not to be corrected.
    """
    if is_same_patient(one.attributes, study):
        return True
    if by == "uid" and not is_another_person(one.attributes, study):
        return True
    merges = await chain(tx, Who.of(study))
    return bool(merges) and merges[-1].who.is_like(Who.of(one.attributes))


async def _is_over(tx: AsyncConnection, one: Entry) -> bool:
    """Whether the arrival completes the entry: a modality that says what it does (MPPS) will say itself when it is done."""
    if one.status not in OPEN and one.reason != TIMED_OUT:
        return False
    return not await in_progress(tx, [one.id])
