"""Edits: attributes corrected, studies and series assigned, studies and patients merged. The bytes never change.

Each function makes one record in one transaction, in which `then` is done as well, and gives it back; `edit_undo.undo` takes
it back. All raise NotPermitted,
also where a study has series that the one who asks may not see, StudyNotFound for what is not there or not to be seen at all,
and EditInvalid.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit import values as edit_values
from charrua_core.archive.edit.effective import original_attributes
from charrua_core.archive.edit.make import Then, invalid_unless, make
from charrua_core.archive.edit.record import Overlay, Record, RecordKind
from charrua_core.archive.index.levels import TAGS, tag_of
from charrua_core.archive.search.scope import scope
from charrua_core.errors import EditInvalid, NotPermitted, StudyNotFound
from charrua_core.types import Identity, Level, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

Attributes = Mapping[str, Mapping[str, Any] | None]
Targets = dict[str, Any]
Found = tuple[Targets, Mapping[str, Any]]
"""How a record names what it is about, and the attributes of that as they are."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose study it shall be. Dates as YYYYMMDD, sex as M, F, O or empty; the groups of the name between `=`."""

    patient_id: str
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""


async def edit(
    app: App,
    identity: Identity,
    level: Level,
    uid: str,
    attributes: Attributes,
    *,
    reason: str = "",
    study_uid: str | None = None,
    origin: Origin | None = None,
) -> Record:
    """Give a study, series or image other attributes (DICOM JSON; None takes one away).

    A study takes those of patient and study, a series those of series and equipment, an image all others; never UIDs that
    identify. `study_uid` tells series of one UID in two studies apart.
    """
    after = edit_values.checked(level, attributes)

    async def find(tx: AsyncConnection) -> Found:
        return await _FIND[level](tx, identity, uid, study_uid)

    return await give(app, identity, "edit", after, find, reason, origin)


async def assign_study(
    app: App,
    identity: Identity,
    study_uid: str,
    patient: Patient,
    *,
    reason: str = "",
    origin: Origin | None = None,
    then: Then | None = None,
) -> Record:
    """Make it the study of another patient: all that it says of a patient is replaced."""
    after = patient_attributes(patient)

    async def find(tx: AsyncConnection) -> Found:
        return await _study(tx, identity, study_uid, None)

    return await give(app, identity, "assign_study", after, find, reason, origin, then)


async def assign_series(
    app: App,
    identity: Identity,
    series_uid: str | Collection[str],
    to_study_uid: str,
    *,
    study_uid: str | None = None,
    reason: str = "",
    origin: Origin | None = None,
) -> Record:
    """Move a series, or several, to another study that the archive has.

    Their objects leave with that study's patient and study attributes.
    """
    wanted = [series_uid] if isinstance(series_uid, str) else sorted(set(series_uid))

    async def find(tx: AsyncConnection) -> tuple[Targets, str]:
        keys, source_uid = await edit_targets.some_series(tx, identity, wanted, study_uid)
        invalid_unless(source_uid != to_study_uid, "the series is in that study already")
        await edit_targets.studies(tx, identity, to_study_uid)
        return series_targets(keys, source_uid, to_study_uid), source_uid

    return await _move(app, identity, "assign_series", to_study_uid, find, reason, origin)


async def merge_studies(
    app: App,
    identity: Identity,
    from_study_uid: str,
    into_study_uid: str,
    *,
    reason: str = "",
    origin: Origin | None = None,
) -> Record:
    """Move all series of one study into another; what still arrives for the first goes to the second."""

    async def find(tx: AsyncConnection) -> tuple[Targets, str]:
        invalid_unless(from_study_uid != into_study_uid, "a study cannot be merged into itself")
        source, _ = await edit_targets.studies(tx, identity, from_study_uid, into_study_uid)
        await edit_targets.require_whole(tx, identity, from_study_uid)
        keys = await edit_targets.series_keys(tx, source["id"])
        targets = {
            "level": str(Level.STUDY),
            "study_uids": distinct(from_study_uid, into_study_uid, *(received for received, _ in keys)),
            "from": from_study_uid,
            "into": into_study_uid,
            "series": keys,
        }
        return targets, from_study_uid

    return await _move(app, identity, "merge", into_study_uid, find, reason, origin)


async def merge_patients(
    app: App,
    identity: Identity,
    from_patient: tuple[str, str],
    into: Patient,
    *,
    reason: str = "",
    origin: Origin | None = None,
    then: Then | None = None,
) -> Record:
    """Make all studies of one patient (ID, issuer) those of another; gives one record for all of them."""
    after = patient_attributes(into)

    async def find(tx: AsyncConnection) -> Found:
        invalid_unless(from_patient != (into.patient_id, into.issuer), "a patient cannot be merged into itself")
        return await _all_of_patient(tx, identity, *from_patient)

    return await give(app, identity, "merge", after, find, reason, origin, then)


async def edit_patient(
    app: App,
    identity: Identity,
    patient: tuple[str, str],
    attributes: Attributes,
    *,
    reason: str = "",
    origin: Origin | None = None,
    then: Then | None = None,
) -> Record:
    """Give a patient (ID, issuer) other attributes, in all their studies: one record for all of them."""
    after = edit_values.checked(Level.STUDY, attributes)
    invalid_unless(after.keys() <= TAGS[Level.PATIENT], "a patient has attributes of the patient alone")

    async def find(tx: AsyncConnection) -> Found:
        return await _all_of_patient(tx, identity, *patient)

    return await give(app, identity, "edit", after, find, reason, origin, then)


