"""What core itself gives to its hooks; each imports what it needs inside the function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.settings import Setting


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare core's own settings."""
    from charrua_core.settings.core import SETTINGS

    return SETTINGS
