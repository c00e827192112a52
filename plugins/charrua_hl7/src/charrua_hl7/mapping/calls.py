"""Mappings over HTTP: looked at, changed with the version that one has seen, checked, and tried on messages."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any, cast

import orjson
from sqlalchemy import select

from charrua_core import audit
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, json_response, object_of, problem
from charrua_hl7 import tables
from charrua_hl7.errors import MessageRefused
from charrua_hl7.mapping import bench, store
from charrua_hl7.mapping.check import MappingInvalid, read_lines
from charrua_hl7.mapping.lines import Lines
from charrua_hl7.mapping.steps import code_of
from charrua_hl7.mapping.store import Who
from charrua_hl7.mapping.structure import structure_of
from charrua_hl7.message import Message, split_batch

MOST_BYTES = 2 << 20
MOST_MESSAGE_BYTES = 1 << 20


async def list_mappings(request: Request) -> Response:
    """Give the mapping in force of each type, without its lines."""
    found = await store.in_force(request.app)
    told = [kept.as_json() for kept in found.values()]
    return json_response([{**one, "lines": len(one["lines"])} for one in told])


async def show(request: Request) -> Response:
    """Give the mapping in force of a type."""
    return json_response((await store.find(request.app, request.parameters["type"])).as_json())


async def change(request: Request) -> Response:
    """Put the lines of the body in force."""
    body = await object_of(request, MOST_BYTES)
    version, lines, reason = _version(body.get("version")), body.get("lines"), body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 1000:
        raise HttpError(400, "reason: a text of 1000 characters at most is expected")
    try:
        kept = await store.save(request.app, _who(request), request.parameters["type"], version, lines, reason)  # type: ignore[arg-type]
    except MappingInvalid as error:
        return _invalid(error)
    return json_response(kept.as_json())


async def reset(request: Request) -> Response:
    """Put the default in force."""
    version = _version(request.query.first("version"))
    kept = await store.reset(request.app, _who(request), request.parameters["type"], version)
    return json_response(kept.as_json())


async def list_versions(request: Request) -> Response:
    """Give the versions of a mapping, newest first."""
    found = await store.versions(request.app, request.parameters["type"])
    return json_response([kept.as_json() for kept in found])


async def check(request: Request) -> Response:
    """Tell what is wrong with the lines of the body, and what they would change of messages that were kept."""
    _unfiltered(request)
    code = store.code_known(request.parameters["type"])
    try:
        edited = read_lines(code, (await object_of(request, MOST_BYTES)).get("lines"))
    except MappingInvalid as error:
        return json_response({"problems": [one.as_json() for one in error.problems], "kept": None})
    present = (await store.find(request.app, code)).lines
    kept = await bench.differing(request.app, code, present, edited)
    name = request.identity.name
    request.app.audit.later(audit.Event.QUERY, "E", name, request.origin, hl7_mapping=code, looked_at=kept["looked_at"])
    return json_response({"problems": [], "kept": kept})


async def try_message(request: Request) -> Response:
    """Tell what the message of the body becomes, by the lines of the body or those in force."""
    body = await object_of(request, MOST_BYTES)
    content = await _content(request, body)
    try:
        message = Message.parse(content)
        code = store.code_known(code_of(message))
    except MessageRefused as error:
        refused = {"sentence": str(error), "location": error.location}
        return json_response({"type": "", "entries": [], "refused": refused, "problems": [], "structure": None})
    given = body.get("lines")
    try:
        lines: Lines = (await store.find(request.app, code)).lines if given is None else read_lines(code, given)
    except MappingInvalid as error:
        told = [one.as_json() for one in error.problems]
        return json_response(
            {"type": message.type, "entries": [], "refused": None, "problems": told, "structure": None}
        )
    tried = bench.tried(message, lines, request.app.settings["worklist_default_modality"])
    return json_response({**tried, "problems": [], "structure": await structure_of(message)})


async def _content(request: Request, body: Mapping[str, Any]) -> bytes:
    """The message itself, or the one that was kept."""
    text, number = body.get("message"), body.get("message_id")
    if number is not None:
        return await _kept_content(request, number)
    if not isinstance(text, str) or not text.strip() or len(text) > MOST_MESSAGE_BYTES:
        raise HttpError(400, f"message: a text of 1 to {MOST_MESSAGE_BYTES} characters is expected")
    [first, *_] = split_batch(text.lstrip("\ufeff").encode("utf-8", "replace"))
    return BOM_UTF8 + first  # it is text already: what MSH-18 says of its bytes holds no longer


async def _kept_content(request: Request, number: object) -> bytes:
    _unfiltered(request)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 1 << 63:
        raise HttpError(400, "message_id: the number of a message is expected")
    async with request.app.db.reading() as connection:
        content = await connection.scalar(select(tables.message.c.content).where(tables.message.c.id == number))
    if content is None:
        raise HttpError(404, f"there is no message {number}")
    event, name = audit.Event.ORDER_RECORD, request.identity.name
    request.app.audit.later(event, "R", name, request.origin, hl7_message=number)
    return bytes(content)


def _unfiltered(request: Request) -> None:
    """Messages hold what no row filter can split."""
    if request.identity.row_filters:
        raise HttpError(403, "messages are shown to those alone who may see all studies")


def _who(request: Request) -> Who:
    return Who(request.identity, request.origin)


def _version(given: object) -> int:
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 19:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 1 << 63:
        raise HttpError(
            400, "version: the version that you looked at is expected, 0 of a default that nobody has changed"
        )
    return given


def _invalid(error: MappingInvalid) -> Response:
    """The usual shape, with what is wrong at each line."""
    told = problem(error)
    body = orjson.loads(cast(bytes, told.body)) | {"problems": [one.as_json() for one in error.problems]}
    return Response(told.status, orjson.dumps(body), told.content_type)


_JSON = ("application/json",)
_TAG = "HL7"
_UNKNOWN = {404: "Messages of this type are not mapped"}
_WRONG = {400: "The mapping will not do: `problems` has each line that is wrong, counted from 0"}
_CONFLICT = {409: "Somebody else has changed the mapping meanwhile"}
_VERSION = Parameter("version", "The version that you looked at", {"type": "integer", "minimum": 0})

MAPPING_ROUTES = (
    WebRoute("GET", "/hl7/mappings", list_mappings, "configure", "List the mappings by message type", tag=_TAG),
    WebRoute(
        *("GET", "/hl7/mappings/{type}", show, "configure", "Show the mapping of a message type"),
        tag=_TAG,
        statuses={200: "The mapping in force, with its lines", **_UNKNOWN},
    ),
    WebRoute(
        *("PUT", "/hl7/mappings/{type}", change, "configure", "Change the mapping of a message type"),
        tag=_TAG,
        consumes=_JSON,
        statuses={200: "The mapping as it is now", **_WRONG, **_UNKNOWN, **_CONFLICT},
        description="The body has `version`, the one that you looked at, `lines`, and may have `reason`.",
    ),
    WebRoute(
        *("DELETE", "/hl7/mappings/{type}", reset, "configure", "Go back to the default mapping of a message type"),
        tag=_TAG,
        query=(_VERSION,),
        statuses={200: "The mapping as it is now", 400: "The version is no number", **_UNKNOWN, **_CONFLICT},
    ),
    WebRoute(
        *("GET", "/hl7/mappings/{type}/versions", list_versions, "configure", "List the versions of a mapping"),
        tag=_TAG,
        statuses={200: "The versions, newest first", **_UNKNOWN},
    ),
    WebRoute(
        *("POST", "/hl7/mappings/{type}/check", check, "configure", "Check a mapping that is not saved"),
        tag=_TAG,
        consumes=_JSON,
        statuses={200: "What is wrong with it, and which kept messages it would map otherwise", **_WRONG, **_UNKNOWN},
        description="The body has `lines`.",
    ),
    WebRoute(
        *("POST", "/hl7/mappings/try", try_message, "configure", "Try a message; nothing is stored"),
        tag=_TAG,
        consumes=_JSON,
        statuses={
            200: "What it becomes, which line gave which value from where, and what the standard's structure says of it",
            400: "The body has no message",
            404: "There is no such message, or messages of its type are not mapped",
        },
        description="The body has `message`, or `message_id` of one that was kept, and may have `lines` in place of those in "
        "force.",
    ),
)
