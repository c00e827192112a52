"""Patients and visits updated: their entries at once, their studies by edits that a job makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import DicomJson
from charrua_hl7.patients import on_entries, rows
from charrua_hl7.patients.done import Done, finish
from charrua_hl7.patients.known import for_studies, studies_of
from charrua_hl7.patients.said import ADMISSION, Said
from charrua_hl7.patients.who import Who, issuers_of
from charrua_hl7.processing import Received
from charrua_hl7.worklist.entries import OPEN, Entry, value

if TYPE_CHECKING:
    from charrua_core.app import App

MERGED = "This patient was merged into another: take the merge back where the former ID is in use again."


async def update(
    app: App,
    tx: AsyncConnection,
    received: Received,
    one: Said,
    *,
    patient: bool,
    visit: bool,
    stays: bool = False,
) -> Done:
    """Give a patient's entries and studies what is said of the patient, and open entries what is said of the visit.

    Nothing is given to one that was merged into another, unless this message says which one `stays`.
    """
    if not await rows.is_known(tx, one.who):
        return Done()
    if not stays and await rows.became(tx, one.who) is not None:
        return Done(notes=(MERGED,))
    said = one.patient if patient else {}

    def given(entry: Entry) -> DicomJson:
        return said | (one.visit if visit and entry.status in OPEN and _is_of_visit(entry, one.visit) else {})

    issuers = await issuers_of(tx, one.who)
    entries = await on_entries.of_patient(tx, one.who, issuers)
    noted = await on_entries.give(tx, entries, given)
    studies = await studies_of(tx, one.who, issuers)
    differing = [study for study in studies if for_studies(said, [study])]
    if not noted and not differing and not await _is_news(tx, one.who, said):
        return Done(same=bool(entries or studies))
    before = on_entries.patient_in(entries[0].attributes if entries else studies[0].attributes if studies else {})
    number = await rows.add(
        tx,
        "update",
        by=received.identity.name,
        message_id=received.id or None,
        who=one.who,
        before=_before(before, noted),
        after=said | one.who.as_attributes(),
    )
    await rows.note_entries(tx, number, noted)
    return await finish(app, tx, received, number, Done(len(noted), len(differing)), [study.uid for study in differing])


async def _is_news(tx: AsyncConnection, who: Who, said: DicomJson) -> bool:
    """Whether others were merged into this patient, and what still comes under their IDs is to be given something new."""
    last = await rows.last_of(tx, who)
    new = last is not None and any(not on_entries.alike(last.after.get(tag), one) for tag, one in said.items())
    return new and await rows.is_survivor(tx, who)


def _is_of_visit(entry: Entry, visit: DicomJson) -> bool:
    """Whether an entry belongs to a visit, or to none that is known."""
    return value(entry.attributes, ADMISSION) in ("", value(visit, ADMISSION)) or not value(visit, ADMISSION)


def _before(now: DicomJson, noted: on_entries.Noted) -> DicomJson:
    """Give what was said of the patient: of the first entry that was changed, with what it was."""
    first: dict[str, Any] = next(iter(noted.values()), {"before": {}})
    return now | {tag: element or {"vr": "LO"} for tag, element in first["before"].items() if tag in now}
