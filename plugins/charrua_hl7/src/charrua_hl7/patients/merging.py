"""Patients merged: what was of the former one is given the one that stays, now and when it comes later.

A merge is remembered until it is taken back. Two merges in a row are a chain, A to B to C; a merge back, B to A after A to
B, ends the memory of the first. A patient whom no message names is never moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import DicomJson
from charrua_hl7.errors import FieldMissing
from charrua_hl7.patients import on_entries, rows
from charrua_hl7.patients.done import Done, finish
from charrua_hl7.patients.known import Study, known_of, studies_of
from charrua_hl7.patients.rows import Change
from charrua_hl7.patients.said import Said, former_of, only_values
from charrua_hl7.patients.updating import update
from charrua_hl7.patients.who import Who, issuers_of
from charrua_hl7.processing import Received
from charrua_hl7.worklist.entries import Entry

if TYPE_CHECKING:
    from charrua_core.app import App

UNKNOWN = "Nothing here was of the former patient; what still comes under the former ID is given the one that stays."


async def merge(app: App, tx: AsyncConnection, received: Received, one: Said) -> Done:
    """Make all of the former patients those of the one that stays, who is given what the message says as well."""
    segments = one.message.all("MRG")
    if not segments:
        raise FieldMissing("MRG-1 does not say who the patient was", "MRG^1^1")
    former = dict.fromkeys(who for segment in segments for who in former_of(one, segment))
    # Before the merge, so that an edit of all studies of the one that stays does not lie over that of the merge.
    done = await update(app, tx, received, one, patient=True, visit=False, stays=True)
    for who in former:
        done += await _merge(app, tx, received, one, who)
    return done


async def _merge(app: App, tx: AsyncConnection, received: Received, one: Said, former: Who) -> Done:
    await rows.lock_merges(tx, former)
    entries, studies, was = await _here(tx, former, one.who)
    change = await _remembered(tx, received, one, former, was)
    await _end_the_way_back(tx, change)
    moved = await along(tx, [change, *await rows.chain(tx, one.who)], entries)
    notes = () if entries or studies else (UNKNOWN,)
    uids = [study.uid for study in studies]
    return await finish(app, tx, received, change.id, Done(len(moved), len(studies), notes), uids)


async def _here(tx: AsyncConnection, former: Who, stays: Who) -> tuple[list[Entry], list[Study], DicomJson]:
    """Give what is here of a former patient: entries, studies, and what is known of the person."""
    if not await rows.is_known(tx, former):
        return [], [], {}
    theirs = await issuers_of(tx, former, stays)
    entries, studies = await on_entries.of_patient(tx, former, theirs), await studies_of(tx, former, theirs)
    return entries, studies, await known_of(tx, former, theirs)


async def _remembered(tx: AsyncConnection, received: Received, one: Said, former: Who, was: DicomJson) -> Change:
    """Give the merge as a row: that which is there where a message says it again."""
    before = await rows.became(tx, former)
    if before is not None and before.who == one.who:
        return before
    known = await known_of(tx, one.who, await issuers_of(tx, one.who, former))
    number = await rows.add(
        tx,
        "merge",
        by=received.identity.name,
        message_id=received.id or None,
        who=one.who,
        former=former,
        before=was | former.as_attributes(),
        after=known | only_values(one.patient) | one.who.as_attributes(),
    )
    made = await rows.get(tx, number)
    if made is None:
        raise LookupError(number)
    return made


async def _end_the_way_back(tx: AsyncConnection, change: Change) -> None:
    """The one that stays was merged into the former one: that is over, as the message says."""
    steps = await rows.chain(tx, change.who)
    if any(step.who.is_like(change.former) for step in steps if step.id != change.id):
        await rows.amend(tx, steps[0].id, ended_by=change.id)


async def along(tx: AsyncConnection, steps: Sequence[Change], entries: Sequence[Entry]) -> Sequence[Entry]:
    """Give entries the patient that theirs has become, merge by merge, each kept with its own; gives them as they are now."""
    for step in steps:
        given = await _given(tx, step)
        noted = await on_entries.give(tx, entries, lambda _, given=given: given)  # type: ignore[misc]
        await rows.note_entries(tx, step.id, noted)
        entries = await on_entries.again(tx, entries)
    return entries


async def _given(tx: AsyncConnection, step: Change) -> DicomJson:
    """Give what the entries of a former patient are to say of the one that stays."""
    known = await known_of(tx, step.who, await issuers_of(tx, step.who, step.former))
    return only_values(step.after) | known | step.who.as_attributes()


async def of_their_patients(tx: AsyncConnection, written: list[Entry]) -> list[Entry]:
    """Give entries that were just written the patients that theirs have become, where there were merges."""
    merged = await rows.merged_among(tx, {Who.of(one.attributes).patient_id for one in written})
    if not merged:
        return written
    return [await _of_its_patient(tx, one) if Who.of(one.attributes).patient_id in merged else one for one in written]


async def _of_its_patient(tx: AsyncConnection, written: Entry) -> Entry:
    [now] = await along(tx, await rows.chain(tx, Who.of(written.attributes)), [written])
    return now
