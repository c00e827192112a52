"""What becomes of an entry of the worklist by the steps that perform it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from charrua_core.types import DicomJson
from charrua_hl7.marking import N_
from charrua_hl7.performed.model import CODE, MEANING, REASON, SCHEME, State, items, text
from charrua_hl7.worklist.entries import Status

_BY_MISTAKE = ("110514", "DCM")
"""Incorrect worklist entry selected (PS3.16 CID 9300): the entry was not performed, and still is to be."""

_ANY = frozenset(Status)

GOING, DONE = N_("in progress at the modality"), N_("completed at the modality")
BROKEN_OFF, MISTAKEN = N_("discontinued at the modality"), N_("chosen by mistake at the modality, and not performed")
FORGOTTEN = N_("its study has arrived, and its modality has said nothing for a day")
REASONS = (GOING, DONE, BROKEN_OFF, MISTAKEN, FORGOTTEN)
"""Why an entry has its status, where the modality has not said it in words of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """What counts of a performed procedure step."""

    state: State
    by_mistake: bool = False
    reason: str = ""
    """Why it was discontinued, as its modality says it."""

    @classmethod
    def of(cls, attributes: DicomJson, state: str) -> Step:
        """Give it."""
        reasons = items(attributes, REASON)
        codes = {(text(one, CODE), text(one, SCHEME)) for one in reasons}
        meaning = next((found for one in reasons if (found := text(one, MEANING))), "")
        discontinued = state == State.DISCONTINUED
        return cls(State(state), discontinued and _BY_MISTAKE in codes, meaning if discontinued else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status that an entry shall have, why, and which ones it is brought to it from."""

    status: Status
    reason: str
    of: Collection[Status] = _ANY


def verdict(steps: Sequence[Step]) -> Verdict | None:
    """Give what becomes of the entry, None where nothing performs it.

    What the modality does is true whatever was thought before: an entry that was discontinued, or took its images for all,
    is begun again by a step that is in progress.
    """
    counted = [step for step in steps if not step.by_mistake]
    if any(step.state is State.IN_PROGRESS for step in counted):
        return Verdict(Status.STARTED, GOING)
    if any(step.state is State.COMPLETED for step in counted):
        return Verdict(Status.COMPLETED, DONE)
    if counted:
        reasons = dict.fromkeys(step.reason for step in counted if step.reason)
        return Verdict(Status.DISCONTINUED, "; ".join(reasons) or BROKEN_OFF)
    if steps:
        return Verdict(Status.SCHEDULED, MISTAKEN, frozenset({Status.STARTED}))
    return None
