"""Deleting studies, series and objects; taking back what was done; the history of a study."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from charrua_core.archive import remove
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.record import Record
from charrua_core.archive.index.levels import STUDY_INSTANCE_UID
from charrua_core.types import Level
from charrua_core.web import HttpError, Request, Response, WebRoute, fields_of, json_response
from charrua_web.actions.answered import DONE, JSON, REFUSED, Step, done, in_turn
from charrua_web.actions.attributes import change

MOST_UNDONE = 200
_UNKNOWN = HttpError(404, "there is no edit of this number, or none that you may see")


async def delete(request: Request) -> Response:
    """Delete a study, or series and objects of it."""
    fields = await fields_of(request)
    series, instances, reason = fields.uids("series"), fields.uids("instances"), fields.text("reason", 500)
    fields.end()
    uid = request.parameters["study"]
    return done(await in_turn(request, [deletion(request, uid, series, instances, reason)]))


def deletion(request: Request, uid: str, series: list[str], instances: list[str], reason: str) -> Step:
    """Give the step that deletes a study, or parts of it where some are named."""
    told: dict[str, Any] = {"reason": reason, "origin": request.origin}
    if series or instances:
        return partial(remove.delete_parts, request.app, request.identity, uid, series, instances, **told)
    return partial(remove.delete, request.app, request.identity, Level.STUDY, uid, **told)


async def undo(request: Request) -> Response:
    """Take edits back, the last one first."""
    fields = await fields_of(request)
    numbers, reason = fields.texts("edits"), fields.text("reason", 500)
    fields.end()
    if not 0 < len(numbers) <= MOST_UNDONE:
        raise fields.wrong("edits", f"1 to {MOST_UNDONE} numbers of edits are expected")
    for number in numbers:
        await _require_known(request, number)
    made = []
    for number in reversed(numbers):
        told: dict[str, Any] = {"reason": reason, "origin": request.origin}
        made.append(await edit_undo.undo(request.app, request.identity, number, **told))
    return done(made)


async def _require_known(request: Request, number: str) -> None:
    """HttpError 404 alike for what is no number, for none that there is, and for one that the caller must not know of."""
    try:
        uuid.UUID(number)
    except ValueError:
        raise _UNKNOWN from None
    if await edit_undo.seen(request.app, request.identity, number) is None:
        raise _UNKNOWN


async def history(request: Request) -> Response:
    """Tell what was done to a study, oldest first."""
    uid = request.parameters["study"]
    records = await edit_undo.history(request.app, request.identity, uid)
    return json_response([_told(request, record, uid) for record in records if record.kind != "undo"])


def _told(request: Request, record: Record, uid: str) -> dict[str, Any]:
    """Tell of an edit. Who sees only a part of the archive is not told which other studies it was about."""
    others = [] if request.identity.row_filters else [one for one in record.study_uids if one != uid]
    return {
        "edit": record.id,
        "kind": record.kind,
        "at": record.made_at.isoformat(),
        "by": record.made_by,
        "reason": record.reason,
        "level": record.targets.get("level", ""),
        "series": len(record.targets.get("series", ())),
        "objects": len(record.arrivals),
        "other_studies": others,
        "changes": _changes(record),
        "undone": record.undone_by is not None,
    }


def _changes(record: Record) -> list[dict[str, str]]:
    if record.kind == "status":
        named = {"keyword": "Status", "name": "Status", "vr": "CS", "level": "STUDY"}
        return [{**named, "before": record.before["status"], "after": record.after["status"]}]
    before, after = record.before.get("attributes", {}), record.after.get("attributes", {})
    told = [change(tag, before.get(tag), new) for tag, new in after.items() if tag != STUDY_INSTANCE_UID]
    return [one for one in told if one["before"] != one["after"]]


ROUTES = (
    WebRoute(
        "POST",
        "/actions/studies/{study}/delete",
        delete,
        "delete",
        "Delete a study, or series and objects of it",
        tag="Actions",
        consumes=JSON,
        statuses=DONE,
        description="`series` and `instances` are UIDs of what goes; with neither it is the whole study. Files are removed "
        "after `undo_days`.",
    ),
    WebRoute(
        "POST",
        "/actions/undo",
        undo,
        "query",
        "Take back edits and deletions",
        tag="Actions",
        consumes=JSON,
        statuses=DONE,
        description="`edits` are numbers as actions answer them, in the order in which they were made. It takes the permission "
        "that it took to make them.",
    ),
    WebRoute(
        "GET",
        "/actions/studies/{study}/history",
        history,
        "query",
        "Tell what was done to a study",
        tag="Actions",
        statuses={200: "Each edit, oldest first, with what it changed", 404: REFUSED[404]},
    ),
)
