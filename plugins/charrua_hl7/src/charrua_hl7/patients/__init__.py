"""Patients: corrected, merged, admitted (ADT), and what has come of their orders (ORU)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from charrua_core.jobs import JobType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App
    from charrua_hl7.processing import Handler, Outcome, Received

_RETRIES = (10.0, 60.0, 300.0, 1_800.0, 21_600.0)


async def _adt(app: App, tx: AsyncConnection, received: Received) -> Outcome:
    from charrua_hl7.patients.adt import adt

    return await adt(app, tx, received)


async def _oru(app: App, tx: AsyncConnection, received: Received) -> Outcome:
    from charrua_hl7.patients.results import oru

    return await oru(app, tx, received)


PATIENT_HANDLERS: Mapping[str, Handler] = {"ADT": _adt, "ORU^R01": _oru}


def patient_jobs(app: App) -> Sequence[JobType]:
    """Give the jobs that edit studies and take the edits back, and that make objects of results."""
    from charrua_hl7.patients.attaching import attach_results
    from charrua_hl7.patients.done import CORRECT
    from charrua_hl7.patients.on_studies import correct_studies
    from charrua_hl7.patients.results import ATTACH
    from charrua_hl7.patients.undoing import UNDO, undo_edits

    return [
        JobType(CORRECT, partial(correct_studies, app), retry_after=_RETRIES),
        JobType(UNDO, partial(undo_edits, app), retry_after=_RETRIES),
        JobType(ATTACH, partial(attach_results, app), retry_after=_RETRIES),
    ]
