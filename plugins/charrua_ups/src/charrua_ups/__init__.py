"""The Unified Worklist and Procedure Step service of Charrua: UPS Push, Pull, Watch, Event and Query, and UPS-RS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass
    from charrua_core.jobs import JobType
    from charrua_core.services import Service
    from charrua_core.settings import Setting
    from charrua_core.web import WebRoute, WebSocketRoute


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare what an administrator may choose of the worklist."""
    from charrua_ups.choices import SETTINGS

    return SETTINGS


@hookimpl
def migrations() -> Sequence[str]:
    """Name the lineage of schema charrua_ups."""
    return ["charrua_ups.lineage"]


@hookimpl
def dimse_services(app: App) -> Sequence[ServiceClass]:
    """Offer UPS Push, Pull, Watch and Query."""
    from charrua_ups.dimse import ups_services

    return ups_services(app)


@hookimpl
def services(app: App) -> Sequence[Service]:
    """Give what tells subscribers of a restart and removes what is over."""
    from charrua_ups.upkeep import upkeep

    return [upkeep(app)]


@hookimpl
def job_types(app: App) -> Sequence[JobType]:
    """Give the job that reports events to an AE."""
    from charrua_ups.reporting import report_job

    return [report_job(app)]


@hookimpl
def web_routes() -> Sequence[WebRoute | WebSocketRoute]:
    """Answer UPS-RS, and notify over WebSocket."""
    from charrua_ups.routes import ups_routes

    return ups_routes()
