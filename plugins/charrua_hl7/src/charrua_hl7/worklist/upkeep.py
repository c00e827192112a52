"""What goes on by itself: entries that nobody performs are discontinued."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.services import Service


def worklist_services(app: App) -> Sequence[Service]:  # noqa: ARG001
    """Give the timer."""
    return []


def worklist_jobs(app: App) -> Sequence[JobType]:  # noqa: ARG001
    """Give the job that corrects a study that has arrived."""
    return []
