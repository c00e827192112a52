"""Routing: rules say which object goes where, when and how; core's queue sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.sending import DestinationKind
    from charrua_core.settings import Setting
    from charrua_core.types import Finding, Route, StoredObject
    from charrua_core.web import Page, WebRoute


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare which reports are distributed."""
    from charrua_routing.virtual.reports import SETTINGS

    return SETTINGS


@hookimpl
def migrations() -> Sequence[str]:
    """Name the lineage of schema routing."""
    return ["charrua_routing.lineage"]


@hookimpl
def job_types(app: App) -> Sequence[JobType]:
    """Give the job that sends what has become quiet."""
    from charrua_routing.quiet import quiet_job

    return [quiet_job(app)]


@hookimpl
def destinations() -> Sequence[DestinationKind]:
    """Give folders, object stores, STOW-RS, webhooks, and the virtual servers JPEG and JSON."""
    from charrua_routing.kinds import kinds

    return kinds()


@hookimpl
async def route_destination(app: App, stored: StoredObject) -> Sequence[Route]:
    """Apply the rules to an object."""
    from charrua_routing.routes import routes_of

    return await routes_of(app, stored)


@hookimpl
def cli_commands() -> Sequence[click.Command]:
    """Give `charrua routing`."""
    from charrua_routing.commands import routing
    from charrua_routing.queue_commands import queue

    routing.add_command(queue)
    return [routing]


@hookimpl
def web_routes() -> Sequence[WebRoute]:
    """Give the calls on rules, queue and destinations."""
    from charrua_routing import destination_calls, pages, queue_calls, rule_calls

    return [*rule_calls.ROUTES, *queue_calls.ROUTES, *destination_calls.ROUTES, *pages.ROUTES]


@hookimpl
def web_pages() -> Sequence[Page]:
    """Give the pages of rules, destinations and queue."""
    from charrua_routing.pages import PAGES

    return PAGES


@hookimpl
async def health(app: App) -> Sequence[Finding]:
    """Say which rules send to destinations that there are not."""
    from charrua_routing.watch import findings

    return await findings(app)
