"""Which steps a message orders, and what its fields become."""

from __future__ import annotations

import random
from contextlib import suppress

import orjson
import pytest

from charrua_core.archive.index.levels import tag_of
from charrua_hl7.errors import FieldMissing, MessageRefused, TypeUnsupported
from charrua_hl7.mapping.lines import Line
from charrua_hl7.message import Message

from .told import HEAD, PID, an_order, order_of, patient_by, steps_of, told

ORC, OBR = "ORC|NW|P1|F1", "OBR|1|P1|F1|CTC^CT chest^L"


def ids(content: str) -> list[tuple[str, str]]:
    """Give control and Scheduled Procedure Step ID of the steps."""
    return [(one.control, told(one.attributes)["ScheduledProcedureStepID"]) for one in steps_of(content)]


def test_each_obr_of_each_orc_is_a_step() -> None:
    content = an_order("ORC|NW|P1", "OBR|1|P1||A", "OBR|2|P1||B", "ORC|CA|P2", "OBR|3|P2||C")
    assert ids(content) == [("NW", "1"), ("NW", "2"), ("CA", "1")]


def test_each_ipc_is_a_step_with_what_its_order_says() -> None:
    ipc = "IPC|A1|R1|1.2.3.4.{0}|S{0}|MR^M|P{0}^Brain|||MR1~MR2"
    first, second = (
        told(one.attributes) for one in steps_of(an_order(ORC, OBR, ipc.format(1), ipc.format(2), kind="OMI^O23"))
    )
    assert (first["ScheduledProcedureStepID"], second["ScheduledProcedureStepID"]) == ("S1", "S2")
    assert first["AccessionNumber"] == second["AccessionNumber"] == "A1"
    assert (first["StudyInstanceUID"], second["StudyInstanceUID"]) == ("1.2.3.4.1", "1.2.3.4.2")
    assert (first["ScheduledStationAETitle"], first["Modality"]) == ("MR1; MR2", "MR")


def test_pairs_that_name_the_same_step_are_its_protocol_codes() -> None:
    pair = ("ORC|NW|P{0}|F{0}", "OBR|1|P{0}|F{0}|U^Update^L^C{0}^Code {0}^L||||||||||||||A1|R1|S1||||CT")
    content = an_order(
        *(one.format(1) for one in pair), *(one.format(2) for one in pair), "ZDS|1.2.3.4.5^^Application^DICOM"
    )
    [step] = steps_of(content)
    assert told(step.attributes)["ScheduledProtocolCodeSequence"] == "C1|L|Code 1; C2|L|Code 2"


def test_one_study_uid_is_of_all_pairs() -> None:
    pairs = [f"ORC|NW|P1\rOBR|{n}{'|' * 17}A1|R1|S{n}" for n in (1, 2)]
    steps = steps_of(an_order(*pairs, "ZDS|1.2.3.4.5"))
    assert [told(one.attributes)["StudyInstanceUID"] for one in steps] == ["1.2.3.4.5"] * 2


def test_comments_belong_to_what_they_follow() -> None:
    content = an_order("NTE|1||of the patient", ORC, OBR, "NTE|1||of the order", "NTE|2||in two lines")
    found = order_of(content)
    assert (found["PatientComments"], found["RequestedProcedureComments"]) == (
        "of the patient",
        "of the order\nin two lines",
    )


def test_an_order_without_an_obr_still_names_its_order() -> None:
    assert ids(an_order("ORC|CA|P1|F1")) == [("CA", "1")]


@pytest.mark.parametrize(
    ("event", "control"), [("S12", "NW"), ("S13", "XO"), ("S14", "XO"), ("S15", "CA"), ("S17", "CA"), ("S26", "CA")]
)
def test_the_event_of_an_appointment_says_what_is_done(event, control) -> None:
    content = (
        HEAD.format(type=f"SIU^{event}") + "SCH|B1|B2\r" + PID + "RGS|1\rAIS|1||X^CT head|20260310\rAIS|2|D|Y^CT neck"
    )
    assert [one.control for one in steps_of(content)] == [control, "CA"]


