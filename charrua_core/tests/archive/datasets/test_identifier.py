"""Identifiers of queries: bytes to DICOM JSON and back."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier
from charrua_core.errors import HeaderDamaged

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
PLAIN = [IMPLICIT, EXPLICIT, BIG]
ANSWER: dict[str, Any] = {
    "00080020": {"vr": "DA", "Value": ["20260102"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00080090": {"vr": "PN"},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]},
    "00101002": {"vr": "SQ", "Value": [{"00100020": {"vr": "LO", "Value": ["É1"]}}, {}]},
    "00201206": {"vr": "IS", "Value": [3]},
    "00280010": {"vr": "US", "Value": [512]},
    "00181110": {"vr": "DS", "Value": [0.1, 1234567.123456789]},
    "00280009": {"vr": "AT", "Value": ["00181063"]},
}


def as_pydicom(identifier: bytes, transfer_syntax_uid: str) -> Dataset:
    if transfer_syntax_uid == DEFLATED:
        identifier = zlib.decompress(identifier, -zlib.MAX_WBITS)
    return decode(io.BytesIO(identifier), transfer_syntax_uid == IMPLICIT, transfer_syntax_uid != BIG)


@pytest.mark.parametrize("transfer_syntax_uid", [*PLAIN, DEFLATED])
def test_pydicom_reads_an_answer(transfer_syntax_uid: str) -> None:
    answer = as_pydicom(encode_identifier(ANSWER, transfer_syntax_uid, "ISO_IR 100"), transfer_syntax_uid)
    assert answer.SpecificCharacterSet == "ISO_IR 100"
    assert answer.PatientName == "Müller^Jörg"
    assert [item.get("PatientID") for item in answer.OtherPatientIDsSequence] == ["É1", None]
    assert (answer.NumberOfStudyRelatedSeries, answer.Rows, answer.ModalitiesInStudy) == (3, 512, ["CT", "SR"])
    assert answer.ReferringPhysicianName == ""


@pytest.mark.parametrize("transfer_syntax_uid", [*PLAIN, DEFLATED])
def test_an_answer_comes_back(transfer_syntax_uid: str) -> None:
    back = decode_identifier(encode_identifier(ANSWER, transfer_syntax_uid, "ISO_IR 192"), transfer_syntax_uid)
    assert back.pop("00080005") == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert back == {**ANSWER, "00181110": {"vr": "DS", "Value": [0.1, 1234567.12345679]}}


@pytest.mark.parametrize("transfer_syntax_uid", PLAIN)
def test_a_request_of_pydicom_is_read(transfer_syntax_uid: str) -> None:
    request = Dataset()
    request.QueryRetrieveLevel, request.PatientName, request.StudyDate = "STUDY", "MÜLL*", "20260101-"
    request.SpecificCharacterSet, request.AccessionNumber = "ISO_IR 100", None
    request.RequestAttributesSequence = [Dataset()]
    request.RequestAttributesSequence[0].ScheduledProcedureStepID = ""
    raw = encode(request, transfer_syntax_uid == IMPLICIT, transfer_syntax_uid != BIG) or b""
    keys = decode_identifier(raw, transfer_syntax_uid)
    assert keys["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "MÜLL*"}]}
    assert keys["00080050"] == {"vr": "SH"}
    assert keys["00400275"] == {"vr": "SQ", "Value": [{"00400009": {"vr": "SH"}}]}


def test_the_tags_of_an_answer_ascend() -> None:
    answer = as_pydicom(encode_identifier(dict(reversed(ANSWER.items())), EXPLICIT, ""), EXPLICIT)
    assert [element.tag for element in answer] == sorted(element.tag for element in answer)


@pytest.mark.parametrize(
    ("name", "requested", "answered"),
    [
        ("Doe", "", None),
        ("Müller", "", "ISO_IR 100"),
        ("山田", "", "ISO_IR 192"),
        ("山田", "ISO_IR 100", "ISO_IR 192"),
        ("山田", "\\ISO 2022 IR 87", ["", "ISO 2022 IR 87"]),
    ],
)
def test_an_answer_says_its_character_set(name: str, requested: str, answered: object) -> None:
    answer = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A", "Ideographic": name}]}}
    dataset = as_pydicom(encode_identifier(answer, IMPLICIT, requested), IMPLICIT)
    assert dataset.get("SpecificCharacterSet") == answered
    assert dataset.PatientName == f"A={name}"


NAME = {"Alphabetic": "Nuñez Łoś^Jörg", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}


@pytest.mark.parametrize(
    ("always", "name"),
    [
        ("ISO_IR 192", "Nuñez Łoś^Jörg=山田^太郎=やまだ^たろう"),
        ("ISO_IR 100", "Nuñez Los^Jörg"),
        ("ISO_IR 101", "Nunez Łoś^Jörg"),
        ("ISO_IR 6", "Nunez Los^Jorg"),
        ("\\ISO 2022 IR 87", "Nunez Los^Jorg=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 100\\ISO 2022 IR 87", "Nuñez Los^Jörg=山田^太郎=やまだ^たろう"),
        ("ISO_IR 144", "Nunez Los^Jorg"),
    ],
)
def test_a_peer_that_reads_one_character_set_alone_is_told_what_that_can_say(always: str, name: str) -> None:
    step = {"00400007": {"vr": "LO", "Value": ["Röntgen €"]}}
    answer = {"00100010": {"vr": "PN", "Value": [NAME]}, "00400100": {"vr": "SQ", "Value": [step]}}
    dataset = as_pydicom(encode_identifier(answer, EXPLICIT, "ISO_IR 192", always), EXPLICIT)
    terms = dataset.SpecificCharacterSet
    assert (terms if isinstance(terms, str) else "\\".join(terms)) == always
    assert str(dataset.PatientName) == name
    said = dataset.ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription
    assert said == {"ISO_IR 192": "Röntgen €", "ISO_IR 100": "Röntgen ?", "ISO_IR 101": "Röntgen ?"}.get(always, said)


def test_an_identifier_is_told_as_it_is_whatever_the_peer_reads() -> None:
    answer = {"00100020": {"vr": "LO", "Value": ["É1"]}, "00100010": {"vr": "PN", "Value": [NAME]}}
    dataset = as_pydicom(encode_identifier(answer, EXPLICIT, "", "ISO_IR 6"), EXPLICIT)
    assert (dataset.SpecificCharacterSet, dataset.PatientID) == ("ISO_IR 192", "É1")


def test_a_name_without_letters_that_can_be_said_is_not_left_out() -> None:
    answer = {"00100010": {"vr": "PN", "Value": [{"Ideographic": "山田"}]}}
    dataset = as_pydicom(encode_identifier(answer, EXPLICIT, "", "ISO_IR 100"), EXPLICIT)
    assert dataset.PatientName == "=??"


def test_a_value_that_does_not_fit_is_left_empty_and_the_rest_goes() -> None:
    answer = {**ANSWER, "00280010": {"vr": "US", "Value": ["many"]}, "00280011": {"vr": "US", "Value": [70000]}}
    dataset = as_pydicom(encode_identifier(answer, EXPLICIT, ""), EXPLICIT)
    assert (dataset.Rows, dataset.Columns, dataset.StudyDate) == (None, None, "20260102")


def test_a_list_of_ten_thousand_uids_is_read_whole() -> None:
    uids = [f"1.2.3.{number}" for number in range(10_000)]
    raw = encode_identifier({"0020000D": {"vr": "UI", "Value": uids}}, IMPLICIT, "")
    assert decode_identifier(raw, IMPLICIT)["0020000D"]["Value"] == uids


def test_an_identifier_too_complex_is_refused(write: Any) -> None:
    for hostile in (write.nested(70), write.element(0x00280010, "US", b"") * 30_000):
        with pytest.raises(HeaderDamaged):
            decode_identifier(hostile, EXPLICIT)


@given(st.binary(max_size=200), st.sampled_from([*PLAIN, DEFLATED]))
def test_any_bytes_are_read_or_refused(raw: bytes, transfer_syntax_uid: str) -> None:
    with suppress(HeaderDamaged):
        assert isinstance(decode_identifier(raw, transfer_syntax_uid), dict)
