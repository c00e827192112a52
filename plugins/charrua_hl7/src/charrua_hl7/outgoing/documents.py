"""Objects that hold reports: the PDF of one, and the report that a verified one is (setting `hl7_results_of_documents`)."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.archive.search import InstanceRecord, OneOf, Query, instances
from charrua_core.errors import CharruaError
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.documents import StoredFile, media_types, read_report, render_document
from charrua_core.imaging.stored import StoredObject as Found
from charrua_core.imaging.stored import stored_object
from charrua_core.types import SYSTEM, DicomJson, FileRange, FinalReport, Level, StoredObject

if TYPE_CHECKING:
    from charrua_core.app import App

PDF = "application/pdf"
MOST_BYTES = 20 << 20
"""A larger document is not put into a message."""
_MODALITIES = frozenset({"SR", "DOC"})
_SOP_INSTANCE_UID = "00080018"
log = logging.getLogger(__name__)


async def pdf_of(app: App, sop_instance_uid: str) -> bytes:
    """Give the PDF that an object holds or can be had as, b"" where there is none."""
    try:
        record = await _record(app, sop_instance_uid)
        if record is None or PDF not in media_types(record.sop_class_uid):
            return b""
        found = await stored_object(app, record)
        made = await app.imaging.run(render_document, dict(found.attributes.elements), PDF, _file(found))
        return await asyncio.to_thread(_read, made.body)
    except CharruaError as error:
        log.warning("a report is sent without its PDF: %s", type(error).__name__, exc_info=error)
        return b""


async def final_report(app: App, stored: StoredObject) -> FinalReport | None:
    """Give the report that an object is which has just arrived: one that is complete (where it says so) and verified."""
    if stored.modality not in _MODALITIES or PDF not in media_types(stored.sop_class_uid):
        return None
    record = await _record(app, stored.sop_instance_uid)
    if record is None:
        return None
    found = await stored_object(app, record)
    about = found.attributes
    if about.text("0040A493") != "VERIFIED" or about.text("0040A491") not in ("", "COMPLETE"):
        return None
    title, text = await asyncio.to_thread(_words, about, found)
    names = Attributes(next(iter(about.values("0040A073")), {}))
    return FinalReport(
        study_uid=stored.study_uid,
        patient_id=about.text("00100020"),
        issuer=about.text("00100021"),
        patient_name=about.text("00100010"),
        accession_number=about.text("00080050"),
        title=title,
        text=text,
        author=names.text("0040A075"),
        signed_at=stored.received_at,
        sop_instance_uid=stored.sop_instance_uid,
        birth_date=about.text("00100030"),
        sex=about.text("00100040"),
    )


def _words(about: Attributes, found: Found) -> tuple[str, str]:
    """Title and text; a PDF has no text."""
    if about.text("00080060") != "SR":
        return about.text("00420010"), ""
    report = read_report(_json(about), _file(found))
    told = [f"{one.name}: {one.text}" if one.name else one.text for one in report.root.walk() if one.text]
    return report.title, "\n".join(told)


def _json(about: Attributes) -> DicomJson:
    return {tag: dict(element) for tag, element in about.elements.items()}


async def _record(app: App, sop_instance_uid: str) -> InstanceRecord | None:
    query = Query(Level.IMAGE, keys={_SOP_INSTANCE_UID: OneOf("UI", (sop_instance_uid,))}, relational=True)
    async for record in instances(app, query, SYSTEM):
        return record
    return None


def _file(found: Found) -> StoredFile:
    return StoredFile(str(found.path), found.dataset_offset, found.size_bytes, found.transfer_syntax_uid)


def _read(body: bytes | FileRange) -> bytes:
    """The document, b"" where it is too large."""
    if isinstance(body, bytes):
        return body if len(body) <= MOST_BYTES else b""
    if body.length > MOST_BYTES:
        return b""
    with Path(body.path).open("rb") as file:
        file.seek(body.offset)
        return file.read(body.length)
