"""What stands at a place of a message, and what of it becomes a value: line by line."""

from __future__ import annotations

from typing import Any

import pytest

from charrua_core.archive.index.levels import tag_of
from charrua_hl7.mapping.lines import Line
from charrua_hl7.mapping.places import Place
from charrua_hl7.mapping.steps import mapped_steps
from charrua_hl7.message import Message

from .told import an_order, order_of, steps_of, told

ORC, OBR = "ORC|NW|P1|F1", "OBR|1|P1|F1|C^T^L^C2^T2^L2"
KNOWN = (Line("PatientID", ("PID-3",), "id"), Line("AccessionNumber", ("ORC-2",), "id"))
PID = "PID|1||1^^^A^PI~4711^^^H&1.2&ISO^MR~9||Doe^Jane||19700101|{sex}\r"
OBX = "OBX|1|NM|{code}||{value}|{unit}"


def given(to: str, *sources: str, way: str = "text", **more: Any) -> str | None:
    """What the one line gives of a message that has these `segments` after its order."""
    segments, sex = more.pop("segments", ()), more.pop("sex", "F")
    lines = [*KNOWN, Line(to, sources, way, **more)]
    found = order_of(an_order(ORC, OBR, *segments, pid=PID.format(sex=sex)), lines=lines)
    return found.get(to.rpartition(".")[2])


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("PID-3", "1"),
        ("PID-3[2]", "4711"),
        ("PID-3[4]", None),
        ("PID-3[5=MR]", "4711"),
        ("PID-3[5=mr|*]", "4711"),
        ("PID-3[5=XX|*]", "1"),
        ("PID-3[5=XX]", None),
        ("PID-3[2].4", "H"),
        ("PID-3[2].4.2", "1.2"),
        ("OBR-4.4", "C2"),
        ("OBR-99", None),
        ("ZZZ-1", None),
    ],
)
def test_a_place_is_a_repetition_a_component_a_subcomponent(place: str, text: str | None) -> None:
    assert given("PatientState", place) == text


@pytest.mark.parametrize(
    "written", ["OBR-4.6-4", "OBR-4.4-6.1", "OBR", "OBR-", "obr-4", "OBR-4[", "PID-3[5=]", "OBR-4 or 5"]
)
def test_what_is_no_place_is_said_so(written: str) -> None:
    with pytest.raises(ValueError, match=r"no place in a message|are no components"):
        Place.read(written)


def test_components_from_one_to_another_are_a_coded_element() -> None:
    assert given("ScheduledProcedureStepSequence.ScheduledProtocolCodeSequence", "OBR-4.4-6", way="code") == "C2|L2|T2"


def test_the_first_place_that_has_something_of_the_kind_is_taken() -> None:
    assert given("PatientBirthDate", "PID-5", "OBR-99", "PID-7", way="day") == "19700101"
    assert given("PatientComments", "ZZZ-1[1=a]", "ZZZ-2", segments=["ZZZ|b|second"]) == "second"
    assert given("PatientComments", "ZZZ-1.2", "ZZZ-2", segments=["ZZZ|a^ ^c|second"]) == "second"


def test_a_place_that_has_something_of_another_kind_is_told_an_empty_one_is_not() -> None:
    lines = [*KNOWN, Line("PatientBirthDate", ("ZZZ-1.2", "PID-5", "PID-7"), "day")]
    message = Message.parse(an_order(ORC, OBR, "ZZZ|a^ ^c", pid=PID.format(sex="F")).encode())
    [one] = mapped_steps(message, lines, "CR")
    assert [place for _, place in one.evaluated.passed] == ["PID-5"]


def test_what_stands_nearest_to_the_step_is_taken() -> None:
    near, far = OBX.format(code="W", value="70", unit="kg"), OBX.format(code="W", value="90", unit="kg")
    lines = [*KNOWN, Line("PatientWeight", ("OBX-5",), "kilograms")]
    pid = PID.format(sex="F") + far + "\r"
    assert [order_of(an_order(ORC, OBR, *own, pid=pid), lines=lines)["PatientWeight"] for own in ([near], [])] == [
        "70",
        "90",
    ]


def test_of_several_segments_those_are_taken_that_have_what_is_asked_for() -> None:
    segments = [
        OBX.format(code="L^Weight at birth", value="3", unit="kg"),
        OBX.format(code="W^Body Weight", value="70", unit="kg"),
    ]
    assert given("PatientWeight", "OBX[3=body weight]-5", way="kilograms", segments=segments) == "70"


