"""Edits of several series of one study, each as one record: attributes given to them, and a study of their own."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pydicom.uid import generate_uid
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit import values as edit_values
from charrua_core.archive.edit.edit import Attributes, Found, Patient, give, patient_attributes, series_targets
from charrua_core.archive.edit.effective import laid
from charrua_core.archive.edit.make import invalid_unless, make
from charrua_core.archive.edit.record import Overlay, Record
from charrua_core.archive.index.levels import STUDY_INSTANCE_UID
from charrua_core.errors import StudyNotFound
from charrua_core.tables import series, study
from charrua_core.types import DicomJson, Identity, Level, Origin, is_valid_uid

if TYPE_CHECKING:
    from charrua_core.app import App


async def edit_series(
    app: App,
    identity: Identity,
    study_uid: str,
    series_uids: Collection[str],
    attributes: Attributes,
    *,
    reason: str = "",
    origin: Origin | None = None,
) -> Record:
    """Give series of a study other attributes of series and equipment; raises as `edit.edit`."""
    after = edit_values.checked(Level.SERIES, attributes)

    async def find(tx: AsyncConnection) -> Found:
        keys, _ = await edit_targets.some_series(tx, identity, sorted(set(series_uids)), study_uid)
        first, _ = await edit_targets.one_series(tx, identity, keys[0][1], study_uid)
        return series_targets(keys, study_uid), first["attributes"]

    return await give(app, identity, "edit", after, find, reason, origin)


async def split(
    app: App,
    identity: Identity,
    study_uid: str,
    series_uids: Collection[str],
    *,
    patient: Patient | None = None,
    attributes: Attributes | None = None,
    new_study_uid: str = "",
    reason: str = "",
    origin: Origin | None = None,
) -> Record:
    """Move series of a study to a new study: of another patient where one is given, otherwise of the same.

    The new study says what the old one does, with `attributes` over it. It gets a UID of its own, or `new_study_uid`, which
    nothing in the archive has: StudyNotFound where something has, or where the identity does not see all that could have.
    Gives the record, whose `after["study_uid"]` is the new study's.
    """
    over: Overlay = patient_attributes(patient) if patient else {}
    over |= edit_values.checked(Level.STUDY, attributes) if attributes else {}
    uid = new_study_uid or str(generate_uid(prefix=None))
    invalid_unless(is_valid_uid(uid), "the new study's UID is no UID")

    async def plan(tx: AsyncConnection) -> Record:
        await _require_free(tx, identity, new_study_uid)
        keys, source = await edit_targets.some_series(tx, identity, sorted(set(series_uids)), study_uid)
        [row] = await edit_targets.studies(tx, identity, source)
        told: DicomJson = laid(over, row["attributes"]) | {STUDY_INSTANCE_UID: {"vr": "UI", "Value": [uid]}}
        after = {"study_uid": uid, "original": told}
        targets = series_targets(keys, source, uid)
        before = {"study_uid": source}
        return Record.new("assign_series", identity.name, targets, before=before, after=after, reason=reason)

    return await make(app, identity, "edit", origin, plan)


async def _require_free(tx: AsyncConnection, identity: Identity, uid: str) -> None:
    """Raise StudyNotFound unless this UID, where one is asked for, may be a new study's."""
    if not uid:
        return
    of_study = select(study.c.id).where(study.c.study_uid == uid)
    of_series = select(series.c.id).where(series.c.received_study_uid == uid)
    if identity.row_filters or await tx.scalar(of_study) or await tx.scalar(of_series.limit(1)):
        raise StudyNotFound
