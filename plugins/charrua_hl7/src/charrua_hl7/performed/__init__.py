"""Modality Performed Procedure Step: what modalities tell of what they do (PS3.4 F.7).

What the rest of the plugin needs: `link_entries` for orders, `in_progress` for arrivals, `performed_of` and
`performed_of_entry` for pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_hl7.performed.known import PERFORMED_ROUTES, expected_of, in_progress, performed_of, performed_of_entry
from charrua_hl7.performed.linking import link_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass
    from charrua_core.jobs import JobType
    from charrua_core.services import Service

__all__ = [
    "PERFORMED_ROUTES",
    "expected_of",
    "in_progress",
    "link_entries",
    "performed_jobs",
    "performed_of",
    "performed_of_entry",
    "performed_services",
    "performed_upkeep_services",
]


def performed_services(app: App) -> Sequence[ServiceClass]:
    """Give the SCPs."""
    from charrua_hl7.performed.dimse import performed_scps

    return performed_scps(app)


def performed_jobs(app: App) -> Sequence[JobType]:
    """Give the jobs that forward steps, and that link what came at the same moment."""
    from charrua_hl7.performed.forwarding import forward_job
    from charrua_hl7.performed.linking import link_job

    return [forward_job(app), link_job(app)]


def performed_upkeep_services(app: App) -> Sequence[Service]:
    """Give what removes old steps."""
    from charrua_hl7.performed.upkeep import performed_upkeep

    return [performed_upkeep(app)]
