"""Documents and recordings as pages: structured reports, key object selections, encapsulated files, waveforms.

    header = unpack_json(row.header)                               # with edits applied
    stored = StoredFile(path, dataset_offset, size_bytes, transfer_syntax_uid)
    page = await app.imaging.run(render_document, header, "text/html", stored)
    root = read_report(header).root                                # the content tree

All functions take and give plain data, hold nothing and need no app.
"""

from __future__ import annotations

from charrua_core.imaging.documents.attributes import Code
from charrua_core.imaging.documents.content import ContentItem
from charrua_core.imaging.documents.encapsulated import EncapsulatedDocument, encapsulated_document
from charrua_core.imaging.documents.html import POLICY
from charrua_core.imaging.documents.lists import list_pdf
from charrua_core.imaging.documents.render import Rendered, media_types, render_document
from charrua_core.imaging.documents.report import Report, read_report
from charrua_core.imaging.documents.stored import StoredFile
from charrua_core.imaging.documents.waveform import Recording, read_recording, samples

__all__ = [
    "POLICY",
    "Code",
    "ContentItem",
    "EncapsulatedDocument",
    "Recording",
    "Rendered",
    "Report",
    "StoredFile",
    "encapsulated_document",
    "list_pdf",
    "media_types",
    "read_recording",
    "read_report",
    "render_document",
    "samples",
]
