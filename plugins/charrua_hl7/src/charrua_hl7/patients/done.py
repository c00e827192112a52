"""What was done for one patient of a message, as its sentence, its audit record and its job tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_hl7.patients import rows
from charrua_hl7.processing import Received

if TYPE_CHECKING:
    from charrua_core.app import App

CORRECT = "hl7.correct_studies"
"""The job that corrects studies: one lane, so that one message's edits come after those of the one before."""
MOST_AUDITED = 1000
NOTHING = "Nothing here is of this patient."
SAME = "What is here of this patient says the same."


@dataclass(frozen=True, slots=True)
class Done:
    """How much was changed, and what else there is to say."""

    entries: int = 0
    studies: int = 0
    notes: tuple[str, ...] = ()
    same: bool = False
    """What is here says already what the message says."""

    def __add__(self, other: Done) -> Done:
        """Give both together."""
        notes = tuple(dict.fromkeys((*self.notes, *other.notes)))
        return Done(self.entries + other.entries, self.studies + other.studies, notes, self.same or other.same)

    @property
    def sentence(self) -> str:
        """All of it, without patient data."""
        counts = (_counted(self.entries, "entry", "entries"), _counted(self.studies, "study", "studies"))
        told = ", ".join(filter(None, counts))
        said = f"Corrected: {told}." if told else SAME if self.same else "" if self.notes else NOTHING
        return " ".join(filter(None, [said, *self.notes]))


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""


async def finish(
    app: App, tx: AsyncConnection, received: Received, number: int, done: Done, studies: Sequence[str]
) -> Done:
    """Give a change its sentence, its audit record, and a job where studies are to be corrected."""
    await rows.amend(tx, number, sentence=done.sentence, state="waiting" if studies else "done")
    who, origin = received.identity.name, received.origin
    uids, event = list(studies)[:MOST_AUDITED], audit.Event.PATIENT_RECORD
    detail: dict[str, Any] = {"message": received.id, "change": number, "entries": done.entries}
    await audit.record(tx, event, "U", who, origin, study_uids=uids, **detail)
    if studies:
        await app.jobs.enqueue(CORRECT, {"change": number}, tx=tx)
    return done
