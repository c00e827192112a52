"""Reports that are final, as ORU^R01: for each version and character set, read back by hl7apy and by our own reader."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hl7apy.parser import parse_message
from sqlalchemy import select

from charrua_core.types import FinalReport
from charrua_hl7.message import Message
from charrua_hl7.outgoing import report_final
from charrua_hl7.outgoing.receiver import VERSIONS, described
from charrua_hl7.outgoing.results import result_message
from charrua_hl7.outgoing.segments import Order
from charrua_hl7.tables import message

REPORT = FinalReport(
    study_uid="1.2.3",
    patient_id="4711",
    issuer="NORTE",
    patient_name="PÉREZ^ANA^^Dra.^II=山田^太郎",
    accession_number="A1",
    title="CT of the head",
    text="No fracture.\n\nSize 3 x 4 mm | left ~ 5 & more ^ \\ end\r\nNo bleeding.",
    author="GÓMEZ^LUIS",
    signed_at=datetime(2026, 3, 6, 17, 30, tzinfo=UTC),
    birth_date="19700102",
    sex="F",
)
ORDER = Order(placer="P-1", filler="F-1", accession_number="A1", code=("CTH", "CT of the head", "99H"), modality="CT")
LINES = [
    "CT of the head",
    "No fracture.",
    "Size 3 x 4 mm | left ~ 5 & more ^ \\ end",
    "No bleeding.",
]


class Settings(dict):
    """Those of an archive that has one application name, and links."""


class Archive:
    settings = Settings(
        hl7_application="CHARRUA", hl7_facility="NORTE", hl7_study_link="https://pacs.example/studies/{study}?a=1"
    )


def made(report=REPORT, pdf=b"", **fields):
    receiver = described("HIS", {"host": "his", "port": 2575, **fields})
    return result_message(Archive(), report, ORDER, receiver, pdf)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_is_what_others_read_of_it(version) -> None:
    written = made(version=version, pdf=b"%PDF-1.4 0123")
    theirs = parse_message(written.content.decode().strip())
    assert theirs.validate()
    ours = Message.parse(written.content)
    for read in (ours.text, lambda path: _of_theirs(theirs, path)):
        assert (read("PID-3.1"), read("PID-3.4"), read("PID-5.1")) == ("4711", "NORTE", "PÉREZ")
        assert (read("OBR-25"), read("OBR-18"), read("ORC-2"), read("ORC-3")) == ("F", "A1", "P-1", "F-1")
        assert read("MSH-12") == version
    assert [one.text("5") for one in ours.all("OBX") if one.text("2") == "TX"] == LINES
    [document] = [one for one in ours.all("OBX") if one.text("2") == "ED"]
    assert (document.text("5.3"), document.text("5.4")) == ("PDF", "Base64")
    assert base64.b64decode(document.text("5.5")) == b"%PDF-1.4 0123"
    [link] = [one for one in ours.all("OBX") if one.text("2") == "RP"]
    assert link.text("5.1") == "https://pacs.example/studies/1.2.3?a=1"


def _of_theirs(read, path):
    segment, field, *component = path.lower().replace("-", ".").split(".")
    [found] = [one for one in _segments(read) if one.name == segment.upper()][:1]
    value = getattr(found, f"{segment}_{field}")[0]
    return value.to_er7().split("^")[int(component[0]) - 1 if component else 0]


def _segments(element):
    for child in element.children:
        if child.classname == "Segment":
            yield child
        else:
            yield from _segments(child)


def test_names_are_written_as_hl7_has_them() -> None:
    pid = Message.parse(made().content).first("PID")
    assert pid.written(5) == "PÉREZ^ANA^^II^Dra.^^L^A~山田^太郎^^^^^L^I"
    assert Message.parse(made().content).first("OBX").written(16) == "^GÓMEZ^LUIS"


@pytest.mark.parametrize(
    ("character_set", "codec", "name"), [("8859/1", "latin-1", "PÉREZ^ANA"), ("UNICODE UTF-8", "utf-8", "山田^太郎")]
)
def test_a_receiver_gets_its_character_set(character_set, codec, name) -> None:
    content = made(replace(REPORT, patient_name=name), character_set=character_set).content
    assert name.split("^")[0].encode(codec) in content
    assert Message.parse(content).text("MSH-18") == character_set
    assert Message.parse(content).text("PID-5.1") == name.split("^")[0]


def test_what_a_character_set_does_not_have_is_a_question_mark() -> None:
    content = made(replace(REPORT, patient_name="山田^太郎"), character_set="8859/1").content
    assert Message.parse(content).text("PID-5.1") == "??"


def test_a_correction_says_so() -> None:
    corrected = Message.parse(made(replace(REPORT, status="C")).content)
    assert (corrected.text("OBR-25"), corrected.text("OBX-11")) == ("C", "C")


def test_a_large_document_takes_less_than_seconds() -> None:
    began = time.perf_counter()
    content = made(pdf=b"0" * (10 << 20)).content
    assert len(content) > 13_000_000
    assert time.perf_counter() - began < 5


async def test_a_report_is_sent_once_however_often_it_is_told(app, hospital, add_receiver, order, sending) -> None:
    await add_receiver(hospital, sends=["results"])
    await order("A1")
    report = replace(REPORT, sop_instance_uid="1.2.3.4.5")  # which is not here (any more)
    for _ in range(2):
        await report_final(app, report)
    await report_final(app, replace(report, status="C"))
    async with app.db.reading() as connection:
        rows = (await connection.execute(select(message.c.message_type, message.c.accession_number))).all()
    assert rows == [("ORU^R01", "A1")] * 2
    async with sending():
        from charrua_core.testing.waiting import until

        await until(lambda: len(hospital.taken) == 2)
    assert [(one.text("OBR-25"), one.text("ORC-2")) for one in hospital.taken] == [("F", "P-1"), ("C", "P-1")]
