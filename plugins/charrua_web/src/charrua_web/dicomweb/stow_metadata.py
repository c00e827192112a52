"""Objects that come as metadata and bulk data (PS3.18 10.5.1.2): parts of bulk data are kept in one file until all are here.

A BulkDataURI stands for the part of the same Content-Location, and for nothing else: no address is ever fetched. Several
parts of one Content-Location are the frames of an image, in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.bulk import BulkData
from charrua_core.archive.datasets.compose import compose_dataset
from charrua_core.archive.datasets.received import read_json
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.datasets.xmlmodel import from_xml
from charrua_core.errors import CharruaError, MetadataInvalid
from charrua_core.types import DicomJson, FileRange
from charrua_core.web import HttpError, MediaType
from charrua_core.web.datasets import DICOM_JSON, DICOM_XML
from charrua_web.dicomweb.incoming import IncomingPart
from charrua_web.dicomweb.intake import Intake, Outcome, check_kind, identified
from charrua_web.dicomweb.stow_bulk import encapsulated, is_native, syntax_of

if TYPE_CHECKING:
    from charrua_core.archive.ingest.ingest import Spool

METADATA = (DICOM_JSON, DICOM_XML)
MOST_METADATA = 16 << 20
"""Bytes of metadata of one request: they are read as a whole, and take some times as much memory."""

_CHUNK = 256 << 10
_SOP_CLASS, _SOP_INSTANCE = "00080016", "00080018"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of bulk data, where it lies."""

    media_type: MediaType
    value: FileRange


class MetadataIntake:
    """Takes the parts of one request, then stores the objects that they make; `close` it in any case."""

    def __init__(self, intake: Intake, most: int) -> None:
        self._intake = intake
        self._most = most
        self._documents: list[tuple[str, bytes]] = []
        self._parts: dict[str, list[_Part]] = {}
        self._spool: Spool | None = None

    def close(self) -> None:
        """Remove the bulk data."""
        if self._spool is not None:
            self._spool.abort()

    async def take(self, part: IncomingPart, kind: MediaType) -> None:
        """Take a part of this media type. HttpError 400 for bulk data that no URI can name, 413 for too much metadata."""
        if kind.type in METADATA:
            self._documents.append((kind.type, await self._document(part)))
            return
        location = part.headers.get("content-location", "")
        if not location:
            raise HttpError(400, "a part of bulk data has no Content-Location")
        spool = self._spool = self._spool or self._intake.begin(Outcome(), "")
        start = spool.size
        await self._intake.write(spool, part.pieces)
        value = FileRange(spool.path, start, spool.size - start)
        self._parts.setdefault(location, []).append(_Part(kind, value))

    async def _document(self, part: IncomingPart) -> bytes:
        read = bytearray()
        left = MOST_METADATA - sum(len(document) for _, document in self._documents)
        async for piece in part.pieces:
            read += piece
            if len(read) > left:
                raise HttpError(413, f"a request may have {MOST_METADATA >> 20} MiB of metadata at most")
        return bytes(read)

    async def store(self) -> None:
        """Make and store the objects. MetadataInvalid where the metadata cannot be read; what fails later is an outcome."""
        datasets = await asyncio.to_thread(self._read)
        if len(datasets) > self._most:
            raise HttpError(413, f"a request may bring {self._most} objects at most")
        for dataset in datasets:
            await self._store(dataset)

    def _read(self) -> list[DicomJson]:
        datasets: list[DicomJson] = []
        for kind, document in self._documents:
            datasets += read_json(document) if kind == DICOM_JSON else [from_xml(document)]
        return datasets

    async def _store(self, dataset: DicomJson) -> None:
        outcome = Outcome(_uid(dataset, _SOP_CLASS), _uid(dataset, _SOP_INSTANCE))
        try:
            identified(outcome)
            if self._spool is not None and self._spool.failure is not None:
                raise self._spool.failure
            segments, syntax = await asyncio.to_thread(self._composed, dataset)
            check_kind(self._intake.app.settings, outcome.sop_class_uid, syntax)
            spool = self._intake.begin(outcome, syntax)
        except CharruaError as error:
            self._intake.failed(error, outcome)
            return
        await self._intake.write(spool, _pieces(segments))
        await self._intake.store(spool)

    def _composed(self, dataset: DicomJson) -> tuple[list[bytes | FileRange], str]:
        """The data set's bytes and its transfer syntax."""
        values = _Values(self._parts)
        try:
            return compose_dataset(dataset, values.of), values.transfer_syntax_uid
        except MetadataInvalid as error:
            error.dimse_status = 0xC000
            raise


class _Values:
    """The bulk data of one object."""

    def __init__(self, parts: dict[str, list[_Part]]) -> None:
        self._parts = parts
        self.transfer_syntax_uid = "1.2.840.10008.1.2.1"

    def of(self, uri: str, vr: str) -> BulkData:
        """Give the value that the URI stands for."""
        parts = self._parts.get(uri)
        if parts is None:
            raise MetadataInvalid("no part of the request has the Content-Location of a BulkDataURI")
        values = [part.value for part in parts]
        syntax = syntax_of(parts[0].media_type, values[0])
        if is_native(syntax):
            return BulkData(vr, [*values])
        self.transfer_syntax_uid = syntax
        return BulkData("OB", encapsulated(values), encapsulated=True)


def _uid(dataset: DicomJson, tag: str) -> str:
    values: Sequence[object] = dataset.get(tag, {}).get("Value", ())
    return str(values[0]) if values and values[0] else ""


async def _pieces(segments: Sequence[bytes | FileRange]) -> AsyncIterator[memoryview]:
    with SegmentSource(segments) as source:
        chunks = source.chunks(_CHUNK)
        while piece := await asyncio.to_thread(next, chunks, b""):
            yield memoryview(piece)
