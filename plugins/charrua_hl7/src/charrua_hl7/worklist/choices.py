"""What the worklist adds to the pages of studies."""

from __future__ import annotations

from charrua_core.web import StudyAction

ACTIONS = (StudyAction("Assign to worklist", "/worklist/assign?study={study}", "edit", order=60),)
