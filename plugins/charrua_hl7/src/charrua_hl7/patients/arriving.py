"""Studies that come under an ID whose patient was merged: an edit that can be undone gives them the one that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.types import StoredObject
from charrua_hl7.patients.done import CORRECT

if TYPE_CHECKING:
    from charrua_core.app import App

# By the unique index of studies, and the partial one of merges in force.
_OF_FORMER = """
SELECT s.patient_id, s.issuer FROM core.study s
WHERE s.study_uid = $1 AND s.deleted_by IS NULL AND EXISTS (
    SELECT FROM charrua_hl7.patient_change c
    WHERE c.kind = 'merge' AND c.undone_at IS NULL AND c.ended_by IS NULL AND c.former_id = s.patient_id
)
"""


async def object_stored(app: App, stored: StoredObject) -> None:
    """Have the study of an object corrected where it is of a former patient. Told twice, it is corrected once.

    The object itself is as it came until then, which is a moment: an edit of the study can be seen in its history and undone,
    which what an object is given on its arrival cannot.
    """
    async with app.db.driver(reading=True) as connection:
        former = await connection.fetchrow(_OF_FORMER, stored.study_uid)
    if former is not None:
        await app.jobs.enqueue(CORRECT, {"arrived": list(former)}, dedup_key=f"arrived {stored.study_uid}")
