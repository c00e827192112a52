"""The archive's own transfer syntax (setting `archive_transfer_syntax`): objects are put into it after they were stored.

Lossless only, and proven: the new file is read back from the disk and compared, frame by frame and element by element,
before the object's row speaks of it. Whatever cannot be proven stays as it was received.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, select

from charrua_core import errors
from charrua_core.archive.datasets.header import scan
from charrua_core.archive.datasets.part10 import file_meta, read_file_meta
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.index.replace_file import replace_file
from charrua_core.archive.index.rows import Filed
from charrua_core.archive.regenerate.files import digests
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.proof import prove
from charrua_core.imaging.transcode import PIXEL_FAILURES, transcoded
from charrua_core.jobs import JobType
from charrua_core.jobs.gathering import gather
from charrua_core.settings import Setting
from charrua_core.storage import object_path
from charrua_core.storage.placing import failure
from charrua_core.tables import instance
from charrua_core.types import Arrival, AsReceived, FileRange, Origin, StoredObject

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.storage import Volume

FOLLOWER = "core.transcode"
KIND = "transcode"
AS_RECEIVED = "as received"
CHOICES = {
    AS_RECEIVED: "",
    "explicit little endian": syntaxes.EXPLICIT_LITTLE_ENDIAN,
    "implicit little endian": syntaxes.IMPLICIT_LITTLE_ENDIAN,
    "jpeg lossless": syntaxes.JPEG_LOSSLESS_SV1,
    "jpeg 2000 lossless": syntaxes.JPEG_2000_LOSSLESS,
    "htj2k lossless": syntaxes.HTJ2K_LOSSLESS,
    "jpeg-ls lossless": syntaxes.JPEG_LS,
}
SETTINGS = (
    Setting(
        "archive_transfer_syntax",
        str,
        AS_RECEIVED,
        choices=tuple(CHOICES),
        help="Transfer syntax that the archive keeps objects in, if it is not the one in which they come. It is applied after "
        "they were stored, to what comes from then on, without any loss; what is compressed already is decompressed or "
        "left as it is.",
        since="0.1",
    ),
)

LOSSLESS = frozenset(
    {
        syntaxes.RLE,
        syntaxes.DEFLATED_FRAMES,
        syntaxes.JPEG_LOSSLESS,
        syntaxes.JPEG_LOSSLESS_SV1,
        syntaxes.JPEG_LS,
        syntaxes.JPEG_2000_LOSSLESS,
        syntaxes.HTJ2K_LOSSLESS,
        syntaxes.HTJ2K_LOSSLESS_RPCL,
        syntaxes.JPEG_XL_LOSSLESS,
    }
)
"""Compressed transfer syntaxes that hold every value of what was compressed."""
FRAME_TIMEOUT_S = 120.0
_AT_ONCE = 4
_LEFT_ALONE = (errors.NotProven, errors.HeaderDamaged, *PIXEL_FAILURES)

log = logging.getLogger(__name__)


def wants(stored: str, wanted: str) -> bool:
    """Whether an object in one syntax is to be put into the other.

    Never out of a lossy one, nor from one compression into another.
    """
    if stored == wanted or not wanted:
        return False
    return stored in syntaxes.NATIVE or (stored in LOSSLESS and wanted in syntaxes.NATIVE)


async def plan(app: App, stored: StoredObject, *, again: bool) -> None:
    """Have a stored object put into the archive's transfer syntax, if that is another one."""
    wanted = CHOICES[app.settings["archive_transfer_syntax"]]
    if wants(stored.transfer_syntax_uid, wanted):
        async with app.db.transaction() as tx:
            await gather(app.jobs, tx, KIND, [stored.sop_instance_uid, stored.version], {}, lane=KIND, again=again)


def transcode_job(app: App) -> JobType:
    """The kind of jobs that puts objects into the archive's transfer syntax."""

    async def run(payload: Mapping[str, Any]) -> None:
        await put_into_own_syntax(app, payload["objects"])

    return JobType(KIND, run, lane_concurrency=2)


