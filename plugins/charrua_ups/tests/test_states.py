"""The state machine of PS3.4 table CC.1.1-2, row by row."""

from __future__ import annotations

import pytest

from charrua_core.dicom.n_services import ServiceRefused
from charrua_ups.model import State
from charrua_ups.states import outcome, requested_state

RIGHT, WRONG, NONE = "1.2.3", "1.2.4", ""


def status_of(current: str, asked: str, given: str) -> int:
    recorded = "" if current == "SCHEDULED" else RIGHT
    try:
        return outcome(State(current), requested_state(asked), given, recorded)
    except ServiceRefused as refused:
        return refused.dimse_status


@pytest.mark.parametrize(
    ("asked", "given", "scheduled", "in_progress", "completed", "canceled"),
    [
        ("IN PROGRESS", RIGHT, 0x0000, 0xC302, 0xC300, 0xC300),
        ("IN PROGRESS", WRONG, 0x0000, 0xC301, 0xC301, 0xC301),
        ("IN PROGRESS", NONE, 0xC301, 0xC301, 0xC301, 0xC301),
        ("COMPLETED", RIGHT, 0xC310, 0x0000, 0xB306, 0xC300),
        ("COMPLETED", WRONG, 0xC310, 0xC301, 0xC301, 0xC301),
        ("COMPLETED", NONE, 0xC301, 0xC301, 0xC301, 0xC301),
        ("CANCELED", RIGHT, 0xC310, 0x0000, 0xC300, 0xB304),
        ("CANCELED", WRONG, 0xC310, 0xC301, 0xC301, 0xC301),
        ("CANCELED", NONE, 0xC301, 0xC301, 0xC301, 0xC301),
        ("SCHEDULED", RIGHT, 0xC303, 0xC303, 0xC303, 0xC303),
        ("SCHEDULED", NONE, 0xC303, 0xC303, 0xC303, 0xC303),
        ("STARTED", RIGHT, 0x0115, 0x0115, 0x0115, 0x0115),
    ],
)
def test_a_change_of_state_is_answered_as_the_table_has_it(
    asked: str, given: str, scheduled: int, in_progress: int, completed: int, canceled: int
) -> None:
    expected = dict(zip(map(str, State), (scheduled, in_progress, completed, canceled), strict=True))
    found = {current: status_of(current, asked, given) for current in expected}
    assert {state: f"{status:04X}" for state, status in found.items()} == {
        state: f"{status:04X}" for state, status in expected.items()
    }
