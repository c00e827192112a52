"""The calls on messages: those that came and those that went out, searched, looked at, processed or sent again.

They hold the data of patients whom no row filter can tell apart: who sees a part of the archive sees none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from charrua_core import audit
from charrua_core.errors import NotPermitted
from charrua_core.web import (
    HttpError,
    Parameter,
    Request,
    Response,
    WebRoute,
    json_response,
    number_in_query,
    typed_object_of,
)
from charrua_hl7.intake import messages
from charrua_hl7.intake.keeping import EVENTS
from charrua_hl7.intake.opened import made_by, segments_of, text_of
from charrua_hl7.outgoing.queue import send_again
from charrua_hl7.tables import message

PATH = "/hl7/messages"
TAG = "HL7"
DIRECTIONS, STATES, CODES = ("in", "out"), ("waiting", "done", "failed"), ("AA", "AE", "AR", "CA", "CE", "CR")
MOST_AGAIN = 1000
"""Messages that one call has done again."""
LONGEST = 200
_CHOICES = {"direction": DIRECTIONS, "state": STATES, "acknowledgement": CODES}
_NAMES = {
    "direction": "direction",
    "type": "message_type",
    "state": "state",
    "acknowledgement": "acknowledgement",
    "control": "control_id",
    "patient": "patient_id",
    "accession": "accession_number",
    "party": "party",
    "application": "sending_application",
    "text": "text",
}
"""What a query names, and what `Asked` calls it."""


def require_whole_sight(request: Request) -> None:
    """Raise NotPermitted for who sees a part of the archive alone."""
    if request.identity.row_filters:
        raise NotPermitted(f"{request.identity.name} sees a part of the archive: messages are of all patients")


def asked_of(given: Mapping[str, str]) -> messages.Asked:
    """Give what is looked for; HttpError 400 where it will not do."""
    read: dict[str, Any] = {}
    for name, field in _NAMES.items():
        value = given.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST or "\0" in value:
            raise HttpError(400, f"{name}: a text of {LONGEST} characters at most is expected")
        if value and name in _CHOICES and value not in _CHOICES[name]:
            raise HttpError(400, f"{name}: it is one of {', '.join(_CHOICES[name])}")
        read[field] = value.strip()
    read["since"], read["until"] = _moment(given, "since"), _moment(given, "until")
    if read["until"] and len(given["until"]) == len("2026-03-06"):
        read["until"] += timedelta(days=1)  # a day is meant as a whole
    return messages.Asked(**read)


def _moment(given: Mapping[str, str], name: str) -> datetime | None:
    value = given.get(name, "")
    try:
        return datetime.fromisoformat(value).astimezone() if value else None
    except (ValueError, TypeError, OverflowError) as error:
        raise HttpError(400, f"{name}: a day or a moment such as 2026-03-06T17:30:00Z is expected") from error


def named(request: Request) -> dict[str, str]:
    """Give what the query of a request names."""
    return {name: request.query.first(name) for name in (*_NAMES, "since", "until") if request.query.first(name)}


async def found(request: Request, given: Mapping[str, str], before: int, limit: int) -> list[messages.Kept]:
    """Give messages, newest first, and note that they were looked for."""
    require_whole_sight(request)
    kept = await messages.find(request.app, replace(asked_of(given), before=before), limit)
    by = request.identity.name
    request.app.audit.later(audit.Event.QUERY, "E", by, request.origin, page="hl7 messages", by=sorted(given))
    return kept


async def opened(request: Request, number: int) -> messages.Whole:
    """Give one message, and note that it was looked at; HttpError 404 where there is none."""
    require_whole_sight(request)
    whole = await messages.one(request.app, number)
    if whole is None:
        raise HttpError(404, f"there is no message {number}")
    event = EVENTS.get(whole.message.message_type.partition("^")[0], audit.Event.ORDER_RECORD)
    request.app.audit.later(event, "R", request.identity.name, request.origin, hl7_message=number)
    return whole


async def list_messages(request: Request) -> Response:
    """Give a page of messages, newest first."""
    before = number_in_query(request.query, "before", 0, 0, 10**17)
    limit = number_in_query(request.query, "limit", 50, 1, 500)
    return json_response([_shown(one) for one in await found(request, named(request), before, limit)])


async def count_failed(request: Request) -> Response:
    """Count the messages that failed, for the badge."""
    require_whole_sight(request)
    async with request.app.db.reading() as connection:
        count = await connection.scalar(select(func.count()).where(message.c.state == "failed"))
    return json_response({"count": count})


async def show(request: Request) -> Response:
    """Give one message, with its segments and what it has made."""
    number = number_of(request)
    whole = await opened(request, number)
    made = await made_by(request.app, number)
    told = {
        **_shown(whole.message),
        "text": text_of(whole.content),
        "answer": text_of(whole.answer),
        "segments": [asdict(one) for one in segments_of(whole.content)],
        "entries": [one["id"] for one in made.entries],
        "patient_changes": [one["id"] for one in made.changes],
    }
    return json_response(told)


async def process(request: Request) -> Response:
    """Process a message again, or send it again where it is one that goes out."""
    require_whole_sight(request)
    done = await _again(request, [number_of(request)])
    if not done:
        raise HttpError(404, "there is no such message")
    return json_response(_shown(done[0]))


async def process_many(request: Request) -> Response:
    """Process or send again several messages, named or looked for."""
    require_whole_sight(request)
    body = await typed_object_of(request, {"messages": object, "filter": object})
    numbers, given = body.get("messages"), body.get("filter")
    if (numbers is None) == (given is None):
        raise HttpError(400, "messages or filter: one of them is needed")
    if given is not None:
        if not isinstance(given, dict) or given.keys() - {*_NAMES, "since", "until"}:
            raise HttpError(400, f"filter: an object with some of {', '.join(_NAMES)}, since, until is expected")
        numbers = [one.id for one in await messages.find(request.app, asked_of(given), MOST_AGAIN)]
    done = await _again(request, _numbers(numbers))
    failed = sum(one.state == "failed" for one in done)
    return json_response({"done": len(done), "failed": failed})


def _numbers(given: Any) -> list[int]:
    is_list = isinstance(given, list) and len(given) <= MOST_AGAIN
    if not is_list or not all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 10**17 for one in given):
        raise HttpError(400, f"messages: a list of {MOST_AGAIN} numbers at most is expected")
    return list(given)


async def _again(request: Request, numbers: Sequence[int]) -> list[messages.Kept]:
    app = request.app
    out = select(message.c.id).where(message.c.id.in_(numbers), message.c.direction == "out").order_by(message.c.id)
    async with app.db.reading() as connection:
        outgoing = list(await connection.scalars(out))
    done = await messages.process_again(app, request.identity, numbers)
    for number in outgoing:
        await send_again(app, number)
        app.audit.later(audit.Event.EXPORT, "E", request.identity.name, request.origin, hl7_message=number, again=True)
        whole = await messages.one(app, number)
        done += [whole.message] if whole else []
    return done


def number_of(request: Request) -> int:
    """Give the number of the path; HttpError 404 where it is none."""
    given = request.parameters["message"]
    if not given.isascii() or not given.isdigit() or len(given) > 17:
        raise HttpError(404, f"there is no message {given[:80]!r}")
    return int(given)


def _shown(one: messages.Kept) -> dict[str, Any]:
    at, processed = one.at.isoformat(), one.processed_at.isoformat() if one.processed_at else None
    return {**asdict(one), "at": at, "processed_at": processed}


_NONE = {404: "There is no such message"}
_QUERY = (
    Parameter("direction", "Those that came or went", {"type": "string", "enum": list(DIRECTIONS)}),
    Parameter("type", "As ORM^O01; ORM for all of its events"),
    Parameter("state", "Those in this state", {"type": "string", "enum": list(STATES)}),
    Parameter("acknowledgement", "Those that were answered so", {"type": "string", "enum": list(CODES)}),
    Parameter("control", "By their control ID (MSH-10)"),
    Parameter("patient", "By Patient ID"),
    Parameter("accession", "By accession number"),
    Parameter("party", "From this address, or to this receiver"),
    Parameter("application", "By Sending Application (MSH-3)"),
    Parameter("text", "Those that hold this text, with its small and capital letters"),
    Parameter("since", "From this day or moment on"),
    Parameter("until", "Before this moment, or to the end of this day"),
    Parameter("before", "Those older than this one", {"type": "integer", "minimum": 1}),
    Parameter("limit", "How many, 50 where nothing is said", {"type": "integer", "minimum": 1, "maximum": 500}),
)
_NO_PART = "Who sees a part of the archive is answered 403: messages are of all patients."

ROUTES = (
    WebRoute(
        "GET",
        PATH,
        list_messages,
        "configure",
        "List HL7 messages, newest first",
        TAG,
        query=_QUERY,
        statuses={200: "The messages", 400: "A parameter will not do"},
        description=_NO_PART,
    ),
    WebRoute("GET", f"{PATH}/failed", count_failed, "configure", "Count the HL7 messages that failed", TAG),
    WebRoute(
        "GET",
        f"{PATH}/{{message}}",
        show,
        "configure",
        "Show an HL7 message",
        TAG,
        statuses={200: "The message, its segments, its answer, and what it has made", **_NONE},
        description=_NO_PART,
    ),
    WebRoute(
        "POST",
        f"{PATH}/{{message}}/process",
        process,
        "configure",
        "Process an HL7 message again",
        TAG,
        statuses={200: "The message as it is now", **_NONE},
        description="One that goes out is sent again, behind what waits for its receiver.",
    ),
    WebRoute(
        "POST",
        f"{PATH}/process",
        process_many,
        "configure",
        "Process several HL7 messages again",
        TAG,
        consumes=("application/json",),
        statuses={200: "How many were done, and how many of them failed again", 400: "The body will not do"},
        description=f"The body has `messages`, a list of numbers, or `filter`, an object with parameters of the list of "
        f"messages; of those that fit, {MOST_AGAIN} at most are done.",
    ),
)
