"""One way in: an object that is no image, as what a browser, a printer or a program can take."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from charrua_core.errors import NotRenderable
from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.encapsulated import encapsulated_document
from charrua_core.imaging.documents.html import write_html
from charrua_core.imaging.documents.layout import report_page
from charrua_core.imaging.documents.page import Page
from charrua_core.imaging.documents.recording import first_sheet, recording_page
from charrua_core.imaging.documents.report import read_report
from charrua_core.imaging.documents.sopclasses import AUDIO, ENCAPSULATED, is_report, is_waveform
from charrua_core.imaging.documents.stored import StoredFile
from charrua_core.imaging.documents.waveform import Recording, read_recording
from charrua_core.types import DicomJson, FileRange

HTML, PDF, PNG, SVG, JSON = "text/html", "application/pdf", "image/png", "image/svg+xml", "application/json"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was made of an object. HTML and JSON are in UTF-8; HTML is whole under `html.POLICY`."""

    media_type: str
    body: bytes | FileRange


def media_types(sop_class_uid: str) -> tuple[str, ...]:
    """The media types in which objects of a SOP class can be had, the best for a person first; none for images and others."""
    if is_report(sop_class_uid):
        return HTML, PDF, JSON, PNG
    if is_waveform(sop_class_uid):
        return (HTML, PDF) if sop_class_uid in AUDIO else (HTML, PDF, SVG, PNG)
    return (ENCAPSULATED[sop_class_uid],) if sop_class_uid in ENCAPSULATED else ()


def render_document(header: DicomJson, media_type: str, stored: StoredFile | None = None) -> Rendered:
    """An object as a document of the media type; blocks, so call it by `app.imaging.run`.

    `header` is the object's, with edits applied; `stored` says where its bytes are, needed for all that the header leaves
    there. PNG is the first sheet only, SVG the first drawing. Raises NotRenderable for a type that `media_types` does not
    have, DocumentUnreadable and DocumentTooLarge.
    """
    sop_class_uid = a.text(header, "00080016")
    if media_type not in media_types(sop_class_uid):
        raise NotRenderable(f"objects of this kind cannot be had as {media_type}")
    if sop_class_uid in ENCAPSULATED:
        return Rendered(media_type, encapsulated_document(header, stored).body)
    if is_report(sop_class_uid):
        report = read_report(header, stored)
        made = orjson.dumps(report.plain()) if media_type == JSON else _written(report_page(report), media_type)
        return Rendered(media_type, made)
    recording = read_recording(header)
    if media_type == SVG:
        return Rendered(media_type, _drawing(recording, stored))
    return Rendered(media_type, _written(recording_page(recording, stored), media_type))


def _written(page: Page, media_type: str) -> bytes:
    if media_type == HTML:
        return write_html(page)
    from charrua_core.imaging.documents import typeset  # the worker process loads it, the server does not

    return typeset.write_pdf(page) if media_type == PDF else typeset.write_png(page)


def _drawing(recording: Recording, stored: StoredFile | None) -> bytes:
    subject = recording.subject
    headline = " · ".join(part for part in (subject.patient_name, subject.patient_id, recording.acquired_at) if part)
    return first_sheet(recording, stored).svg(headline).encode()
