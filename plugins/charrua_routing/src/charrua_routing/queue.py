"""The queue of sendings: who looks after it sees it, sends again, deletes; who sees a part of the archive, their own alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from charrua_core import audit
from charrua_core.errors import CharruaError, NotPermitted
from charrua_core.jobs import Job, Lane, State
from charrua_core.sending import KIND, lane_of
from charrua_core.types import Identity, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

UNFINISHED: tuple[State, ...] = ("running", "dead", "due")
_PAGE = 200
_MOST_COUNTED = 500


class SendingNotFound(CharruaError):
    """There is no such sending in the queue."""

    http_status = 404


class SendingBusy(CharruaError):
    """The sending runs, or the same is waiting already."""

    http_status = 409


async def sendings(
    app: App,
    identity: Identity,
    *,
    state: State | None = None,
    destination: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[Job]:
    """Give a page of the sendings that the identity may see, newest first."""
    _require(identity)
    found: list[Job] = []
    lane = lane_of(destination) if destination else None
    while len(found) < limit:
        page = await app.jobs.list(kind=KIND, state=state, lane=lane, before=before, limit=_PAGE)
        found += [job for job in page if _may_see(identity, job)]
        if len(page) < _PAGE:
            break
        before = page[-1].id
    return found[:limit]


async def lanes(app: App, identity: Identity) -> list[Lane]:
    """Give how much is to be sent to each destination, by its name, of what the identity may see."""
    _require(identity)
    if not identity.row_filters:
        return [replace(one, lane=one.lane[len(lane_of("")) :]) for one in await app.jobs.lanes(KIND)]
    jobs = [job for state in UNFINISHED for job in await sendings(app, identity, state=state, limit=_MOST_COUNTED)]
    counted = Counter((str(job.payload["destination"]), state_of(job)) for job in jobs)
    names = sorted({name for name, _ in counted})
    states = ("waiting", "trying", "running", "dead")
    return [Lane(name, **{state: counted[name, state] for state in states}) for name in names]  # type: ignore[arg-type]


def state_of(job: Job) -> str:
    """Give the state of a sending as people are told it: what is due was tried before, or is only waiting."""
    return job.state if job.state != "due" else ("trying" if job.attempts else "waiting")


async def again(app: App, identity: Identity, origin: Origin, number: int) -> None:
    """Have a sending done now, with its whole schedule of tries before it. Raises SendingNotFound, SendingBusy."""
    job = await _one(app, identity, number)
    if not await app.jobs.resend(number):
        raise SendingBusy(f"sending {number} runs, or the same is waiting already")
    _note(app, identity, origin, "E", job)


async def delete(app: App, identity: Identity, origin: Origin, number: int) -> None:
    """Take a sending out of the queue. Raises SendingNotFound, SendingBusy."""
    job = await _one(app, identity, number)
    if not await app.jobs.remove(number):
        raise SendingBusy(f"sending {number} runs: it can be deleted when it has ended")
    _note(app, identity, origin, "D", job)


def as_json(job: Job) -> dict[str, Any]:
    """Give a sending as it is shown; it has no patient data."""
    payload = job.payload
    return {
        "id": job.id,
        "destination": payload["destination"],
        "state": job.state,
        "objects": len(payload.get("objects", ())),
        "sent": len(payload.get("sent", ())),
        "study_uid": payload.get("study_uid", ""),
        "asked_by": payload.get("asked_by", {}).get("name", ""),
        "options": payload.get("options", {}),
        "priority": job.priority,
        "run_at": job.run_at.isoformat(),
        "attempts": job.attempts,
        "last_error": job.last_error,
        "created_at": job.created_at.isoformat(),
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


async def _one(app: App, identity: Identity, number: int) -> Job:
    _require(identity)
    found = await app.jobs.list(kind=KIND, before=number + 1, limit=1)
    if not found or found[0].id != number or not _may_see(identity, found[0]):
        raise SendingNotFound(f"there is no sending {number}")
    return found[0]


def _may_see(identity: Identity, job: Job) -> bool:
    """A route's objects may be of patients whom somebody with a filter does not see."""
    return not identity.row_filters or job.payload.get("asked_by", {}).get("name") == identity.name


def _require(identity: Identity) -> None:
    if not identity.may("send"):
        raise NotPermitted(f"{identity.name} has no permission to look after the queue")


def _note(app: App, identity: Identity, origin: Origin, action: audit.Action, job: Job) -> None:
    study_uid = job.payload.get("study_uid")
    detail = {"sending": job.id, "destination": job.payload["destination"]}
    studies = [study_uid] if study_uid else []
    app.audit.later(audit.Event.EXPORT, action, identity.name, origin, study_uids=studies, **detail)
