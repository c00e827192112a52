"""The page of the queue: a lane for each destination, and the sendings with what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charrua_core import audit
from charrua_core.archive.datasets.indexed import fact
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.jobs import Job
from charrua_core.types import Level
from charrua_core.web import HttpError, Navigation, Page, Request, Shown
from charrua_routing import queue
from charrua_routing.pages import words
from charrua_routing.rule import LONGEST_DESTINATION

MOST_SHOWN = 200
VIEWS = {"open": ("running", "dead", "due"), "failed": ("dead", "due"), "done": ("done",)}
"""What the page shows: all that is not done, what has failed at least once, what was sent."""
_NAME, _DESCRIPTION, _STUDY, _SOP = "00100010", "00081030", "0020000D", "00080018"


async def show_queue(request: Request) -> Shown:
    """Show the lanes, and the sendings of a view, of one destination where the query names it."""
    view, destination = request.query.first("view", "open"), request.query.first("destination")[:LONGEST_DESTINATION]
    if view not in VIEWS:
        raise HttpError(400, f"view: {view[:80]!r} is none of {', '.join(VIEWS)}")
    sendings = await _sendings(request, view, destination)
    lanes = await queue.lanes(request.app, request.identity)
    return {
        "lanes": [(lane.lane, lane, request.app.destinations.find(lane.lane)) for lane in lanes],
        "total": sum(lane.waiting + lane.trying + lane.running + lane.dead for lane in lanes),
        "failed": sum(lane.trying + lane.dead for lane in lanes),
        "sendings": [(job, queue.state_of(job), queue.as_json(job)) for job in sendings],
        "about": await _about(request, sendings),
        "view": view,
        "destination": destination,
        "is_partial": bool(request.identity.row_filters),
        "states": words.STATES,
        "failure": words.failure,
        "now": request.app.jobs.clock.now(),
    }


async def _sendings(request: Request, view: str, destination: str) -> list[Job]:
    found: list[Job] = []
    for state in VIEWS[view]:
        found += await queue.sendings(
            *(request.app, request.identity),
            state=state,  # type: ignore[arg-type]
            destination=destination,
            limit=MOST_SHOWN,
        )
    if view == "failed":
        found = [job for job in found if queue.state_of(job) in ("dead", "trying")]
    return found[:MOST_SHOWN]


async def _about(request: Request, jobs: Sequence[Job]) -> dict[int, dict[str, str]]:
    """By the numbers of the sendings, of whom each is and what: of those that the one who asks may see."""
    by_study = {str(job.payload["study_uid"]): job.id for job in jobs if job.payload.get("study_uid")}
    first = {str(job.payload["objects"][0][0]): job.id for job in jobs if job.payload.get("objects")}
    found: dict[str, dict[str, str]] = {}
    for level, tag, uids in ((Level.STUDY, _STUDY, by_study), (Level.IMAGE, _SOP, first)):
        if uids:
            wanted = frozenset({tag, _STUDY, _NAME, _DESCRIPTION})
            query = Query(level, keys={tag: OneOf("UI", tuple(uids))}, return_keys=wanted, relational=True)
            async for one in search(request.app, query, request.identity):
                found[_value(one.attributes, tag)] = _told(one.attributes)
    if found:
        studies = sorted({one["study"] for one in found.values()})
        request.app.audit.later(
            audit.Event.QUERY, "E", request.identity.name, request.origin, study_uids=studies, page="queue"
        )
    return {job.id: told for job in jobs if (told := found.get(_named(job)))}


def _named(job: Job) -> str:
    objects = job.payload.get("objects")
    return str(job.payload.get("study_uid") or (objects[0][0] if objects else ""))


def _told(attributes: Any) -> dict[str, str]:
    read = {"name": _NAME, "description": _DESCRIPTION, "study": _STUDY}
    return {name: _value(attributes, tag) for name, tag in read.items()}


def _value(attributes: Any, tag: str) -> str:
    return fact((attributes.get(tag) or {}).get("Value", []))


PAGES = (
    Page(
        *("/queue", "charrua_routing/queue.html", show_queue, "send", "Queue"),
        navigation=Navigation("main", "Queue", icon="queue", order=30, badge="/routing/queue/failed"),
    ),
)
