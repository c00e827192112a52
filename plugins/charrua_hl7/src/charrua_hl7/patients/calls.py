"""The calls on what messages have changed of patients."""

from __future__ import annotations

from dataclasses import replace

from charrua_core import audit
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, json_response
from charrua_hl7.patients import rows
from charrua_hl7.patients.told import Told, as_json, with_studies
from charrua_hl7.patients.undoing import undo_change

MOST = 200
_MOST_DIGITS = 18


async def list_changes(request: Request) -> Response:
    """Tell a page of changes, newest first."""
    limit = number_in(request, "limit") or 50
    if limit > MOST:
        raise HttpError(400, f"limit: {MOST} at most is expected")
    found = [as_json(one) for one in await changes(request, limit)]
    return replace(json_response(found), headers=[("Cache-Control", "no-store")])


async def changes(request: Request, limit: int) -> list[Told]:
    """Give changes, newest first, as the query asks: none to who sees a part of the archive, which these know nothing of."""
    before, message = number_in(request, "before"), number_in(request, "message")
    found: list[Told] = []
    if not request.identity.row_filters:
        async with request.app.db.reading() as connection:
            found = await with_studies(connection, await rows.listed(connection, limit, before, message))
    uids = sorted({uid for one in found for uid in one.studies})[:MOST]
    request.app.audit.later(
        *(audit.Event.PATIENT_RECORD, "R", request.identity.name, request.origin),
        study_uids=uids,
        changes=[one.change.id for one in found],
    )
    return found


async def undo(request: Request) -> Response:
    """Take a change back."""
    number = number_of(request.parameters["change"], "change")
    await undo_change(request.app, request.identity, number, request.origin)
    return Response(204)


def number_in(request: Request, name: str) -> int | None:
    """Give a number of the query, None where it is not there."""
    given = request.query.first(name)
    return number_of(given, name) if given else None


def number_of(given: str, name: str) -> int:
    """Give a number that is 1 or more; HttpError 400."""
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS and int(given)):
        raise HttpError(400, f"{name}: a number is expected")
    return int(given)


_NUMBER = {"type": "integer", "minimum": 1}

PATIENT_ROUTES = (
    WebRoute(
        "GET",
        "/hl7/patient-changes",
        list_changes,
        "edit",
        "List what messages have changed of patients, newest first",
        tag="HL7",
        query=(
            Parameter("before", "Those older than this one", _NUMBER),
            Parameter("message", "Those of this message", _NUMBER),
            Parameter("limit", "How many, 50 where nothing is said", {**_NUMBER, "maximum": MOST}),
        ),
        statuses={200: "The changes", 400: "A parameter will not do"},
        description="Patients corrected, merged and moved by ADT, with the entries and studies that were changed. Who sees a "
        "part of the archive sees none of them.",
    ),
    WebRoute(
        "POST",
        "/hl7/patient-changes/{change}/undo",
        undo,
        "edit",
        "Take back what a message has changed of a patient",
        tag="HL7",
        statuses={
            204: "Entries and studies say what they said before, and a merge is forgotten",
            400: "The number will not do",
            404: "There is no such change, or the caller sees a part of the archive",
            409: "It was taken back before, or something was made over it later: `detail` says what",
        },
        description="Entries that say something else by now stay as they are.",
    ),
)
