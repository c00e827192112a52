"""Which entries of the worklist a step performs, and what status they have by it.

Steps and orders come in any order, and at the same moment. A step has the locks of what it is linked by (studies, accession
numbers) for itself until its transaction ends; it takes them before anything else, and waits for them. Entries share them
with one another, and never wait, because their transaction holds their rows already: where a step is at it, a job links.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core.archive.index.names import name_key
from charrua_core.db import driver_of, lock_key
from charrua_core.jobs import JobType
from charrua_core.types import DicomJson
from charrua_hl7.performed.model import (
    ACCESSION_NUMBER,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SCHEDULED,
    STEP_ID,
    STUDY_UID,
    items,
    studies_of_item,
    text,
)
from charrua_hl7.performed.notes import Note, added
from charrua_hl7.performed.verdict import Step, verdict
from charrua_hl7.tables import entry, performed, performed_entry
from charrua_hl7.worklist.entries import set_status

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App
    from charrua_hl7.worklist.entries import Entry

KIND = "hl7.link"

_CANDIDATE = (
    entry.c.id,
    entry.c.step_id,
    entry.c.accession_number,
    entry.c.patient_id,
    entry.c.patient_name_key,
    entry.c.modality,
)


# What entries call


async def link_entries(app: App, tx: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Link entries that were written in this transaction to the steps that have come before them."""
    about = {name: sorted(found) for name, found in _named(entries).items()}
    if not any(about.values()):
        return
    numbers = sorted(one.id for one in entries)
    if await _shared(tx, **about):
        await _link_to_steps(app, tx, numbers, **about)
    else:
        await app.jobs.enqueue(KIND, {"entries": numbers, **about}, tx=tx)


def _named(entries: Iterable[Entry]) -> dict[str, set[str]]:
    studies = {uid for one in entries for uid in (text(one.attributes, STUDY_UID), one.arrived_study_uid)}
    accessions = {text(one.attributes, ACCESSION_NUMBER) for one in entries}
    return {"studies": studies - {""}, "accessions": accessions - {""}}


def link_job(app: App) -> JobType:
    """The kind of jobs that links what came at the same moment."""

    async def run(payload: dict[str, Any]) -> None:
        async with app.db.transaction() as tx:
            await lock(tx, payload["studies"], payload["accessions"])
            await _link_to_steps(app, tx, **payload)

    return JobType(KIND, run, retry_after=(1.0, 10.0, 60.0, 600.0))


async def _link_to_steps(
    app: App, tx: AsyncConnection, entries: Sequence[int], studies: Sequence[str], accessions: Sequence[str]
) -> None:
    for step in await (await driver_of(tx)).fetch(_STEPS, list(studies), list(accessions)):
        await link_step(app, tx, step["id"], orjson.loads(step["attributes"]), only=entries)


_STEPS = """
SELECT id, attributes FROM charrua_hl7.performed WHERE study_uids && $1 OR accession_numbers && $2 ORDER BY id
"""


# What steps call


async def link_step(
    app: App, tx: AsyncConnection, number: int, attributes: DicomJson, *, only: Collection[int] | None = None
) -> None:
    """Link a step to the entries that it performs, as far as it is not yet, and bring those to their status.

    `only`: to no others than these, whose rows the transaction holds.
    """
    found, notes = await _performed_entries(tx, attributes)
    found = found if only is None else found.intersection(only)
    new: Collection[int] = ()
    if found:
        pairs = [{"performed_id": number, "entry_id": one} for one in sorted(found)]
        adding = insert(performed_entry).values(pairs).on_conflict_do_nothing()
        new = (await tx.scalars(adding.returning(performed_entry.c.entry_id))).all()
    if notes:
        await add_notes(tx, number, notes)
    await _bring(app, tx, new)


async def follow_step(app: App, tx: AsyncConnection, number: int) -> None:
    """Bring the entries that a step performs to the status that they have by it."""
    linked = select(performed_entry.c.entry_id).where(performed_entry.c.performed_id == number)
    await _bring(app, tx, (await tx.scalars(linked)).all())


async def _bring(app: App, tx: AsyncConnection, entries: Iterable[int]) -> None:
    for one in sorted(entries):
        steps = select(performed.c.attributes, performed.c.status).join(performed_entry)
        rows = await tx.execute(steps.where(performed_entry.c.entry_id == one).order_by(performed.c.id))
        told = verdict([Step.of(row.attributes, row.status) for row in rows])
        if told is not None:
            await set_status(app, tx, [one], told.status, told.reason, of=told.of)


