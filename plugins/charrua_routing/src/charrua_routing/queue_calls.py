"""The queue over HTTP, and the manual's call that sends a study (appendix 5.2)."""

from __future__ import annotations

from typing import cast

from charrua_core.archive.datasets.indexed import fact
from charrua_core.archive.index.names import name_key
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.errors import StudyNotFound
from charrua_core.jobs import State
from charrua_core.sending import BY_NUMBER, send_study
from charrua_core.types import Level, is_valid_uid
from charrua_core.web import (
    HttpError,
    Parameter,
    Request,
    Response,
    WebRoute,
    json_response,
    number_in_query,
)
from charrua_routing import queue
from charrua_routing.bodies import json_of, number_of
from charrua_routing.reading import Fields
from charrua_routing.rule import LONGEST_DESTINATION

_STATES = ("due", "running", "done", "dead")
_STUDY_UID, _PATIENT_NAME = "0020000D", "00100010"


async def list_sendings(request: Request) -> Response:
    """Give a page of sendings, newest first."""
    given = request.query.first("state")
    if given and given not in _STATES:
        raise HttpError(400, f"state: {given[:80]!r} is none of {', '.join(_STATES)}")
    found = await queue.sendings(
        request.app,
        request.identity,
        state=cast("State", given) if given else None,
        destination=request.query.first("destination")[:LONGEST_DESTINATION],
        before=number_in_query(request.query, "before", 0, 0, 10**17) or None,
        limit=number_in_query(request.query, "limit", 50, 1, 500),
    )
    return json_response([queue.as_json(job) for job in found])


async def count_failed(request: Request) -> Response:
    """Count what was given up, for the badge at the queue."""
    lanes = await queue.lanes(request.app, request.identity)
    return json_response({"count": sum(lane.dead for lane in lanes)})


async def again(request: Request) -> Response:
    """Have a sending done now."""
    await queue.again(request.app, request.identity, request.origin, number_of(request, "sending"))
    return Response(204)


async def delete(request: Request) -> Response:
    """Take a sending out of the queue."""
    await queue.delete(request.app, request.identity, request.origin, number_of(request, "sending"))
    return Response(204)


async def send(request: Request) -> Response:
    """Send a study: fields AET, TS, PatientName, StudyInstanceUID."""
    fields = await json_of(request, "")
    destination, uid = fields.text("AET", longest=LONGEST_DESTINATION), fields.text("StudyInstanceUID", longest=64)
    name, syntaxes = fields.text("PatientName"), _transfer_syntaxes(fields)
    fields.end()
    if not destination:
        raise fields.wrong("AET", "the destination is missing")
    if not is_valid_uid(uid):
        raise fields.wrong("StudyInstanceUID", f"{uid!r} is no UID")
    if name_key(name) != name_key(await _patient_name(request, uid)):
        raise fields.wrong("PatientName", "the study is of a patient of another name")
    options = {"transfer_syntaxes": list(syntaxes)} if syntaxes else {}
    job = await send_study(request.app, request.identity, uid, destination, origin=request.origin, options=options)
    return json_response({"sending": job, "already_waiting": job is None}, 202)


def _transfer_syntaxes(fields: Fields) -> tuple[str, ...]:
    """TS, 0 to 6, as a number or as a text."""
    given = fields.anything("TS", 0)
    number = int(given) if isinstance(given, str) and len(given) == 1 and given in "0123456" else given
    if isinstance(number, bool) or not isinstance(number, int) or number not in BY_NUMBER:
        raise fields.wrong("TS", "0 to 6 is expected")
    return BY_NUMBER[number]


async def _patient_name(request: Request, uid: str) -> str:
    """The name of a study that the one who asks may see; raises StudyNotFound."""
    keys = {_STUDY_UID: OneOf("UI", (uid,))}
    query = Query(Level.STUDY, keys=keys, return_keys=frozenset({_PATIENT_NAME}))
    async for found in search(request.app, query, request.identity):
        return fact((found.attributes.get(_PATIENT_NAME) or {}).get("Value", []))
    raise StudyNotFound


_NUMBER = {"type": "integer", "minimum": 1}
_QUERY = (
    Parameter("state", "Those in this state", {"type": "string", "enum": list(_STATES)}),
    Parameter("destination", "Those to this destination"),
    Parameter("before", "Those older than this one", _NUMBER),
    Parameter("limit", "How many, 50 where nothing is said", {**_NUMBER, "maximum": 500}),
)
_NONE = {404: "There is no such sending"}

ROUTES = (
    WebRoute(
        "GET",
        "/routing/queue",
        list_sendings,
        "send",
        "List sendings, newest first",
        tag="Routing",
        query=_QUERY,
        statuses={200: "The sendings", 400: "A parameter will not do"},
        description="Who sees a part of the archive sees the sendings that they have asked for.",
    ),
    WebRoute(
        *("GET", "/routing/queue/failed", count_failed, "send", "Count the sendings that were given up"),
        tag="Routing",
    ),
    WebRoute(
        "POST",
        "/routing/queue/{sending}/again",
        again,
        "send",
        "Send again now",
        tag="Routing",
        statuses={204: "It is due", **_NONE, 409: "It runs, or the same is waiting already"},
    ),
    WebRoute(
        "DELETE",
        "/routing/queue/{sending}",
        delete,
        "send",
        "Take a sending out of the queue",
        tag="Routing",
        statuses={204: "It is deleted", **_NONE, 409: "It runs"},
    ),
    WebRoute(
        "POST",
        "/routingqueue",
        send,
        "send",
        "Send a study to a destination",
        tag="Routing",
        consumes=("application/json",),
        statuses={
            202: "It is in the queue",
            400: "The field that `detail` names will not do",
            404: "There is no such study",
        },
        description="The body has `AET`, `StudyInstanceUID`, `PatientName`, which must be the study's, and may have `TS`: "
        "0 default, 1 LE explicit, 2 LE implicit, 3 JPEG lossless, 4 JPEG lossy, 5 JPEG 2000 lossless, 6 JPEG 2000 lossy.",
    ),
)
