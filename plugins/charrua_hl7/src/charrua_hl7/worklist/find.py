"""Modality Worklist as SCP (PS3.4 annex K)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass


def worklist_find(app: App) -> Sequence[ServiceClass]:  # noqa: ARG001
    """Give the SCP."""
    return []