async def add_notes(tx: AsyncConnection, number: int, notes: Iterable[Note]) -> None:
    """Note something on a step."""
    locked = select(performed.c.notes).where(performed.c.id == number).with_for_update(key_share=True)
    kept = await tx.scalar(locked)
    if (after := added(kept or [], notes)) != kept:
        await tx.execute(update(performed).where(performed.c.id == number).values(notes=after))


# Which entries


async def _performed_entries(tx: AsyncConnection, attributes: DicomJson) -> tuple[set[int], list[Note]]:
    """Give the entries that a step performs: each item of its Scheduled Step Attributes Sequence stands for one."""
    found: set[int] = set()
    notes: list[Note] = []
    for item in items(attributes, SCHEDULED):
        rows = await _candidates(tx, item, attributes, notes)
        chosen = _chosen(rows, item, attributes)
        if len(rows) > len(chosen) == 0:
            notes.append(Note("step_unclear"))
        for row in chosen:
            found.add(row.id)
            if differs := _other_patient(row, attributes):
                notes.append(Note("patient_differs", differs))
    return found, notes


async def _candidates(tx: AsyncConnection, item: DicomJson, attributes: DicomJson, notes: list[Note]) -> Sequence[Any]:
    """Give the entries of the item's study, without any those of its accession number that are of the same patient."""
    studies = studies_of_item(item)
    of_study = or_(entry.c.study_uid.in_(studies), entry.c.arrived_study_uid.in_(studies))
    rows = (await tx.execute(select(*_CANDIDATE).where(of_study).order_by(entry.c.id))).all()
    accession = text(item, ACCESSION_NUMBER)
    if rows or not accession:
        return rows
    by_accession = select(*_CANDIDATE).where(entry.c.accession_number == accession).order_by(entry.c.id)
    rows = (await tx.execute(by_accession)).all()
    same = [row for row in rows if "PatientID" not in _other_patient(row, attributes)]
    if rows and not same:
        notes.append(Note("patient_of_another"))
    return same


def _chosen(rows: Sequence[Any], item: DicomJson, attributes: DicomJson) -> Sequence[Any]:
    """Give those that the item means: by the step's ID, without one the only one, or the only one of the modality."""
    step, accession = text(item, STEP_ID), text(item, ACCESSION_NUMBER)
    if step:
        named = [row for row in rows if row.step_id == step]
        return [row for row in named if row.accession_number == accession] or named
    if len(rows) <= 1:
        return rows
    alike = [row for row in rows if row.modality == text(attributes, MODALITY)]
    return alike if len(alike) == 1 else []


def _other_patient(row: Any, attributes: DicomJson) -> tuple[str, ...]:
    """Name the attributes by which the step's patient is another than the order's, where both say something."""
    stated = {
        "PatientID": (row.patient_id.strip(), text(attributes, PATIENT_ID)),
        "PatientName": (row.patient_name_key, name_key(text(attributes, PATIENT_NAME))),
    }
    return tuple(keyword for keyword, (ordered, said) in stated.items() if ordered and said and ordered != said)


# Locks


_BUCKETS = 64
"""Locks that there are: a transaction that writes a thousand orders takes no more of them."""


async def lock(tx: AsyncConnection, studies: Iterable[str], accessions: Iterable[str]) -> None:
    """Be the only one that links what belongs to these, until the transaction ends."""
    for key in _keys(studies, accessions):
        await tx.execute(select(func.pg_advisory_xact_lock(key)))


async def _shared(tx: AsyncConnection, studies: Iterable[str], accessions: Iterable[str]) -> bool:
    """Whether no step is at it, nor can be until the transaction ends."""
    return bool(await (await driver_of(tx)).fetchval(_SHARED, _keys(studies, accessions)))


_SHARED = "SELECT bool_and(pg_try_advisory_xact_lock_shared(key)) FROM unnest($1::bigint[]) AS asked(key)"


def _keys(studies: Iterable[str], accessions: Iterable[str]) -> list[int]:
    """All who wait for several locks take them in this order."""
    names = [f"study {one}" for one in studies] + [f"accession {one}" for one in accessions]
    return sorted({lock_key(f"charrua hl7 linking {lock_key(name) % _BUCKETS}") for name in names})
