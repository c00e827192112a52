"""Objects that hold reports: their PDF goes along with a result; where that is chosen, verified ones are results themselves."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from charrua_core.testing.devices import received_of
from charrua_core.testing.documents import a_document, a_report, a_text
from charrua_core.testing.files import PDF
from charrua_core.types import SYSTEM, Origin, StoredObject
from charrua_hl7.message import Message
from charrua_hl7.outgoing import document_stored, receivers
from charrua_hl7.tables import message

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
ORIGIN = Origin("dimse", calling_aet="RIS")


@pytest.fixture
async def app(open_archive):
    """An archive in which documents are results, with one receiver of them."""
    app = await open_archive(settings={"hl7_results_of_documents": True})
    await receivers.add(app, "HIS", {"host": "127.0.0.1", "port": 9}, SYSTEM, ORIGIN)
    return app


async def come(app, document):
    """Store an object, and tell of it as the follower does."""
    sent = received_of(document)
    spool = app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, ORIGIN)
    spool.write(memoryview(sent.data_set))
    stored = await app.ingest.store(spool)
    uids = (stored.study_uid, stored.series_uid, stored.sop_instance_uid)
    kind = (sent.sop_class_uid, sent.transfer_syntax_uid, str(document.Modality), 1, datetime.now(UTC))
    await document_stored(app, StoredObject(*uids, *kind, ORIGIN))


async def written(app):
    async with app.db.reading() as connection:
        return [Message.parse(bytes(one)) for one in await connection.scalars(select(message.c.content))]


def a_pdf(**attributes):
    """An encapsulated PDF."""
    return a_document(
        SOPClassUID=ENCAPSULATED_PDF,
        Modality="DOC",
        DocumentTitle="CT of the head",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=PDF + b"\0" * (len(PDF) % 2),
        EncapsulatedDocumentLength=len(PDF),
        **attributes,
    )


async def test_verified_documents_are_results_and_others_are_none(app) -> None:
    text = a_text("Finding", "No fracture")
    await come(app, a_pdf(VerificationFlag="UNVERIFIED"))
    await come(app, a_report(text, Modality="SR", CompletionFlag="PARTIAL", VerificationFlag="VERIFIED"))
    assert await written(app) == []
    await come(app, a_pdf(VerificationFlag="VERIFIED"))
    await come(app, a_report(text, Modality="SR", CompletionFlag="COMPLETE", VerificationFlag="VERIFIED"))
    of_pdf, of_report = await written(app)
    [document] = [one for one in of_pdf.all("OBX") if one.text("2") == "ED"]
    assert base64.b64decode(document.text("5.5")) == PDF
    lines = [one.text("5") for one in of_report.all("OBX") if one.text("2") == "TX"]
    assert lines[-1] == "Finding: No fracture"
    [page] = [one for one in of_report.all("OBX") if one.text("2") == "ED"]
    assert base64.b64decode(page.text("5.5")).startswith(b"%PDF")
