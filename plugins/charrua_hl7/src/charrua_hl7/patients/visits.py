"""Accounts and visits: their numbers changed, and those of one patient moved to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_hl7.errors import FieldMissing
from charrua_hl7.message import path_of
from charrua_hl7.patients import on_entries, rows
from charrua_hl7.patients.done import Done, finish
from charrua_hl7.patients.known import Study, known_of, studies_of
from charrua_hl7.patients.said import ADMISSION, Said, former_of, only_values
from charrua_hl7.patients.who import Who, issuers_of
from charrua_hl7.processing import Received
from charrua_hl7.worklist.entries import Entry, value

if TYPE_CHECKING:
    from charrua_core.app import App


async def renumber(app: App, tx: AsyncConnection, received: Received, one: Said, *, former: str, now: str) -> Done:
    """Give the entries of one account or visit its new number (Admission ID)."""
    before, after = _needed(one, former), _needed(one, now)
    theirs = await on_entries.of_patient(tx, one.who, await issuers_of(tx, one.who))
    entries = [entry for entry in theirs if value(entry.attributes, ADMISSION) == before]
    given = {ADMISSION: {"vr": "LO", "Value": [after[:64]]}}
    noted = await on_entries.give(tx, entries, lambda _: given)
    if not noted:
        return Done()
    number = await rows.add(
        tx, "update", by=received.identity.name, message_id=received.id or None, who=one.who, before={}, after=given
    )
    await rows.note_entries(tx, number, noted)
    return await finish(app, tx, received, number, Done(len(noted)), [])


async def move(app: App, tx: AsyncConnection, received: Received, one: Said, *, number: str) -> Done:
    """Give what one patient had under an account or visit to another one: entries, and studies that say so or are theirs."""
    segment = one.message.first("MRG")
    if segment is None:
        raise FieldMissing("MRG-1 does not say who the patient was", "MRG^1^1")
    done, which = Done(), _needed(one, number)
    for former in former_of(one, segment):
        done += await _move(app, tx, received, one, former, which)
    return done


async def _move(app: App, tx: AsyncConnection, received: Received, one: Said, former: Who, which: str) -> Done:
    issuers = await issuers_of(tx, former, one.who)
    theirs = await on_entries.of_patient(tx, former, issuers)
    entries = [entry for entry in theirs if value(entry.attributes, ADMISSION) == which]
    studies = _of_visit(await studies_of(tx, former, issuers), entries, which)
    if not entries and not studies:
        return Done()
    known = await known_of(tx, one.who, await issuers_of(tx, one.who, former))
    after = known | only_values(one.patient) | one.who.as_attributes()
    kept = {"who": one.who, "former": former, "before": former.as_attributes(), "after": after}
    change = await rows.add(tx, "move", by=received.identity.name, message_id=received.id or None, **kept)  # type: ignore[arg-type]
    noted = await on_entries.give(tx, entries, lambda _: after)
    await rows.note_entries(tx, change, noted)
    await rows.amend(tx, change, studies=studies)
    return await finish(app, tx, received, change, Done(len(noted), len(studies)), studies)


def _of_visit(studies: Sequence[Study], entries: Sequence[Entry], which: str) -> list[str]:
    arrived = {entry.arrived_study_uid for entry in entries}
    return [one.uid for one in studies if one.uid in arrived or value(one.attributes, ADMISSION) == which]


def _needed(one: Said, path: str) -> str:
    """Give a text that the message must have. Raises FieldMissing."""
    text = one.message.text(path).strip()
    if not text:
        segment, field, *_ = path_of(path)
        raise FieldMissing(f"{path} is empty", f"{segment}^1^{field}")
    return text
