"""The structured reports and selections of a study, read: the newest first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrua_core.archive.search import records
from charrua_core.errors import DocumentTooLarge, DocumentUnreadable
from charrua_core.imaging.documents import Report, StoredFile, read_report
from charrua_core.imaging.stored import stored_object
from charrua_core.types import DicomJson
from charrua_web.dicomweb.wado_selection import selected_below
from charrua_web.documents.document import MANUFACTURER
from charrua_web.documents.images import header_of
from charrua_web.documents.readback import author_of

if TYPE_CHECKING:
    from charrua_core.web import Request

MOST = 200
"""Documents of one study that are read."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document that the caller may see."""

    uid: str
    series_uid: str
    header: DicomJson
    report: Report
    author: str
    """The name of the account that made it here; empty where it came from elsewhere."""

    @property
    def made_at(self) -> str:
        """Content Date and Time, which sort."""
        return "".join(str((self.header.get(tag, {}).get("Value") or [""])[0]) for tag in ("00080023", "00080033"))

    def is_by(self, login: str) -> bool:
        """Whether this account made it here."""
        return bool(self.author) and self.author == login


async def documents(request: Request, sop_classes: Sequence[str]) -> list[Document]:
    """Give the documents of these SOP classes in the study of the path, newest first, but those that others replace.

    One that cannot be read is left out: it is seen as an object all the same. Raises StudyNotFound where the caller may see
    nothing of the study.
    """
    chosen = await selected_below(request, {"study": request.parameters["study"]})
    ids = sorted((one for run in chosen.runs if run.sop_class_uid in sop_classes for one in run.ids), reverse=True)
    found = []
    for record in (await records(request.app, ids[:MOST])).values():
        stored = await stored_object(request.app, record)
        file = StoredFile(str(stored.path), stored.dataset_offset, stored.size_bytes, stored.transfer_syntax_uid)
        header = header_of(stored)
        report = await asyncio.to_thread(_read, header, file)
        if report is not None:
            author = author_of(report) if _is_ours(header) else ""
            found.append(Document(record.sop_instance_uid, record.series_uid, header, report, author))
    return sorted(_in_force(found), key=lambda one: one.made_at, reverse=True)


def _read(header: DicomJson, file: StoredFile) -> Report | None:
    try:
        return read_report(header, file)
    except (DocumentTooLarge, DocumentUnreadable, RecursionError):
        return None


def _is_ours(header: DicomJson) -> bool:
    return bool((header.get("00080070", {}).get("Value") or [""])[0] == MANUFACTURER)


def _in_force(found: Sequence[Document]) -> Iterable[Document]:
    """Without those whose content a later document of the same author holds (Predecessor Documents Sequence)."""
    authors = {one.uid: one.author for one in found}
    replaced = {
        earlier.sop_instance_uid
        for one in found
        for earlier in one.report.predecessors
        if authors.get(earlier.sop_instance_uid) == one.author
    }
    return [one for one in found if one.uid not in replaced]
