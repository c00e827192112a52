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
from charrua_core.types import Origin, StoredObject, StudyEdited

if TYPE_CHECKING:
    from charrua_core.app import App

Deliver = Callable[[Change], Awaitable[None]]
_OBJECT = "object"
_HOOKS = {
    "on_object_stored": (_OBJECT,),
    "on_study_edited": ("edited", "deleted", "purged", "restored"),
    "on_report_final": (reports.KIND,),
}
"""Hooks, and the kinds of changes that they are told of."""


def core_services(app: App) -> Sequence[Service]:
    """Give them; the ones of the process's roles are started."""
    kinds = app.hooks.gather_of(JobType, "job_types", app=app) if "jobs" in app.roles else ()
    worker = Worker(app.db, kinds, on_dead=partial(_given_up, app))
    return [DicomListener(app), *followers(app), Background("job worker", "jobs", worker.run)]


def _given_up(app: App, kind: str, error: Exception) -> None:
    if kind != sending.KIND:  # which has told of each try
        app.troubles.note("job", kind, reason=f"{error}", error=type(error).__name__)


def followers(app: App) -> list[Service]:
    """One follower for each plugin and hook that is told of changes: a slow one delays only itself; one for all routes.

    And one for the archive's own transfer syntax, where it has one: that begins with what is stored from then on.
    """
    names = follower_names(app)
    found = [Follower(app.db, name, _tell(app, one), kinds=_HOOKS[one.hook]) for name, one in _told(app).items()]
    if sending.FOLLOWER in names:
        found.append(Follower(app.db, sending.FOLLOWER, _plan(app, sending.route)))
    if archiving.FOLLOWER in names:
        found.append(Follower(app.db, archiving.FOLLOWER, _plan(app, archiving.plan), from_now=True))
    return [Background(f"follower {one.name}", "followers", one.run) for one in found]


def follower_of(plugin: str, hook: str) -> str:
    """Name the follower by which a plugin is told of changes by this hook: `vendor.on_object_stored`."""
    return f"{plugin}.{hook}"


def follower_names(app: App) -> list[str]:
    """Name the followers of the change feed."""
    routes = [sending.FOLLOWER] if app.hooks.implementations("route_destination") else []
    own_syntax = app.settings["archive_transfer_syntax"] != archiving.AS_RECEIVED
    transcoding = [archiving.FOLLOWER] if own_syntax else []
    return [*_told(app), *routes, *transcoding]


def _told(app: App) -> dict[str, Implementation]:
    """By follower, what is told of changes."""
    found = [one for hook in _HOOKS for one in app.hooks.implementations(hook)]
    return {follower_of(one.plugin, one.hook): one for one in found}


def _tell(app: App, one: Implementation) -> Deliver:
    async def deliver(change: Change) -> None:
        await one.call_async({"app": app, **_given(change)})

    return deliver


def _given(change: Change) -> dict[str, Any]:
    if change.kind == _OBJECT:
        return {"stored": stored_object(change.payload)}
    if change.kind == reports.KIND:
        return {"report": reports.report_of(change.payload)}
    return {"edited": study_edited(change)}


def _plan(app: App, plan: Callable[..., Awaitable[None]]) -> Deliver:
    began = datetime.now(UTC)

    async def deliver(change: Change) -> None:
        await plan(app, stored_object(change.payload), again=change.again or change.at < began)

    return deliver


def stored_object(payload: Mapping[str, Any]) -> StoredObject:
    """Give the stored object that a change of kind `object` tells of."""
    read = {"received_at": datetime.fromisoformat(payload["received_at"]), "origin": Origin(**payload["origin"])}
    return StoredObject(**{**payload, **read})


def study_edited(change: Change) -> StudyEdited:
    """Give the edit that a change of one of its kinds tells of."""
    told = change.payload
    uids = tuple(told["study_uids"])
    return StudyEdited(told["edit"], told["kind"], uids, change.at, told.get("undoes", ""))
