"""Charrua's web server: DICOMweb, the REST calls of the manual, and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.services import Service
    from charrua_core.settings import Setting
    from charrua_core.types import Finding
    from charrua_core.web import Page, WebRoute, WebSocketRoute


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare addresses, TLS and limits of the web server, and how its pages behave."""
    from charrua_web.own_settings import SETTINGS

    return SETTINGS


@hookimpl
def services(app: App) -> Sequence[Service]:
    """Give the web server, and what forgets uploads that nobody goes on with."""
    from charrua_core.services import Background
    from charrua_web.server import WebServer
    from charrua_web.uploads.sweeping import sweeper

    return [WebServer(app), Background("uploads", "jobs", sweeper(app))]


@hookimpl
def job_types(app: App) -> Sequence[JobType]:
    """Give the job that stores what a browser has uploaded in pieces."""
    from charrua_web.uploads.storing import upload_job

    return [upload_job(app)]


@hookimpl
async def health(app: App) -> Sequence[Finding]:
    """Tell of the certificate, and of callers who need not log in."""
    from charrua_web.findings import web_health

    return await web_health(app)


@hookimpl
def cli_commands() -> Sequence[click.Command]:
    """Give the command that lists routes."""
    from charrua_web.commands import routes

    return [routes]


@hookimpl
def web_routes(app: App) -> Sequence[WebRoute | WebSocketRoute]:
    """Give what the web server itself answers: health, metrics, log-in, DICOMweb."""
    from charrua_web.table import own_routes

    return own_routes(app)


@hookimpl
def web_pages(app: App) -> Sequence[Page]:
    """Give the pages of the archive itself: log-in, studies, viewer, people, set-up."""
    from charrua_web.own_pages import own_pages

    return own_pages(app)
