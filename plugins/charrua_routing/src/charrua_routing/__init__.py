"""Routing: rules say which object goes where, when and how; core's queue sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.types import Route, StoredObject
    from charrua_core.web import WebRoute


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
    """Give the calls on rules and queue."""
    from charrua_routing import queue_calls, rule_calls

    return [*rule_calls.ROUTES, *queue_calls.ROUTES]
