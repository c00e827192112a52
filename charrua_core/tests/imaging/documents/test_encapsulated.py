"""Documents within objects: told as ranges of the file, byte for byte what was put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from charrua_core.errors import DocumentUnreadable, NotRenderable
from charrua_core.imaging.documents import EncapsulatedDocument, encapsulated_document, render_document
from charrua_core.testing.documents import a_code, a_document
from charrua_core.testing.outside import DATA, with_data
from charrua_core.types import FileRange

PDF, CDA, STL, OBJ, MTL = (f"1.2.840.10008.5.1.4.1.1.104.{number}" for number in (1, 2, 3, 4, 5))
SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]


def content(body: FileRange | bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    return Path(body.path).read_bytes()[body.offset : body.offset + body.length]


def an_encapsulated(sop_class_uid: str, document: bytes, media_type: str = "", **attributes: Any) -> pydicom.Dataset:
    told = {"SOPClassUID": sop_class_uid, "MIMETypeOfEncapsulatedDocument": media_type, "Modality": "DOC", **attributes}
    return a_document(**told, EncapsulatedDocument=document + b"\0" * (len(document) % 2))


@with_data
def test_a_pdf_is_a_range_of_the_file(real: Callable[..., Any]) -> None:
    found = encapsulated_document(*real("encapsulated/pdf.dcm"))
    assert isinstance(found.body, FileRange)
    kept = pydicom.dcmread(DATA / "encapsulated/pdf.dcm").EncapsulatedDocument
    assert kept.startswith(content(found.body))
    assert len(kept) - found.size_bytes <= 1
    assert (found.media_type, found.shown_in_place) == ("application/pdf", True)


@pytest.mark.parametrize("transfer_syntax", SYNTAXES)
@pytest.mark.parametrize("size", [1, 10, 1023, 1024, 1025, 70_001])
@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_document_comes_out_as_it_was_put_in(
    transfer_syntax: str, size: int, told: bool, stored: Callable[..., Any]
) -> None:
    document = b"%PDF-1.7".ljust(size, b"x")[:size]
    length = {"EncapsulatedDocumentLength": size} if told else {}
    found = encapsulated_document(*stored(an_encapsulated(PDF, document, **length, transfer_syntax=transfer_syntax)))
    assert content(found.body) == document
    assert found.size_bytes == size


def test_a_format_that_may_end_in_zeros_keeps_them(stored: Callable[..., Any]) -> None:
    found = encapsulated_document(*stored(an_encapsulated(STL, b"solid\0\0\0")))
    assert content(found.body) == b"solid\0\0\0"


@pytest.mark.parametrize(
    ("sop_class_uid", "media_type", "suffix"),
    [
        (PDF, "application/pdf", "pdf"),
        (CDA, "text/xml", "xml"),
        (STL, "model/stl", "stl"),
        (OBJ, "model/obj", "obj"),
        (MTL, "model/mtl", "mtl"),
    ],
)
@pytest.mark.parametrize("said", ["", "text/html", "image/svg+xml", "application/pdf\r\nX-Evil: 1"])
def test_the_sop_class_says_what_a_document_is_whatever_the_object_says(
    sop_class_uid: str, media_type: str, suffix: str, said: str, stored: Callable[..., Any]
) -> None:
    header, file = stored(an_encapsulated(sop_class_uid, b"<script>", said, DocumentTitle='"; evil="../../x'))
    found = encapsulated_document(header, file)
    assert found.media_type == media_type
    assert found.file_name == f"{header['00080018']['Value'][0]}.{suffix}"
    assert found.shown_in_place == (media_type == "application/pdf")
    assert content(render_document(header, media_type, file).body) == b"<script>"
    with pytest.raises(NotRenderable):
        render_document(header, "text/html", file)


@pytest.mark.parametrize(
    ("attributes", "title"),
    [
        ({"DocumentTitle": "Befund"}, "Befund"),
        ({"ConceptNameCodeSequence": a_code("Consultation")}, "Consultation"),
        ({}, ""),
    ],
)
def test_a_document_has_a_title(attributes: dict[str, Any], title: str, stored: Callable[..., Any]) -> None:
    assert encapsulated_document(*stored(an_encapsulated(PDF, b"%PDF", **attributes))).title == title


def test_an_object_without_a_document_is_refused(stored: Callable[..., Any]) -> None:
    with pytest.raises(DocumentUnreadable):
        encapsulated_document(*stored(a_document(SOPClassUID=PDF)))
    with pytest.raises(NotRenderable):
        encapsulated_document(*stored(a_document()))


def test_a_document_past_the_end_of_its_file_is_refused(stored: Callable[..., Any]) -> None:
    header, file = stored(an_encapsulated(PDF, b"%PDF" * 1000))
    element = header["00420011"]
    for uri in (f"?offset={file.size_bytes - 10}&length=100", "?offset=-1&length=5", "file:///etc/passwd", "?offset=1"):
        element["BulkDataURI"] = uri
        with pytest.raises(DocumentUnreadable):
            encapsulated_document(header, file)


def test_a_document_is_told_and_not_read(stored: Callable[..., Any]) -> None:
    found: EncapsulatedDocument = encapsulated_document(*stored(an_encapsulated(PDF, bytes(1 << 20))))
    assert isinstance(found.body, FileRange)
