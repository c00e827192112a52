"""Patients: corrected, merged, admitted (ADT), and what has come of their orders (ORU)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_hl7.processing import Handler

PATIENT_HANDLERS: Mapping[str, Handler] = {}


def patient_jobs(app: App) -> Sequence[JobType]:  # noqa: ARG001
    """Give the job that edits studies."""
    return []
