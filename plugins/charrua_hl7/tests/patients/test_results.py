"""Results by ORU^R01: documents in the study, its status, the order's end."""

from __future__ import annotations

from base64 import b64encode

import pytest
from sqlalchemy import select

from charrua_core.tables import study
from charrua_core.testing import outside
from charrua_core.testing.files import PDF
from charrua_hl7.errors import KeyUnknown, ValueInvalid
from charrua_hl7.tables import entry

DATA = outside.DATA / "hl7"
needs_data = outside.with_data
PID = "PID|||4711^^^HOSP||Doe^Jane"
OBR = "OBR|1|P1|F1|CT^Chest CT||||||||||||||A1|||||||{status}"


def a_result(status="F", content=b"", media="application^pdf^Base64"):
    observation = (
        f"OBX|1|ED|18748-4^Report^LN||^{media}^{b64encode(content).decode()}" if content else "OBX|1|TX|1||fine"
    )
    return PID, OBR.format(status=status), observation


async def status_of(hospital, table, **by):
    [(column, given)] = by.items()
    async with hospital.app.db.reading() as connection:
        return await connection.scalar(select(table.c.status).where(table.c[column] == given))


@needs_data
@pytest.mark.parametrize(("sample", "kind"), [("PDF", "application/pdf"), ("CDA", "text/XML")])
async def test_a_document_of_a_sample_message_is_an_object_of_its_study_once(hospital, sample, kind) -> None:
    uid = await hospital.image("PID_1", name="Smith^Lucy^Mark", StudyInstanceUID="1.2.392.200036.9125.0.198811291108.7")
    content = (DATA / f"dcm4che-ORU_R01-{sample}.hl7").read_bytes()
    for control in (b"100112", b"999999"):  # another message of the same document
        await hospital.hears(content=content.replace(b"100112", control, 1))
        await hospital.works()
    [document] = await hospital.objects(uid)
    assert (document.MIMETypeOfEncapsulatedDocument, document.PatientID) == (kind, "PID_1")
    assert document.DocumentTitle == document.SeriesDescription == "Diagnostic Imaging Report"
    mark = b"%PDF-1.3" if sample == "PDF" else b"<?xml"
    assert document.EncapsulatedDocument.startswith(mark)
    assert sample == "PDF" or document.HL7InstanceIdentifier == "1.2.840.113619.2.62.994044785528.12^20060828170821659"
    assert await status_of(hospital, study, study_uid=uid) == "FINAL"


async def test_a_final_result_ends_its_entry_and_later_ones_take_no_status_back(hospital) -> None:
    uid = await hospital.image("4711", AccessionNumber="A1")
    await hospital.works()  # so that the study's arrival does not end it
    number = await hospital.order("4711", AccessionNumber="A1")
    seen = []
    for status in ("P", "F", "P"):
        await hospital.hears(*a_result(status), event="ORU^R01")
        await hospital.works()
        seen.append((await status_of(hospital, study, study_uid=uid), await status_of(hospital, entry, id=number)))
    assert seen == [("PRELIMINARY", "SCHEDULED"), ("FINAL", "COMPLETED"), ("FINAL", "COMPLETED")]


async def test_a_result_waits_for_its_study_and_is_taken_when_it_comes_again(hospital) -> None:
    segments = a_result(content=PDF)
    head = "MSH|^~\\&|HIS|HOSP|CHARRUA||20260501||ORU^R01|77|P|2.5"
    message = "\r".join([head, *segments]).encode()
    with pytest.raises(KeyUnknown):
        await hospital.hears(content=message)
    await hospital.image("0815", AccessionNumber="A1")  # of somebody else
    with pytest.raises(KeyUnknown):
        await hospital.hears(content=message)
    uid = await hospital.image("4711", AccessionNumber="A1")
    await hospital.hears(content=message)
    await hospital.works()
    [document] = await hospital.objects(uid)
    assert bytes(document.EncapsulatedDocument).rstrip(b"\0") == PDF.rstrip(b"\0")


async def test_a_result_of_a_merged_patient_finds_the_study_of_the_one_that_stays(hospital) -> None:
    uid = await hospital.image("4711", AccessionNumber="A1")
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet", "MRG|4711^^^HOSP", event="ADT^A40")
    await hospital.works()
    await hospital.hears(*a_result(content=PDF), event="ORU^R01")
    await hospital.works()
    [document] = await hospital.objects(uid)
    assert document.PatientID == "NEW"


async def test_a_document_that_is_not_what_it_says_is_refused(hospital) -> None:
    await hospital.image("4711", AccessionNumber="A1")
    with pytest.raises(ValueInvalid) as refused:
        await hospital.hears(*a_result(content=b"no PDF"), event="ORU^R01")
    assert refused.value.location == "OBX^1^5"
