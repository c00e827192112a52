"""Messages that come in: the MLLP listener, what is done with each, and their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.services import Service
    from charrua_core.web import WebRoute

MESSAGE_ROUTES: Sequence[WebRoute] = ()


def intake_services(app: App) -> Sequence[Service]:  # noqa: ARG001
    """Give the listener."""
    return []