async def put_into_own_syntax(app: App, objects: Sequence[Sequence[Any]]) -> None:
    """Put these objects, by SOP Instance UID and version, into the archive's transfer syntax; those that are go by.

    It may be done again and again. Raises what keeps the volume or the database from it; the other objects are done.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(uid: str, version: int) -> None:
        async with turns:
            await _put(app, uid, version)

    outcomes = await asyncio.gather(*(one(uid, version) for uid, version in objects), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _put(app: App, uid: str, version: int) -> None:
    wanted = CHOICES[app.settings["archive_transfer_syntax"]]
    async with app.db.singleton(f"transcode {uid} {version}") as alone:
        row = await _row(app, uid, version)
        if not alone or row is None or not wants(row["transfer_syntax_uid"], wanted):
            return
        if row["pixel_data_offset"] is None and wanted not in syntaxes.NATIVE:
            return
        fields = {"action": "transcode", "object": uid, "transfer_syntax": wanted}
        try:
            saved = await _Archiving(app, row, wanted).run()
        except _LEFT_ALONE as error:
            log.info("left as received: %s", error, extra=fields)
        else:
            log.info("transcoded", extra=fields | {"saved_bytes": saved})


async def _row(app: App, uid: str, version: int) -> RowMapping | None:
    this = (instance.c.sop_instance_uid == uid, instance.c.version == version)
    kept = (instance.c.deleted_by.is_(None), instance.c.unparsed.is_(False))
    async with app.db.reading() as connection:
        return (await connection.execute(select(instance).where(*this, *kept))).mappings().first()


class _Archiving:
    """One object on its way from its file to the one that takes its place."""

    def __init__(self, app: App, row: RowMapping, wanted: str) -> None:
        self._app = app
        self._row = row
        self._wanted = wanted
        self._volume: Volume = app.volumes.current
        file = app.volumes.by_id(row["volume_id"]).path(row["path"])
        self._old = FileRange(file, row["dataset_offset"], row["size_bytes"] - row["dataset_offset"])

    async def run(self) -> int:
        """Do it; gives how many bytes are saved."""
        self._volume.check()
        spool = self._volume.spool_path()
        try:
            await self._write(spool)
            filed = await asyncio.to_thread(self._read, spool)
            new = FileRange(spool, filed.dataset_offset, filed.size_bytes - filed.dataset_offset)
            await prove(
                self._app.imaging, self._old, self._row["transfer_syntax_uid"], new, self._wanted, FRAME_TIMEOUT_S
            )
            await _to_its_end(self._take_over(spool, filed))
        finally:
            await asyncio.to_thread(_remove, spool)
        return int(self._row["size_bytes"] - filed.size_bytes)

    async def _write(self, spool: str) -> None:
        imaging, stored = self._app.imaging, self._row["transfer_syntax_uid"]
        new = transcoded(imaging, [self._old], stored, self._wanted, self._volume.spool_path, timeout_s=FRAME_TIMEOUT_S)
        async with new as made:
            row = self._row
            meta = file_meta(row["sop_class_uid"], row["sop_instance_uid"], self._wanted, self._arrival())
            await asyncio.to_thread(_write, spool, [meta, *made.segments])

    def _arrival(self) -> Arrival:
        row = self._row
        stored, digest = row["transfer_syntax_uid"], row["dataset_digest"]
        if row["received_digest"] is not None:
            stored, digest = row["received_syntax_uid"], row["received_digest"]
        as_received = AsReceived(stored, digest, datetime.now(UTC))
        return Arrival(row["arrival_id"].hex, row["received_at"], Origin(**row["origin"]), as_received)

    def _read(self, spool: str) -> Filed:
        """What the index will have of the new file, read from it; blocks."""
        descriptor = os.open(spool, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(descriptor).st_size
            meta = read_file_meta(descriptor)
            meta_digest, dataset_digest = digests(descriptor, meta.dataset_offset)
            header = scan(descriptor, self._wanted, dataset_offset=meta.dataset_offset, size=size)
        finally:
            os.close(descriptor)
        assert meta.arrival is not None  # noqa: S101  it was just written
        return Filed(
            header=header,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            arrival=meta.arrival,
            seen=None,
            overlay=None,
            volume_id=self._volume.id,
            path="",
            size_bytes=size,
            dataset_offset=meta.dataset_offset,
            meta_digest=meta_digest,
            dataset_digest=dataset_digest,
        )

    async def _take_over(self, spool: str, filed: Filed) -> None:
        """Put the new file in its place for good, and have the row speak of it."""
        header = filed.header
        uids = (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid)
        path = await self._volume.place(spool, object_path(self._row["received_at"], *uids))
        try:
            taken = await replace_file(self._app, self._row, replace(filed, path=path))
        except errors.CommitUnknown:
            raise  # the file stays: its row may be there
        except Exception:
            await self._volume.remove(path)
            raise
        if not taken:
            await self._volume.remove(path)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do what leaves a file behind where it is broken off; a caller that is cancelled waits for it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _remove(spool: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(spool)


def _write(path: str, segments: Sequence[bytes | FileRange]) -> None:
    try:
        with open(path, "xb") as file, SegmentSource(segments) as source:
            for at in range(0, source.size, _COPIED_AT_ONCE):
                file.write(source.read(at, _COPIED_AT_ONCE))
    except OSError as error:
        raise failure(error) from error


_COPIED_AT_ONCE = 1 << 20
