"""Studies that arrive for an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import StoredObject


async def study_arrived(app: App, stored: StoredObject) -> None:
    """Let the entry that an object belongs to know of it."""
