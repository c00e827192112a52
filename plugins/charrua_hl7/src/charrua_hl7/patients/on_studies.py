"""What the archive's studies say of patients, corrected by edits that can be undone: the job behind the messages.

Changes are done in the order of their messages. One that fails for a while holds up those that follow; one that cannot be
done at all is marked so, at its message as well.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydicom.datadict import tag_for_keyword
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit.edit import Patient, assign_study, edit_patient, merge_patients
from charrua_core.archive.edit.record import Record
from charrua_core.errors import CharruaError, EditInvalid, NotPermitted, StudyNotFound
from charrua_core.jobs import GiveUp
from charrua_core.types import SYSTEM, Identity, Origin
from charrua_hl7.patients import rows
from charrua_hl7.patients.known import Study, for_studies, studies_of
from charrua_hl7.patients.on_entries import patient_in
from charrua_hl7.patients.rows import Change
from charrua_hl7.patients.said import BIRTH_DATE, NAME, SEX
from charrua_hl7.patients.who import Who, issuers_of
from charrua_hl7.tables import message
from charrua_hl7.worklist.entries import value

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)


class TakenBack(CharruaError):
    """The change was taken back while its studies were about to be edited."""


async def correct_studies(app: App, payload: dict[str, Any]) -> None:
    """Correct the studies of all changes up to this one; or those of a former patient that came after their merge."""
    if "arrived" in payload:
        await _follow(app, Who(*payload["arrived"]))
        return
    async with app.db.reading() as connection:
        numbers = await rows.waiting(connection, payload["change"])
    failed = [sentence for number in numbers if (sentence := await _done(app, number))]
    if failed:
        raise GiveUp(failed[0])


async def _done(app: App, number: int) -> str:
    """Do what a change means for studies; give why that cannot be."""
    async with app.db.reading() as connection:
        change = await rows.get(connection, number)
    if change is None or change.undone_at:
        return ""
    try:
        await _apply(app, change)
    except (EditInvalid, NotPermitted) as error:
        return await _failed(app, change, error)
    if change.kind == "merge":  # the one that stays may have become another
        await _follow(app, change.who)
    async with app.db.transaction() as tx:
        await rows.amend(tx, number, state="done")
    return ""


async def _follow(app: App, who: Who) -> None:
    """Give what came under a former ID the patient that it has become, merge by merge."""
    async with app.db.reading() as connection:
        steps = await rows.chain(connection, who)
    for step in steps:
        try:
            await _apply(app, step)
        except (EditInvalid, NotPermitted) as error:
            raise GiveUp(await _failed(app, step, error)) from error


async def _apply(app: App, change: Change) -> None:
    """Make the edits that are still to be made: none where studies say it already."""
    try:
        await _KINDS[change.kind](app, change)
    except TakenBack:
        log.info("a patient change was taken back before its studies were edited", extra={"change": change.id})


async def _update(app: App, change: Change) -> None:
    for key, studies in await _by_key(app, change.who):
        attributes = for_studies(change.after, studies)
        if attributes:
            await _edit(change, partial(edit_patient, app, _identity(change), key, attributes))


async def _merge(app: App, change: Change) -> None:
    stays = await _by_key(app, change.who, change.former)
    for key, studies in await _by_key(app, change.former, change.who):
        issuer = stays[0][0].issuer if stays else change.who.issuer if key.issuer else ""
        into = _patient(change, issuer, studies[0])
        if key != Who(into.patient_id, into.issuer):
            await _edit(change, partial(merge_patients, app, _identity(change), key, into))


async def _move(app: App, change: Change) -> None:
    stays = await _by_key(app, change.who, change.former)
    for key, studies in await _by_key(app, change.former, change.who):
        issuer = stays[0][0].issuer if stays else change.who.issuer if key.issuer else ""
        for study in studies:
            if study.uid in change.studies:
                into = _patient(change, issuer, study)
                await _edit(change, partial(assign_study, app, _identity(change), study.uid, into))


_KINDS = {"update": _update, "merge": _merge, "move": _move}


async def _by_key(app: App, who: Who, *others: Who) -> list[tuple[Who, list[Study]]]:
    """Give a patient's studies by the ID and issuer that they name: who has the newest study first."""
    found: dict[Who, list[Study]] = {}
    async with app.db.reading() as connection:
        for study in await studies_of(connection, who, await issuers_of(connection, who, *others)):
            found.setdefault(study.who, []).append(study)
    return list(found.items())


def _patient(change: Change, issuer: str, study: Study) -> Patient:
    """Give the one that stays, as the studies here write their issuer; what nobody says of them stays as it was."""
    known = {**patient_in(study.attributes), **change.after}
    name, birth_date, sex = (value(known, tag) for tag in (NAME, BIRTH_DATE, SEX))
    return Patient(change.who.patient_id, issuer, name, birth_date, sex)


async def _edit(change: Change, make: Any) -> None:
    """Make an edit, and keep its number with the change in one transaction. Raises TakenBack."""

    async def then(tx: AsyncConnection, record: Record) -> None:
        if not await rows.note_edit(tx, change.id, record.id):
            raise TakenBack

    try:
        await make(reason=change.reason, origin=Origin("hl7", user=change.by), then=then)
    except StudyNotFound:
        log.info("studies of a patient change are gone", extra={"change": change.id})


def _identity(change: Change) -> Identity:
    return replace(SYSTEM, name=change.by)


async def _failed(app: App, change: Change, error: CharruaError) -> str:
    """Mark a change, and the message that asked for it, as failed; give the sentence."""
    sentence = f"The studies could not be corrected: {_why(error)}"
    async with app.db.transaction() as tx:
        await rows.amend(tx, change.id, state="failed", sentence=sentence)
        await tx.execute(
            update(message).where(message.c.id == change.message_id).values(state="failed", sentence=sentence)
        )
    return sentence


def _why(error: CharruaError) -> str:
    """Name the attribute that will not do; what it would have said is the patient's matter."""
    keyword = str(error).partition(":")[0]
    if tag_for_keyword(keyword) is not None:
        return f"what the message says as {keyword} cannot be written."
    return f"{error}."