def test_an_appointment_without_services_is_one_step() -> None:
    content = HEAD.format(type="SIU^S12") + "SCH|B1|||||CT||||m|^^60^20260617084500\r" + PID + "RGS|1\rAIL|1||ROOM1"
    found = order_of(content)
    assert (found["ScheduledProcedureStepStartDate"], found["ScheduledProcedureStepLocation"]) == ("20260617", "ROOM1")
    assert found["Modality"] == "CT"


@pytest.mark.parametrize(
    ("content", "location"),
    [
        (an_order(ORC, OBR, pid="PID|1||||Doe^Jane\r"), "PID^1^3"),
        (an_order("ORC|NW", "OBR|1|||CT"), "ORC^1^2"),
        (an_order("NTE|1"), "ORC^1"),
        (HEAD.format(type="SIU^S12") + PID, "ORC^1"),
    ],
)
def test_what_must_be_there_is_named_where_it_is_missing(content, location) -> None:
    with pytest.raises(FieldMissing) as refused:
        steps_of(content)
    assert refused.value.location == location


def test_a_message_that_orders_nothing_has_no_steps() -> None:
    with pytest.raises(TypeUnsupported):
        steps_of(HEAD.format(type="ADT^A08") + PID)


def test_null_deletes_and_nothing_leaves_as_it_is() -> None:
    [step] = steps_of(an_order(ORC, OBR + '|||||||||""', pid='PID|1||4711||Doe^Jane||""|U\r'))
    assert step.attributes[tag_of("PatientBirthDate")] == {"vr": "DA"}
    assert step.attributes[tag_of("MedicalAlerts")] == {"vr": "LO"}
    assert step.attributes[tag_of("PatientSex")] == {"vr": "CS"}
    assert tag_of("PatientAddress") not in step.attributes


def test_what_the_message_does_not_say_is_apart_from_what_it_says() -> None:
    [step] = steps_of(an_order(ORC, "OBR|1|P1|F1|KNEE"))
    assert "Modality" not in told(step.attributes)
    assert told(step.defaults) == {
        "Modality": "CR",
        "ScheduledProcedureStepStartDate": "20260309",
        "ScheduledProcedureStepStartTime": "101500",
    }
    assert told(step.complete)["ScheduledProcedureStepID"] == "1"


@pytest.mark.parametrize(
    ("segment", "day", "time"),
    [
        ("TQ1|1||||||20260310143000", "20260310", "143000"),
        ("TQ1|1||||||202603101430", "20260310", "143000"),
        ("TQ1|1||||||20260310143000.5", "20260310", "143000.5"),
        ("TQ1|1||||||2026031014300012", "20260310", "143000"),
        ("TQ1|1||||||20260310", "20260310", "000000"),  # not the hour of another day
        ("TQ1|1||||||2026-03-10T14:30:00", "20260310", "143000"),
        ("TQ1|1||||||20260310240000", "20260311", "000000"),
        ("TQ1|1||||||20261310", "20260309", "101500"),  # no such month: that of the message
        ("TQ1|1||||||soon", "20260309", "101500"),
    ],
)
def test_times_have_any_precision(segment, day, time) -> None:
    found = order_of(an_order(ORC, segment, "OBR|1|P1|F1|X"))
    assert (found["ScheduledProcedureStepStartDate"], found["ScheduledProcedureStepStartTime"]) == (day, time)


def test_a_time_with_an_offset_is_local_and_a_birth_is_as_written(monkeypatch) -> None:
    import time

    from charrua_hl7.mapping.moments import stamp

    monkeypatch.setenv("TZ", "America/Montevideo")
    time.tzset()
    stamp.cache_clear()
    try:
        pid = "PID|1||4711||Doe||19800101000000+0000\r"
        found = order_of(an_order(ORC, "TQ1|1||||||20260310003000+0000", "OBR|1|P1|F1|X", pid=pid))
        assert (found["ScheduledProcedureStepStartDate"], found["ScheduledProcedureStepStartTime"]) == (
            "20260309",
            "213000",
        )
        assert found["PatientBirthDate"] == "19800101"
    finally:
        monkeypatch.undo()
        time.tzset()
        stamp.cache_clear()


