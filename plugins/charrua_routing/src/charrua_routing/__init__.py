"""Routing: rules say which object goes where, when and how; core's queue sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.sending import DestinationKind
    from charrua_core.settings import Setting
    from charrua_core.web import WebRoute


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare which reports are distributed."""
    from charrua_routing.virtual.reports import SETTINGS

    return SETTINGS


@hookimpl
def destinations() -> Sequence[DestinationKind]:
    """Give folders, object stores, STOW-RS, webhooks, and the virtual servers JPEG and JSON."""
    from charrua_routing.kinds import kinds

    return kinds()


@hookimpl
def web_routes() -> Sequence[WebRoute]:
    """Give the calls on destinations."""
    from charrua_routing import destination_calls

    return destination_calls.ROUTES
