"""Documents of results made into objects of their study (PS3.3 A.45), once each, and the study's status set by them."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from charrua_core.archive.datasets.part10 import new_arrival_id
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.edit.status import STATUSES as STUDY_STATUSES
from charrua_core.archive.edit.status import set_status
from charrua_core.audit import Event
from charrua_core.errors import DocumentTooLarge, DocumentUnreadable, EditInvalid, MetadataInvalid
from charrua_core.imaging.making import About, Made, make, make_cda
from charrua_core.jobs import GiveUp
from charrua_core.tables import instance, series, study
from charrua_core.types import SYSTEM, Identity, Origin
from charrua_hl7.message import Message
from charrua_hl7.patients.documents import Document, documents
from charrua_hl7.patients.results import STATUSES, Result, results_in
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App

_PIECE = 1 << 20


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
    with _file(app, document.content) as path:
        made = await asyncio.to_thread(make_cda, path, about) if document.kind == "cda" else await _pdf(path, about)
        await _store(app, identity, made, of["study_uid"], document.kind)


async def _pdf(path: Path, about: About) -> Made:
    return await asyncio.to_thread(make, path, "pdf", about)


def _uid(*parts: str | bytes) -> str:
    """A UID that these parts alone decide (PS3.5 B.2)."""
    digest = hashlib.blake2b(digest_size=16)
    for one in parts:
        digest.update((one if isinstance(one, bytes) else one.encode()) + b"\0")
    return f"2.25.{uuid.UUID(bytes=digest.digest(), version=5).int}"


@contextmanager
def _file(app: App, content: bytes) -> Iterator[Path]:
    """A file on the volume; what is left of it after a crash is cleared."""
    app.volumes.current.check()
    folder = Path(app.volumes.current.spool_path())
    folder.mkdir(mode=0o700)
    try:
        path = folder / "content"
        path.write_bytes(content)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _store(app: App, identity: Identity, made: Made, study_uid: str, kind: str) -> None:
    """Bring the object in as any other, and write it into the audit trail."""
    origin = Origin("hl7", user=identity.name, association_id=new_arrival_id())
    stored = False
    try:
        spool = app.ingest.begin(made.sop_class_uid, made.sop_instance_uid, made.transfer_syntax_uid, origin)
        try:
            async for piece in _pieces(made):
                waiting = spool.write(memoryview(piece))
                if waiting is not None:
                    await waiting
        except BaseException:
            spool.abort()
            raise
        await app.ingest.store(spool, study_uid=study_uid)
        stored = True
    finally:
        app.audit.later(
            Event.INSTANCES_TRANSFERRED,
            "C",
            identity.name,
            origin,
            succeeded=stored,
            study_uids=(study_uid,),
            attached=kind,
            sop_instance=made.sop_instance_uid,
        )


async def _pieces(made: Made) -> AsyncIterator[bytes]:
    with SegmentSource(made.segments) as source:
        for at in range(0, source.size, _PIECE):
            yield await asyncio.to_thread(source.read, at, _PIECE)


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
