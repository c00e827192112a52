"""Core's own services: the DICOM listener, the followers of the change feed, the workers of the jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from charrua_core import reports, sending
from charrua_core.changes import Change, Follower
from charrua_core.imaging import archiving
from charrua_core.implementation import Implementation
from charrua_core.jobs import JobType, Worker
from charrua_core.services.listener import DicomListener
from charrua_core.services.service import Background, Service
from charrua_core.types import Origin, StoredObject

if TYPE_CHECKING:
    from charrua_core.app import App

Deliver = Callable[[Change], Awaitable[None]]


def core_services(app: App) -> Sequence[Service]:
    """Give them; the ones of the process's roles are started."""
    kinds = app.hooks.gather_of(JobType, "job_types", app=app) if "jobs" in app.roles else ()
    worker = Worker(app.db, kinds, on_dead=partial(_given_up, app))
    return [DicomListener(app), *followers(app), Background("job worker", "jobs", worker.run)]


def _given_up(app: App, kind: str, error: Exception) -> None:
    if kind != sending.KIND:  # which has told of each try
        app.troubles.note("job", kind, reason=f"{error}", error=type(error).__name__)


def followers(app: App) -> list[Service]:
    """One follower for each plugin that implements `on_object_stored`: a slow one delays only itself; one for all routes.

    And one for the archive's own transfer syntax, where it has one: that begins with what is stored from then on. And for
    each plugin that implements `on_report_final`, one of the reports.
    """
    delivers = {one.plugin: _tell(app, one) for one in app.hooks.implementations("on_object_stored")}
    names = follower_names(app)
    if sending.FOLLOWER in names:
        delivers[sending.FOLLOWER] = _plan(app, sending.route)
    if archiving.FOLLOWER in names:
        delivers[archiving.FOLLOWER] = _plan(app, archiving.plan)
    following = [
        Follower(app.db, name, deliver, from_now=name == archiving.FOLLOWER) for name, deliver in delivers.items()
    ]
    following += [
        Follower(app.db, _of_reports(one), _tell_report(app, one), kinds=(reports.KIND,))
        for one in app.hooks.implementations("on_report_final")
    ]
    return [Background(f"follower {one.name}", "followers", one.run) for one in following]


def follower_names(app: App) -> list[str]:
    """Name the followers of the change feed."""
    routes = [sending.FOLLOWER] if app.hooks.implementations("route_destination") else []
    own_syntax = app.settings["archive_transfer_syntax"] != archiving.AS_RECEIVED
    transcoding = [archiving.FOLLOWER] if own_syntax else []
    objects = [one.plugin for one in app.hooks.implementations("on_object_stored")]
    return objects + routes + transcoding + [_of_reports(one) for one in app.hooks.implementations("on_report_final")]


def _of_reports(one: Implementation) -> str:
    return f"{one.plugin} reports"


def _tell(app: App, one: Implementation) -> Deliver:
    async def deliver(change: Change) -> None:
        await one.call_async({"app": app, "stored": stored_object(change.payload)})

    return deliver


def _tell_report(app: App, one: Implementation) -> Deliver:
    async def deliver(change: Change) -> None:
        await one.call_async({"app": app, "report": reports.report_of(change.payload)})

    return deliver


def _plan(app: App, plan: Callable[..., Awaitable[None]]) -> Deliver:
    began = datetime.now(UTC)

    async def deliver(change: Change) -> None:
        await plan(app, stored_object(change.payload), again=change.again or change.at < began)

    return deliver


def stored_object(payload: Mapping[str, Any]) -> StoredObject:
    """Give the stored object that a change of kind `object` tells of."""
    read = {"received_at": datetime.fromisoformat(payload["received_at"]), "origin": Origin(**payload["origin"])}
    return StoredObject(**{**payload, **read})
