"""Sending studies to peers and other destinations, and what became of that."""

from __future__ import annotations

from typing import Any

from charrua_core.errors import StudyNotFound
from charrua_core.jobs import Job
from charrua_core.sending import BY_NUMBER, KIND, send_study
from charrua_core.types import Destination, Identity
from charrua_core.web import Fields, HttpError, Parameter, Request, Response, WebRoute, fields_of, json_response
from charrua_web.actions.answered import JSON, REFUSED

MOST_AT_ONCE = 500
"""Studies times destinations of one call."""
_LONGEST_NAME = 64
PRIORITIES = {"low": -10, "normal": 0, "high": 10}
SYNTAXES = (
    "default",
    "LE explicit",
    "LE implicit",
    "JPEG lossless",
    "JPEG lossy",
    "JPEG 2000 lossless",
    "JPEG 2000 lossy",
)
"""The names of the manual's numbers."""


async def destinations(request: Request) -> Response:
    """Tell where studies can be sent to, and how."""
    app = request.app
    await app.destinations.refresh()
    told = [{**_told(one), "syntaxes": _takes_syntax(request, one)} for one in app.destinations.all()]
    return json_response({"destinations": told, "syntaxes": list(SYNTAXES), "priorities": list(PRIORITIES)})


def _told(destination: Destination) -> dict[str, Any]:
    return {
        "name": destination.name,
        "kind": destination.kind,
        "enabled": destination.enabled,
        "window": destination.window,
    }


def _takes_syntax(request: Request, destination: Destination) -> bool:
    """Whether a transfer syntax can be asked for there."""
    kind = request.app.destinations.kinds.get(destination.kind)
    return kind is not None and "transfer_syntaxes" in kind.heeds


async def send(request: Request) -> Response:
    """Send studies to destinations."""
    fields = await fields_of(request)
    studies, names = fields.uids("studies"), fields.texts("destinations", _LONGEST_NAME)
    syntaxes, priority = _syntaxes_in(fields), _priority_in(fields)
    fields.end()
    if not studies:
        raise fields.wrong("studies", "name one study at least")
    if not names:
        raise fields.wrong("destinations", "name one destination at least")
    if len(studies) * len(names) > MOST_AT_ONCE:
        raise fields.wrong("studies", f"{MOST_AT_ONCE} sendings at most are asked for in one call")
    for name in names:
        await _require_known(request, fields, name)
    sendings = [await _send_one(request, study, name, syntaxes, priority) for study in studies for name in names]
    return json_response({"sendings": sendings}, 202)


def _syntaxes_in(fields: Fields) -> tuple[str, ...]:
    given = fields.anything("transfer_syntax")
    given = 0 if given is None else given
    number = int(given) if isinstance(given, str) and len(given) == 1 and given in "0123456" else given
    if isinstance(number, bool) or not isinstance(number, int) or number not in BY_NUMBER:
        raise fields.wrong("transfer_syntax", "0 to 6 is expected")
    return BY_NUMBER[number]


def _priority_in(fields: Fields) -> int:
    given = fields.text("priority") or "normal"
    if given not in PRIORITIES:
        raise fields.wrong("priority", f"it is one of {', '.join(PRIORITIES)}")
    return PRIORITIES[given]


async def _require_known(request: Request, fields: Fields, name: str) -> None:
    if request.app.destinations.find(name) is None:
        await request.app.destinations.refresh()
    if request.app.destinations.find(name) is None:
        raise fields.wrong("destinations", f"no peer and no other destination is named {name}")


async def _send_one(
    request: Request, study: str, name: str, syntaxes: tuple[str, ...], priority: int
) -> dict[str, Any]:
    """Queue one sending; a study that is not there is told as such, and keeps no other from being sent."""
    options = {"transfer_syntaxes": list(syntaxes)} if syntaxes else {}
    told: dict[str, Any] = {"study": study, "destination": name, "sending": None, "state": "waits already"}
    try:
        number = await send_study(
            request.app, request.identity, study, name, origin=request.origin, options=options, priority=priority
        )
    except StudyNotFound as error:
        return {**told, "state": "not found", "why": str(error)}
    return told if number is None else {**told, "sending": number, "state": "due"}


async def sendings(request: Request) -> Response:
    """Tell what became of sendings that the caller has asked for."""
    given = request.query.first("of")
    numbers = [int(one) for one in given.split(",") if one.isascii() and one.isdigit() and len(one) < 18]
    if not numbers or len(numbers) > MOST_AT_ONCE:
        raise HttpError(400, f"of: 1 to {MOST_AT_ONCE} numbers of sendings are expected, with commas between them")
    jobs = await request.app.jobs.some(numbers)
    return json_response([_became(job) for job in jobs if job.kind == KIND and _asked_by(request.identity, job)])


def _became(job: Job) -> dict[str, Any]:
    payload = job.payload
    return {
        "sending": job.id,
        "study": payload.get("study_uid", ""),
        "destination": payload["destination"],
        "state": job.state,
        "sent": len(payload.get("sent", ())),
        "left": len(payload.get("objects", ())),
        "attempts": job.attempts,
        "why": job.last_error,
        "next_try": job.run_at.isoformat(),
    }


def _asked_by(identity: Identity, job: Job) -> bool:
    """Whether the caller has asked for the sending; who sees all sees all sendings."""
    return not identity.row_filters or job.payload.get("asked_by", {}).get("name") == identity.name


ROUTES = (
    WebRoute(
        "GET",
        "/actions/destinations",
        destinations,
        "send",
        "Tell where studies can be sent to",
        tag="Actions",
        statuses={200: "Destinations, peers among them; names of transfer syntaxes and priorities"},
    ),
    WebRoute(
        "POST",
        "/actions/send",
        send,
        "send",
        "Send studies to destinations",
        tag="Actions",
        consumes=JSON,
        statuses={202: "What was queued, and what was not", 400: REFUSED[400], 403: REFUSED[403]},
        description="`studies` are UIDs, `destinations` names. `transfer_syntax` is 0 to 6, as TS of /routingqueue; `priority` "
        "is low, normal or high.",
    ),
    WebRoute(
        "GET",
        "/actions/sendings",
        sendings,
        "send",
        "Tell what became of sendings",
        tag="Actions",
        query=(Parameter("of", "Numbers of sendings, with commas between them"),),
        statuses={200: "Those that there still are", 400: "`of` will not do"},
    ),
)