async def _all_of_patient(tx: AsyncConnection, identity: Identity, patient_id: str, issuer: str) -> Found:
    """All studies of a patient. Those without an ID are of nobody in common."""
    invalid_unless(patient_id, "the patient needs an ID")
    study_uid = tables.study.c.study_uid
    all_of_them = _of_patient(patient_id, issuer, study_uid).order_by(study_uid)
    uids = list(await tx.scalars(all_of_them))
    seen = list(await tx.scalars(all_of_them.where(*scope(identity, Level.STUDY))))
    if not seen:
        raise StudyNotFound
    if seen != uids:
        raise NotPermitted("the patient has studies that you may not see: edit those that you see one by one")
    rows = await edit_targets.whole_studies(tx, identity, *uids)
    targets = {"level": str(Level.PATIENT), "study_uids": uids, "patient_id": patient_id, "issuer": issuer}
    return targets, rows[0]["attributes"]


async def known_patient(app: App, patient_id: str, issuer: str = "") -> Patient:
    """What the newest study of a patient says of them; raises EditInvalid where the archive has none."""
    study = tables.study.c
    columns = (study.patient_name, study.patient_birth_date, study.patient_sex)
    statement = _of_patient(patient_id, issuer, *columns).order_by(study.first_received_at.desc()).limit(1)
    async with app.db.reading() as connection:
        row = (await connection.execute(statement)).first()
    if row is None:
        raise EditInvalid(f"no study here is of the patient {patient_id}")
    return Patient(patient_id, issuer, *row)


def _of_patient(patient_id: str, issuer: str, *columns: Column[Any]) -> Select[Any]:
    study = tables.study.c
    return select(*columns).where(study.patient_id == patient_id, study.issuer == issuer, study.deleted_by.is_(None))


async def give(
    app: App,
    identity: Identity,
    kind: RecordKind,
    after: Overlay,
    find: Callable[[AsyncConnection], Awaitable[Found]],
    reason: str,
    origin: Origin | None,
    then: Then | None = None,
) -> Record:
    """Lay attributes, which were checked, over what is found; `then` is done in the same transaction."""

    async def plan(tx: AsyncConnection) -> Record:
        targets, now = await find(tx)
        before = {tag: now.get(tag) for tag in after if tag in now or after[tag] is not None}
        given = {"attributes": after}
        return Record.new(kind, identity.name, targets, before={"attributes": before}, after=given, reason=reason)

    return await make(app, identity, "edit", origin, plan, then)


async def _move(
    app: App,
    identity: Identity,
    kind: RecordKind,
    to_study_uid: str,
    find: Callable[[AsyncConnection], Awaitable[tuple[Targets, str]]],
    reason: str,
    origin: Origin | None,
) -> Record:
    """Move the series that are found, with the study that they are in, to another study."""

    async def plan(tx: AsyncConnection) -> Record:
        targets, from_study_uid = await find(tx)
        before = {"study_uid": from_study_uid}
        after = {"study_uid": to_study_uid, "original": await original_attributes(tx, to_study_uid)}
        return Record.new(kind, identity.name, targets, before=before, after=after, reason=reason)

    return await make(app, identity, "edit", origin, plan)


async def _study(tx: AsyncConnection, identity: Identity, uid: str, _: str | None) -> Found:
    [study] = await edit_targets.whole_studies(tx, identity, uid)
    return {"level": str(Level.STUDY), "study_uids": [uid]}, study["attributes"]


async def _series(tx: AsyncConnection, identity: Identity, uid: str, study_uid: str | None) -> Found:
    series, study = await edit_targets.one_series(tx, identity, uid, study_uid)
    uids = distinct(study["study_uid"], series["received_study_uid"])
    key = [series["received_study_uid"], uid]
    return {"level": str(Level.SERIES), "study_uids": uids, "series": [key]}, series["attributes"]


async def _image(tx: AsyncConnection, identity: Identity, uid: str, _: str | None) -> Found:
    row, series, study = await edit_targets.one_object(tx, identity, uid)
    uids = distinct(study["study_uid"], series["received_study_uid"])
    named = {"study_uids": uids, "sop_instance_uid": uid, "arrivals": [row["arrival_id"].hex]}
    return {"level": str(Level.IMAGE), **named}, edit_targets.attributes_of_object(row)


_FIND: dict[Level, Callable[[AsyncConnection, Identity, str, str | None], Awaitable[Found]]] = {
    Level.STUDY: _study,
    Level.SERIES: _series,
    Level.IMAGE: _image,
}


# What is said of the object rather than of the patient stays when a study is assigned to another one.
_OF_THE_OBJECT = frozenset(
    tag_of(keyword)
    for keyword in ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence")
)


def patient_attributes(patient: Patient) -> Overlay:
    """All that a study of this patient says of the patient: nothing of the former one is left. Raises EditInvalid."""
    invalid_unless(patient.patient_id, "the patient needs an ID")
    given = {
        "PatientID": patient.patient_id,
        "PatientName": patient.patient_name,
        "PatientBirthDate": patient.birth_date,
        "PatientSex": patient.sex,
    } | ({"IssuerOfPatientID": patient.issuer} if patient.issuer else {})
    former: Overlay = dict.fromkeys(sorted(TAGS[Level.PATIENT] - _OF_THE_OBJECT))
    return former | edit_values.checked(Level.STUDY, edit_values.from_keywords(given))


def series_targets(keys: Sequence[Sequence[str]], *study_uids: str) -> Targets:
    """How a record names series and the studies that it touches."""
    uids = distinct(*study_uids, *(received for received, _ in keys))
    return {"level": str(Level.SERIES), "study_uids": uids, "series": [list(key) for key in keys]}


def distinct(*uids: str) -> list[str]:
    """Each UID once, in their order."""
    return sorted(set(uids))
