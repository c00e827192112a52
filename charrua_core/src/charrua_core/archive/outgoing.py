"""An object as it leaves the archive: the bytes of its file, and over them what the edits in force lay (DESIGN §5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.datasets.bulk import BulkData, find_bulk_data
from charrua_core.archive.datasets.metadata import metadata_json, read_metadata_json
from charrua_core.archive.datasets.overlay import Modification, apply_overlay
from charrua_core.archive.datasets.part10 import file_meta
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.edit.effective import in_force, laid_over
from charrua_core.archive.edit.record import Overlay
from charrua_core.errors import StorageFailed, StudyNotFound
from charrua_core.tables import series, study
from charrua_core.types import DicomJson, FileRange

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.search import Described, InstanceRecord

_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An object ready to be sent: its data set in this transfer syntax is the segments, one after another."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    segments: list[bytes | FileRange]


@dataclass(frozen=True, slots=True)
class _Layers:
    """What lies over the objects of one series, and since when."""

    study: Mapping[str, Any]
    series: Mapping[str, Any]
    edited_at: datetime

    def over(self, record: InstanceRecord) -> tuple[Overlay, bool]:
        """All that is laid over an object, and whether any of it is more than what it was given by itself."""
        alone = dict(record.overlay or {})
        over = laid_over(self.study, self.series, {"overlay": alone})
        return over, over != alone


async def open_object(app: App, record: InstanceRecord) -> Outgoing:
    """One object as it leaves; see `Opener.open`."""
    return await Opener(app).open(record)


async def open_bulk_data(app: App, record: InstanceRecord, path: str) -> BulkData:
    """One value of an object, edits in force applied; the path as `datasets.bulk.find_bulk_data` takes it.

    Raises as that and `Opener.open` do.
    """
    outgoing = await open_object(app, record)
    return await asyncio.to_thread(find_bulk_data, outgoing.segments, outgoing.transfer_syntax_uid, path)


class Opener:
    """Opens the objects of one retrieval, which come series by series: the layers of the last one are kept."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._layers: tuple[int, _Layers] | None = None

    async def open(self, record: InstanceRecord) -> Outgoing:
        """The object with the edits in force applied; reads nothing of the file where there are none.

        Raises StudyNotFound when it was removed meanwhile, StorageFailed when its volume is gone, HeaderDamaged when an
        edited object's file cannot be walked.
        """
        volume = self._app.volumes.by_id(record.volume_id)
        whole = FileRange(volume.path(record.path), record.dataset_offset, record.size_bytes - record.dataset_offset)
        segments: list[bytes | FileRange] = [whole]
        if record.edited:
            segments = await self._edited(record, whole)
        return Outgoing(record.sop_class_uid, record.sop_instance_uid, record.transfer_syntax_uid, segments)

    async def metadata(self, described: Described, bulk_data: str) -> bytes:
        """What `open` would give, in DICOM JSON, from the index alone; each BulkDataURI begins with `bulk_data` and a slash.

        The file is read only where the header was too large for the index (`Described.unparsed`). Raises as `open` does.
        """
        record = described.record
        if described.unparsed:
            outgoing = await self.open(record)
            syntax = outgoing.transfer_syntax_uid
            return await asyncio.to_thread(read_metadata_json, outgoing.segments, syntax, bulk_data)
        if not record.edited:
            return metadata_json(described.header, bulk_data)
        return metadata_json(described.header, bulk_data, *await self._edits(record))

    async def _edited(self, record: InstanceRecord, whole: FileRange) -> list[bytes | FileRange]:
        over, modification = await self._edits(record)
        syntax = record.transfer_syntax_uid
        return await asyncio.to_thread(
            apply_overlay, whole.path, whole.offset, record.size_bytes, syntax, over, modification
        )

    async def _edits(self, record: InstanceRecord) -> tuple[Overlay, Modification]:
        """What is laid over an edited object, and how it is told."""
        if self._layers is None or self._layers[0] != record.series_id:
            self._layers = (record.series_id, await self._read_layers(record.series_id))
        layers = self._layers[1]
        over, corrected = layers.over(record)
        reason: Literal["CORRECT", "COERCE"] = "CORRECT" if corrected else "COERCE"
        return over, Modification(self._app.settings["dicom_aet"], layers.edited_at, reason)

    async def _read_layers(self, series_id: int) -> _Layers:
        async with self._app.db.reading() as connection:
            series_row = (await connection.execute(select(series).where(series.c.id == series_id))).mappings().first()
            if series_row is None:
                raise StudyNotFound
            statement = select(study).where(study.c.id == series_row["study_id"])
            study_row = (await connection.execute(statement)).mappings().one()
            edited_at = await _edited_at(connection, study_row["study_uid"], series_row)
        plain: Mapping[str, Any] = {**study_row}
        return _Layers(plain, {**series_row}, edited_at)


async def _edited_at(connection: AsyncConnection, study_uid: str, series_row: Mapping[Any, Any]) -> datetime:
    """When the last edit in force was made: the same at each retrieval, so that equal objects leave as equal bytes."""
    records = await in_force(connection, {study_uid, series_row["received_study_uid"]})
    moments: list[datetime] = [record.made_at for record in records]
    return max(moments, default=series_row["first_received_at"])


def header_of(outgoing: Outgoing) -> DicomJson:
    """Give the attributes of an object as it leaves, its bulk data left out; blocks. Raises HeaderDamaged, StorageFailed."""
    header: DicomJson = orjson.loads(read_metadata_json(outgoing.segments, outgoing.transfer_syntax_uid, ""))
    return header


async def part10_of(outgoing: Outgoing) -> AsyncGenerator[bytes, None]:
    """Give the file (PS3.10 7) that an object leaves as, in pieces. Raises StorageFailed."""
    yield file_meta(outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax_uid)
    with SegmentSource(outgoing.segments) as source:
        for at in range(0, source.size, _READ_AT_ONCE):
            wanted = min(_READ_AT_ONCE, source.size - at)
            piece = await asyncio.to_thread(source.read, at, wanted)
            if len(piece) < wanted:
                raise StorageFailed("the file of the object ends too soon")
            yield piece
