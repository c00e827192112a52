"""Documents that lie in an object as they are (PS3.3 C.24): PDF, CDA, STL, OBJ and MTL, told without reading them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from charrua_core.errors import DocumentUnreadable, NotRenderable
from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.sopclasses import ENCAPSULATED
from charrua_core.imaging.documents.stored import StoredFile, bulk_bytes, bulk_length, bulk_range
from charrua_core.types import DicomJson, FileRange, is_valid_uid

ENCAPSULATED_DOCUMENT = "00420011"

_SUFFIXES = {
    "application/pdf": "pdf",
    "text/xml": "xml",
    "model/stl": "stl",
    "model/obj": "obj",
    "model/mtl": "mtl",
}
_MOST_INFLATED = 256 << 20  # bytes: of a deflated object, the document is inflated in memory
_PADDED = {"application/pdf", "text/xml", "model/obj", "model/mtl"}


@dataclass(frozen=True, slots=True)
class EncapsulatedDocument:
    """A document as it was before it was put into an object."""

    media_type: str
    """What the object's SOP class says, whatever the object says: a PDF is never sent as a web page."""
    title: str
    file_name: str
    """Made of the SOP Instance UID: safe in a header and as a name in any file system."""
    size_bytes: int
    body: FileRange | bytes
    """Where the document lies; its bytes where that is nowhere in the file as they are, or they are very few."""

    @property
    def shown_in_place(self) -> bool:
        """Whether a browser may show it within a page, in a sandbox; all else is to be saved as a file."""
        return self.media_type == "application/pdf"


def encapsulated_document(header: DicomJson, stored: StoredFile | None) -> EncapsulatedDocument:
    """The document that an object holds, from its header with edits applied; blocks while it looks at the last byte.

    Raises NotRenderable for an object of another kind, DocumentUnreadable where the document is missing or not all there,
    DocumentTooLarge for more than 256 MiB in a deflated object.
    """
    media_type = ENCAPSULATED.get(a.text(header, "00080016"))
    if media_type is None:
        raise NotRenderable("the object holds no document")
    element = header.get(ENCAPSULATED_DOCUMENT, {})
    if bulk_length(element) == 0:
        raise DocumentUnreadable("the object's document is empty")
    body = _cut(_body(element, stored), a.count(header, "00420015"), padded=media_type in _PADDED)
    uid = a.text(header, "00080018")
    return EncapsulatedDocument(
        media_type,
        a.text(header, "00420010") or _concept(header),
        f"{uid if is_valid_uid(uid) else 'document'}.{_SUFFIXES[media_type]}",
        len(body) if isinstance(body, bytes) else body.length,
        body,
    )


def _concept(header: DicomJson) -> str:
    code = a.code(header, "0040A043")
    return code.text if code else ""


def _body(element: dict[str, Any], stored: StoredFile | None) -> FileRange | bytes:
    return bulk_range(element, stored) or bulk_bytes(element, stored, _MOST_INFLATED)


def _cut(body: FileRange | bytes, told: int, *, padded: bool) -> FileRange | bytes:
    """The document without the byte that fills its value up to an even length.

    Encapsulated Document Length says where it ends; older objects do not have it, and there a last byte of zero is none of
    a format that never ends so.
    """
    size = len(body) if isinstance(body, bytes) else body.length
    is_filled = told == size - 1 or (told != size and padded and _last(body, size) == b"\0")
    kept = size - 1 if is_filled else size
    return body[:kept] if isinstance(body, bytes) else FileRange(body.path, body.offset, kept)


def _last(body: FileRange | bytes, size: int) -> bytes:
    if isinstance(body, bytes):
        return body[-1:]
    try:
        with open(body.path, "rb", buffering=0) as file:
            file.seek(body.offset + size - 1, os.SEEK_SET)
            return file.read(1)
    except OSError as error:
        raise DocumentUnreadable("the object's file cannot be read") from error
