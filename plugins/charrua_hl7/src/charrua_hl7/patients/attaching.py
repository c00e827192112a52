"""Documents of results made into objects of their study (PS3.3 A.45), once each, and the study's status set by them."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from charrua_core.archive.edit.status import STATUSES as STUDY_STATUSES
from charrua_core.archive.edit.status import set_status
from charrua_core.errors import DocumentTooLarge, DocumentUnreadable, EditInvalid, MetadataInvalid
from charrua_core.imaging.making import About, Made, make, make_cda
from charrua_core.imaging.making.attaching import attach_object, working_folder
from charrua_core.jobs import GiveUp
from charrua_core.tables import instance, series, study
from charrua_core.types import SYSTEM, Identity, Origin
from charrua_hl7.message import Message
from charrua_hl7.patients.documents import Document, documents
from charrua_hl7.patients.results import STATUSES, Result, results_in
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App


async def attach_results(app: App, payload: dict[str, Any]) -> None:
    """Make the objects of one result that its study does not have yet, and set its status."""
    async with app.db.reading() as connection:
        kept = (await connection.execute(select(message).where(message.c.id == payload["message"]))).first()
        found = (
            (await connection.execute(select(study).where(study.c.study_uid == payload["study"]))).mappings().first()
        )
    if kept is None:
        raise GiveUp("the message is no longer kept")
    if found is None or found["deleted_by"] is not None:
        raise GiveUp(await _failed(app, kept.id, "The study of the result is no longer here."))
    result = results_in(Message.parse(bytes(kept.content)))[payload["result"] - 1]
    identity = Identity(f"HL7 {kept.sending_application[:64] or '?'}", "system", permissions=SYSTEM.permissions)
    try:
        for document in documents(result.observations):
            await _attach(app, identity, found, document, kept.at)
    except (DocumentUnreadable, DocumentTooLarge, MetadataInvalid) as error:
        raise GiveUp(await _failed(app, kept.id, f"A document could not be made an object: {error}.")) from error
    await _set_status(app, identity, payload["study"], result, found["status"])


async def _attach(app: App, identity: Identity, of: Any, document: Document, at: datetime) -> None:
    """Store one document, unless the study has it: it is known by its content, so that it is stored once."""
    uids = [_uid(of["study_uid"], kind, document.content) for kind in ("series", "object")]
    async with app.db.reading() as connection:
        is_here = select(instance.c.id).where(instance.c.sop_instance_uid == uids[1], instance.c.deleted_by.is_(None))
        if await connection.scalar(is_here) is not None:
            return
        numbers = await connection.scalars(select(series.c.series_number).where(series.c.study_id == of["id"]))
        number = max((int(one) for one in numbers if one.isdecimal() and len(one) < 9), default=0) + 1
    local = at.astimezone().replace(tzinfo=None)
    about = About(
        of["attributes"], document.title, series_number=number, at=local, series_uid=uids[0], sop_instance_uid=uids[1]
    )
    origin = Origin("hl7", user=identity.name)
    async with working_folder(app) as folder:
        path = folder / "content"
        await asyncio.to_thread(path.write_bytes, document.content)
        made = await asyncio.to_thread(make_cda, path, about) if document.kind == "cda" else await _pdf(path, about)
        await attach_object(app, made, of["study_uid"], document.kind, by=identity.name, origin=origin)


async def _pdf(path: Path, about: About) -> Made:
    return await asyncio.to_thread(make, path, "pdf", about)


def _uid(*parts: str | bytes) -> str:
    """A UID that these parts alone decide (PS3.5 B.2)."""
    digest = hashlib.blake2b(digest_size=16)
    for one in parts:
        digest.update((one if isinstance(one, bytes) else one.encode()) + b"\0")
    return f"2.25.{uuid.UUID(bytes=digest.digest(), version=5).int}"


async def _set_status(app: App, identity: Identity, study_uid: str, result: Result, now: str) -> None:
    """Set the study's status where the result takes it further; messages may come out of their order."""
    wanted = STATUSES.get(result.status, now)
    if STUDY_STATUSES.index(wanted) <= STUDY_STATUSES.index(now):
        return
    try:
        reason = f"HL7: result {result.status}"
        await set_status(app, identity, study_uid, wanted, reason=reason, origin=Origin("hl7", user=identity.name))
    except EditInvalid:  # somebody has just given it this one
        return


async def _failed(app: App, number: int, sentence: str) -> str:
    async with app.db.transaction() as tx:
        await tx.execute(update(message).where(message.c.id == number).values(state="failed", sentence=sentence))
    return sentence