@pytest.mark.parametrize(
    ("value", "unit", "weight"),
    [
        ("70,5", "kg", "70.5"),
        ("100", "lb", "45.3592"),
        ("500", "g", "0.5"),
        ("70", "stone", None),
        ("heavy", "kg", None),
    ],
)
def test_weights_are_kilograms_by_a_unit_that_is_known(value: str, unit: str, weight: str | None) -> None:
    segment = OBX.format(code="W", value=value, unit=unit)
    assert given("PatientWeight", "OBX-5", way="kilograms", segments=[segment]) == weight


@pytest.mark.parametrize(("sex", "told_"), [("M", "M"), ("f", "F"), ("A", "O"), ("U", ""), ("Q", None)])
def test_a_sex_is_one_of_dicoms(sex: str, told_: str | None) -> None:
    assert given("PatientSex", "PID-8", way="sex", sex=sex) == told_


@pytest.mark.parametrize(
    ("priority", "told_"), [("S", "STAT"), ("P", "HIGH"), ("C", "HIGH"), ("stat", "STAT"), ("9", None)]
)
def test_a_priority_is_a_word(priority: str, told_: str | None) -> None:
    assert given("RequestedProcedurePriority", "ZZZ-1", way="priority", segments=[f"ZZZ|{priority}"]) == told_


@pytest.mark.parametrize(
    ("uid", "told_"), [("1.2.840.1", "1.2.840.1"), ("1.2", None), ("3.2.840.1", None), ("P1", None)]
)
def test_a_uid_is_one_that_somebody_can_have_made(uid: str, told_: str | None) -> None:
    assert given("StudyInstanceUID", "ZZZ-1", way="uid", segments=[f"ZZZ|{uid}"]) == told_


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A^B^99X", "A|99X|B"),
        ("A", "A|L|A"),
        ("A-CODE-OF-MORE-THAN-16^B^L", "A-CODE-OF-MORE-THAN-16|L|B"),
    ],
)
def test_a_code_has_a_scheme_and_a_meaning_and_is_not_cut(written: str, read: str) -> None:
    assert given("RequestedProcedureCodeSequence", "ZZZ-1", way="code", segments=[f"ZZZ|{written}"]) == read


@pytest.mark.parametrize(("code", "keyword"), [("C" * 16, "CodeValue"), ("C" * 17, "LongCodeValue")])
def test_a_code_of_more_than_16_characters_is_a_long_one(code: str, keyword: str) -> None:
    lines = [*KNOWN, Line("RequestedProcedureCodeSequence", ("OBR-4",), "code")]
    [step] = steps_of(an_order(ORC, f"OBR|1|P1|F1|{code}^T^L"), lines=lines)
    [item] = step.attributes[tag_of("RequestedProcedureCodeSequence")]["Value"]
    assert item[tag_of(keyword)]["Value"] == [code]


def test_of_an_attribute_of_one_value_the_first_is_taken_and_prose_has_all_lines() -> None:
    notes = ["ZZZ|one~two"]
    assert given("PatientState", "ZZZ-1", segments=notes) == "one"
    assert given("PatientComments", "ZZZ-1", segments=notes) == "one\ntwo"
    assert (
        given("ScheduledProcedureStepSequence.ScheduledStationAETitle", "ZZZ-1", way="aet", segments=notes)
        == "one; two"
    )


@pytest.mark.parametrize(("ambulatory", "pregnant"), [("B6", "3"), ("A0", None)])
def test_b6_is_definitely_pregnant(ambulatory: str, pregnant: str | None) -> None:
    assert given("PregnancyStatus", "ZZZ-1", way="pregnancy", segments=[f"ZZZ|{ambulatory}"]) == pregnant


def test_a_protocol_that_comes_twice_of_one_step_is_told_once() -> None:
    pair = ("ORC|NW|P1|F1", "OBR|1|P1|F1|U^Update^L^C1^Code 1^L||||||||||||||A1|R1|S1||||CT")
    [step] = steps_of(an_order(*pair, *pair))
    assert told(step.attributes)["ScheduledProtocolCodeSequence"] == "C1|L|Code 1"


def test_a_backslash_is_no_character_of_a_value() -> None:
    assert given("PatientState", "ZZZ-1", segments=["ZZZ|a\\E\\b"]) == "a/b"