@pytest.mark.parametrize("born", ["1978", "197813", "19780231", "01/15/1978", "?"])
def test_a_bad_birth_date_is_left_out_and_the_order_taken(born) -> None:
    assert "PatientBirthDate" not in order_of(an_order(ORC, OBR, pid=f"PID|1||4711||Doe^Jane||{born}|F\r"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Müller^Jürgen", "Müller^Jürgen"),
        ("Doe^Jane^Q^Jr^Dr^MD", "Doe^Jane^Q^Dr^Jr MD"),
        ("van der Berg&van der&Berg^Jan", "van der Berg^Jan"),
        ("Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("Yamada^Tarou~山田^太郎~やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("Doe^Jane~Roe^Jane^^^^^M", "Doe^Jane"),  # a second name of the same letters is no other way of writing
        ("山田^太郎", "山田^太郎"),
        ("Doe=X\\S\\Y^J\\E\\K", "Doe X Y^J/K"),
        ("A" * 70 + "^B", "A" * 64),
        ("Family^Given^" + "M" * 60 + "^Jr", "Family^Given"),
    ],
)
def test_names_are_those_of_dicom(written, read) -> None:
    assert order_of(an_order(ORC, OBR, pid=f"PID|1||4711||{written}\r"))["PatientName"] == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1234^Smith^Robert^J^Jr^Dr^MD", "Smith^Robert^J^Dr^Jr MD"),
        ("REGDOC^Smith^John^^^^MD", "Smith^John^^^MD"),
        ("SMITH^ROBERT^MD", "SMITH^ROBERT^MD"),  # no identifier: a degree is no given name
        ("Smith^Robert", "Smith^Robert"),
        ("1^COEN RASCH MD", "COEN RASCH MD"),
        ("&Doe&Alan&B", "Doe^Alan^B"),  # NDL
        ("Dr. Smith", "Dr. Smith"),
        ("12345", None),
    ],
)
def test_persons_have_a_name_beside_their_number(written, read) -> None:
    assert order_of(an_order(ORC, OBR + "||||||||||||" + written)).get("RequestingPhysician") == read


@pytest.mark.parametrize(
    ("written", "number", "issuer", "others"),
    [
        ("1^^^H^MR", "1", "H", None),
        ("9^^^SSA^SS~1^^^H^MR~2^^^H&1.2.3&ISO^PI", "1", "H", "9|TEXT|SSA; 2|TEXT|H"),
        ("2^^^H^PI~1^^^H^XX", "2", "H", "1|TEXT|H"),
        ("5~6", "5", None, "6|TEXT"),
        ("7^^^&1.2.840.1&ISO", "7", "1.2.840.1", None),
    ],
)
def test_the_patient_id_comes_with_its_own_issuer(written, number, issuer, others) -> None:
    found = order_of(an_order(ORC, OBR, pid=f"PID|1||{written}||Doe\r"))
    assert (found["PatientID"], found.get("IssuerOfPatientID"), found.get("OtherPatientIDsSequence")) == (
        number,
        issuer,
        others,
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("CTC^CT chest^L", "CTC|L|CT chest"),
        ("CTC^CT chest", "CTC|L|CT chest"),
        ("CTC", "CTC|L|CTC"),
        ("^CT chest^L", None),
        ("A CODE OF MORE THAN 16^Chest^L", "A CODE OF MORE THAN 16|L|Chest"),
        ("A^B^L~C^D^SCT", "A|L|B; C|SCT|D"),
    ],
)
def test_coded_elements_are_items(written, read) -> None:
    assert order_of(an_order(ORC, f"OBR|1|P1|F1|{written}")).get("RequestedProcedureCodeSequence") == read


@pytest.mark.parametrize(
    ("field", "modality"),
    [
        ("CT", "CT"),
        ("ct", "CT"),
        ("NMR", "MR"),
        ("RUS", "US"),
        ("RAD", "CR"),
        ("1^ROUTINE", "CR"),
        ("CT^CT room", "CT"),
    ],
)
def test_a_modality_is_one_that_dicom_has(field, modality) -> None:
    assert order_of(an_order(ORC, "OBR|1|P1|F1|KNEE" + "|" * 20 + field))["Modality"] == modality


@pytest.mark.parametrize(
    ("words", "modality"), [("CT CHEST", "CT"), ("MRI of brain", "MR"), ("CTHEAD", "CR"), ("ECO RX", "CR")]
)
def test_a_modality_may_stand_in_the_words_of_the_procedure(words, modality) -> None:
    assert order_of(an_order(ORC, f"OBR|1|P1|F1|X^{words}"))["Modality"] == modality


