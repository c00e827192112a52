"""What comes of an action: the numbers of its edits, by which it is undone, and a few words on what they did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.record import Record
from charrua_core.web import Request, Response, json_response

JSON = ("application/json",)
Step = Callable[[], Awaitable[Record]]

REFUSED = {
    400: "The field that `detail` names will not do",
    403: "Parts of the study are out of the caller's sight, or the caller lacks the permission",
    404: "There is none, or none that the caller may see",
    409: "It cannot be done as things are",
}
DONE = {200: "It is done: `edits` are the numbers by which it is undone", **REFUSED}


async def in_turn(request: Request, steps: Sequence[Step]) -> list[Record]:
    """Make edits that belong together; where one fails, those before it are undone."""
    made: list[Record] = []
    try:
        for step in steps:
            made.append(await step())  # noqa: PERF401  what was made must be known when a later one fails
    except BaseException:
        for record in reversed(made):
            await edit_undo.undo(request.app, request.identity, record.id, origin=request.origin)
        raise
    return made


def done(records: Sequence[Record], **more: Any) -> Response:
    """Answer with the numbers of the edits."""
    return json_response({"edits": [record.id for record in records], **more})
