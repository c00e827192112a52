"""Modality Performed Procedure Step: what modalities tell of what they do (PS3.4 F.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass
    from charrua_core.jobs import JobType


def performed_services(app: App) -> Sequence[ServiceClass]:  # noqa: ARG001
    """Give the SCP."""
    return []


def performed_jobs(app: App) -> Sequence[JobType]:  # noqa: ARG001
    """Give the job that forwards."""
    return []