@pytest.mark.parametrize(
    ("segments", "priority"),
    [
        (("TQ1|1||||||||S^Stat^HL70485",), "STAT"),
        (("TQ1|1||||||||A",), "HIGH"),
        (("TQ1|1||||||||T",), "MEDIUM"),
        (("TQ1|1||||||||Quickly",), None),
    ],
)
def test_priorities_are_words_of_dicom(segments, priority) -> None:
    assert order_of(an_order(ORC, *segments, OBR)).get("RequestedProcedurePriority") == priority
    assert order_of(an_order("ORC|NW|P1|||||^^^^^R", OBR))["RequestedProcedurePriority"] == "ROUTINE"


def test_weights_have_units() -> None:
    pounds = "OBX|1|NM|29463-7^Body weight^LN||154|[lb_av]", "OBX|2|NM|8302-2^Height^LN||172|cm"
    found = order_of(an_order(ORC, OBR, *pounds))
    assert (found["PatientWeight"], found["PatientSize"]) == ("69.8532", "1.72")
    assert "PatientWeight" not in order_of(an_order(ORC, OBR, "OBX|1|NM|29463-7||11|stone"))


def test_allergies_and_alerts_are_told() -> None:
    found = patient_by(
        HEAD.format(type="ADT^A08") + PID + "AL1|1|DA|PEN^Penicillin\rAL1|2|FA|^Nuts\rPV1|1|O||||||||||||||VIP"
    )
    assert found["Allergies"] == "Penicillin; Nuts"
    assert "PregnancyStatus" not in found


def test_long_identifiers_stay_apart_and_what_no_text_may_have_goes() -> None:
    one, two = (order_of(an_order(f"ORC|NW|ACCESSION-NUMBER-{n}", "OBR|1")) for n in (1, 2))
    assert one["AccessionNumber"] != two["AccessionNumber"]
    assert len(one["AccessionNumber"]) == 16
    assert one["PlacerOrderNumberImagingServiceRequest"] == "ACCESSION-NUMBER-1"
    assert order_of(an_order(ORC, "OBR|1|P1|F1|X^a\\E\\b\\X0A\\c"))["RequestedProcedureDescription"] == "a/b c"


def test_other_values_stand_for_those_that_a_sender_uses() -> None:
    lines = [
        Line("PatientID", ("PID-3",), "id"),
        Line("AccessionNumber", ("ORC-2",), "id"),
        Line("ScheduledProcedureStepSequence.Modality", ("OBR-24",), "modality", values={"rx": "DX", "*": "OT"}),
    ]
    assert order_of(an_order(ORC, OBR + "|" * 20 + "RX"), lines=lines)["Modality"] == "DX"
    assert order_of(an_order(ORC, OBR + "|" * 20 + "ZZ"), lines=lines)["Modality"] == "OT"


def test_a_type_that_is_misspelt_is_mapped_by_its_code() -> None:
    assert Message.parse(an_order(ORC, kind="ORM^001").encode()).type == "ORM^001"
    assert order_of(an_order(ORC, kind="ORM^001"))["AccessionNumber"] == "F1"


def test_whatever_comes_is_mapped_or_refused() -> None:
    """Mutations of an order: nothing but MessageRefused is raised, and what comes of the others is JSON."""
    chance = random.Random(11)
    ipc = "IPC|A1|R1|1.2.3.4.1|S1|MR|P1^Brain|||MR1~MR2"
    original = an_order(ORC, "TQ1|1||||||20260310143000||S", OBR, ipc, "OBX|1|NM|29463-7||65|kg", "NTE|1||x").encode()
    pieces = (
        b"|",
        b"^",
        b"~",
        b"&",
        b"\\",
        b"\r",
        b'""',
        b"||||",
        b"\xff",
        b"\0",
        b"\rOBR|1",
        b"\rIPC|",
        b"\rORC|",
        b"OMI^O23",
    )
    for _ in range(1000):
        content = bytearray(original)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(content))
            content[at : at + chance.choice((0, 0, 1, 3, 20))] = chance.choice(pieces)
        with suppress(MessageRefused):
            orjson.dumps([one.complete for one in steps_of(bytes(content))])
