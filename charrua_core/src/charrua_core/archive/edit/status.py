"""How far the reading of a study is: its status, set as an edit is made, and undone as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.edit import targets as edit_targets
from charrua_core.archive.edit.effective import UNREAD
from charrua_core.archive.edit.make import invalid_unless, make
from charrua_core.archive.edit.record import Record
from charrua_core.types import Identity, Level, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

STATUSES = (UNREAD, "PRELIMINARY", "DICTATED", "TRANSCRIBED", "FINAL")
"""In the order of the manual, whose numbers are the places (appendix 5.3)."""


async def set_status(
    app: App, identity: Identity, study_uid: str, status: str, *, reason: str = "", origin: Origin | None = None
) -> Record:
    """Give a study one of STATUSES. Who reports may do so, and who edits.

    Raises NotPermitted, StudyNotFound, and EditInvalid for a word that is none of them or is the study's already.
    """
    invalid_unless(status in STATUSES, f"the status of a study is one of {', '.join(STATUSES)}")

    async def plan(tx: AsyncConnection) -> Record:
        [study] = await edit_targets.whole_studies(tx, identity, study_uid)
        invalid_unless(study["status"] != status, f"the study is {status} already")
        targets = {"level": str(Level.STUDY), "study_uids": [study_uid]}
        before, after = {"status": study["status"]}, {"status": status}
        return Record.new("status", identity.name, targets, before=before, after=after, reason=reason)

    return await make(app, identity, permission_for_status(identity), origin, plan)


def permission_for_status(identity: Identity) -> str:
    """What the identity needs to set a status: of the two permissions that suffice, the one that it has."""
    return "report" if identity.may("report") else "edit"
