"""The state machine of a workitem (PS3.4 table CC.1.1-2), as a table."""

from __future__ import annotations

from collections.abc import Mapping

from charrua_core.dicom.n_services import SUCCESS, ArgumentInvalid
from charrua_ups.model import STATE, State
from charrua_ups.refusals import (
    ALREADY_CANCELED,
    ALREADY_COMPLETED,
    AlreadyInProgress,
    NoLongerUpdated,
    NotInProgress,
    ScheduledByCreationOnly,
    TransactionMissing,
    UpsRefused,
    WrongTransaction,
)

Outcome = int | type[UpsRefused]

CHANGES: Mapping[State, Mapping[State, Outcome]] = {
    State.SCHEDULED: {
        State.IN_PROGRESS: SUCCESS,
        State.COMPLETED: NotInProgress,
        State.CANCELED: NotInProgress,
    },
    State.IN_PROGRESS: {
        State.IN_PROGRESS: AlreadyInProgress,
        State.COMPLETED: SUCCESS,
        State.CANCELED: SUCCESS,
    },
    State.COMPLETED: {
        State.IN_PROGRESS: NoLongerUpdated,
        State.COMPLETED: ALREADY_COMPLETED,
        State.CANCELED: NoLongerUpdated,
    },
    State.CANCELED: {
        State.IN_PROGRESS: NoLongerUpdated,
        State.COMPLETED: NoLongerUpdated,
        State.CANCELED: ALREADY_CANCELED,
    },
}
"""Current state → state asked for, with the right Transaction UID → a status, or why not."""


def requested_state(asked: str) -> State:
    """Give the state that is asked for; raises ArgumentInvalid, and ScheduledByCreationOnly for SCHEDULED."""
    try:
        state = State(asked)
    except ValueError:
        raise ArgumentInvalid([STATE]) from None
    if state is State.SCHEDULED:
        raise ScheduledByCreationOnly
    return state


def outcome(current: State, asked: State, given: str, recorded: str) -> int:
    """Give the status of a change of state: success, or that the workitem is in it already. Raises what refuses it.

    `given` and `recorded` are Transaction UIDs: one that is given with a SCHEDULED workitem is right, later the one recorded.
    """
    if not given:
        raise TransactionMissing
    if current is not State.SCHEDULED and given != recorded:
        raise WrongTransaction
    found = CHANGES[current][asked]
    if isinstance(found, int):
        return found
    raise found
