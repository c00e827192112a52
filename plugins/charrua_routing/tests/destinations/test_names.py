"""Names of files from what objects say: whatever a patient is called, they lead nowhere else and every system takes them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrua_core.errors import EditInvalid
from charrua_routing.kinds.names import LONGEST_BYTES, UNKNOWN, check_pattern, path_of, person_name, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Müller Jürgen 0815", "Müller Jürgen 0815"),
        ("山田 太郎", "山田 太郎"),
        ("", UNKNOWN),
        (".", UNKNOWN),
        ("..", UNKNOWN),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a/b\\c:d*e?f", "a_b_c_d_e_f"),
        ("C:\\Windows", "C__Windows"),
        ("CON", "_CON"),
        ("nul.dcm", "_nul.dcm"),
        ("COM1", "_COM1"),
        ("lpt¹", "_lpt¹"),
        ("CONRAD", "CONRAD"),
        (" .hidden. ", "hidden"),
        ("a\0b\nc\u202ed", "a b cd"),
        ("e\u0301", "é"),
        ("\ud800x", "x"),
    ],
)
def test_a_name_is_made_safe(text, name):
    assert safe_name(text) == name


@given(st.text(max_size=400))
def test_no_text_makes_a_name_that_a_system_refuses(text):
    name = safe_name(text)
    assert 0 < len(name.encode()) <= LONGEST_BYTES
    assert not re.search(r'[/\\:*?"<>|\x00-\x1f\x7f]', name)
    assert name not in {".", ".."}
    assert name.strip(". ") == name
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", name)
    assert safe_name(name) == name


def test_long_names_that_begin_alike_stay_apart_and_keep_their_ending():
    one, other = safe_name("x" * 300 + "1.dcm"), safe_name("x" * 300 + "2.dcm")
    assert one != other
    assert one.endswith(".dcm")


def test_a_path_is_of_attributes_and_each_part_is_safe():
    header = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane/../.."}]},
        "00100020": {"vr": "LO", "Value": [".."]},
        "00080018": {"vr": "UI", "Value": ["1.2.3"]},
    }
    path = path_of("{PatientID}/{PatientName} {StudyDate}/{SOPInstanceUID}.dcm", header)
    assert path == PurePosixPath("unknown", "Doe Jane_.._.. unknown", "1.2.3.dcm")


@pytest.mark.parametrize(
    "pattern",
    [
        "{PatientID}",
        "{SOPInstanceUID}/{PatientID}",
        "{Nonsense}/{SOPInstanceUID}",
        "/{SOPInstanceUID}",
        "a//{SOPInstanceUID}",
        "{SOPInstanceUID!r}{0.__class__}",
    ],
)
def test_a_pattern_by_which_objects_would_take_each_others_place_will_not_do(pattern):
    with pytest.raises(EditInvalid):
        check_pattern(pattern)


def test_a_person_name_is_written_as_in_lists():
    assert person_name("Doe^Jane^^Dr.=山田^太郎") == "Doe Jane Dr."
