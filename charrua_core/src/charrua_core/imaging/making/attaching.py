"""Objects that are made here, brought into the archive as any other: into the study that they were made for."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.part10 import new_arrival_id
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.ingest.ingest import Stored
from charrua_core.audit import Event
from charrua_core.imaging.making.about import Made
from charrua_core.types import Origin

if TYPE_CHECKING:
    from charrua_core.app import App

_PIECE = 1 << 20


@asynccontextmanager
async def working_folder(app: App) -> AsyncIterator[Path]:
    """A private folder on the volume, where files lie that become objects; what is left of it after a crash is cleared.

    Raises StorageFull, StorageFailed.
    """
    app.volumes.current.check()
    folder = Path(app.volumes.current.spool_path())
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def attach_object(app: App, made: Made, study_uid: str, kind: str, *, by: str, origin: Origin) -> Stored:
    """Store an object in its study, and write it into the audit trail (PS3.15 A.5.3.7), whether it could be stored or not.

    `kind` is what it was made of; `origin` is where that came from: the object's arrival is a new one. Raises what ingest
    raises.
    """
    origin = replace(origin, association_id=new_arrival_id())
    stored: Stored | None = None
    try:
        stored = await _store(app, made, study_uid, origin)
        return stored
    finally:
        app.audit.later(
            Event.INSTANCES_TRANSFERRED,
            "C",
            by,
            origin,
            succeeded=stored is not None,
            study_uids=(study_uid,),
            attached=kind,
            sop_instance=made.sop_instance_uid,
        )


async def _store(app: App, made: Made, study_uid: str, origin: Origin) -> Stored:
    spool = app.ingest.begin(made.sop_class_uid, made.sop_instance_uid, made.transfer_syntax_uid, origin)
    try:
        async for piece in _pieces(made):
            waiting = spool.write(memoryview(piece))
            if waiting is not None:
                await waiting
    except BaseException:
        spool.abort()
        raise
    return await app.ingest.store(spool, study_uid=study_uid)


async def _pieces(made: Made) -> AsyncIterator[bytes]:
    with SegmentSource(made.segments) as source:
        for at in range(0, source.size, _PIECE):
            yield await asyncio.to_thread(source.read, at, _PIECE)
