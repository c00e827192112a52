"""What SCPs of the N-services answer with."""

from __future__ import annotations

import pytest

from charrua_core.dicom import Command, CommandField
from charrua_core.dicom.n_services import (
    ArgumentInvalid,
    AttributeMissing,
    ServiceRefused,
    ValueInvalid,
    ValueMissing,
    got,
    refusal_of,
)
from charrua_core.errors import CharruaError, StorageFailed

KEPT = {"00080005": {"vr": "CS"}, "00100010": {"vr": "PN"}, "00100020": {"vr": "LO"}}


class NoLongerUpdated(ServiceRefused):
    """It may no longer be updated."""

    dimse_status = 0x0110
    error_id = 0xA710


@pytest.mark.parametrize(
    ("error", "status", "elements"),
    [
        (
            AttributeMissing(["00100010"]),
            0x0120,
            {"error_comment": "Missing attribute: PatientName", "attribute_identifier_list": (0x00100010,)},
        ),
        (
            ValueMissing(["00100010", "00091001"]),
            0x0121,
            {
                "error_comment": "Missing value: PatientName, 00091001",
                "attribute_identifier_list": (0x00100010, 0x00091001),
            },
        ),
        (
            ValueInvalid(["00100040"]),
            0x0106,
            {"error_comment": "Invalid value: PatientSex", "attribute_identifier_list": (0x00100040,)},
        ),
        (
            ArgumentInvalid(["00741234"]),
            0x0115,
            {
                "error_comment": "Missing or invalid argument: ReceivingAE",
                "attribute_identifier_list": (0x00741234,),
            },
        ),
        (NoLongerUpdated(), 0x0110, {"error_comment": "It may no longer be updated.", "error_id": 0xA710}),
        (StorageFailed("x" * 80), 0xA700, {"error_comment": "x" * 64}),
    ],
)
def test_a_refusal_has_its_status_its_comment_and_the_attributes_at_fault(
    error: CharruaError, status: int, elements: dict[str, object]
) -> None:
    answer = refusal_of(error)
    assert (answer.status, answer.attributes, answer.elements) == (status, None, elements)


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [
        (None, 0x0000, {"00080005", "00100010", "00100020"}),
        ((0x00100010,), 0x0000, {"00100010"}),
        ((0x00100010, 0x00100040), 0x0001, {"00100010"}),
        ((0x00080005, 0x00100010), 0x0000, {"00080005", "00100010"}),
    ],
)
def test_of_an_instance_what_is_asked_for_is_given(asked: tuple[int, ...] | None, status: int, given: set[str]) -> None:
    answer = got(Command(CommandField.N_GET, attribute_identifier_list=asked), KEPT)
    assert (answer.status, set(answer.attributes or ())) == (status, given)


def test_specific_character_set_is_not_missed() -> None:
    answer = got(Command(CommandField.N_GET, attribute_identifier_list=(0x00080005,)), {"00100010": {"vr": "PN"}})
    assert (answer.status, answer.attributes) == (0x0000, {})
