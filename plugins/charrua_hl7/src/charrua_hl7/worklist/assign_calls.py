"""The calls by which studies are assigned to entries, and that is taken back."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.datadict import dictionary_description, keyword_for_tag

from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, fields_of, json_response, number_in_path
from charrua_hl7.worklist import standing, trail
from charrua_hl7.worklist.answers import told
from charrua_hl7.worklist.assigning import assign, changes, described, unassign
from charrua_hl7.worklist.seeing import seen
from charrua_hl7.worklist.trail import By


async def preview(request: Request) -> Response:
    """Tell what a study would say otherwise, once it is assigned to an entry."""
    uid = request.query.first("study")
    if not is_valid_uid(uid):
        raise HttpError(400, f"study: {uid[:80]!r} is no UID")
    found, study, over = await changes(request.app, By.of(request), number_in_path(request, "entry"), uid)
    trail.looked_at(request, found)
    return json_response({"entry": found.id, "study": uid, "changes": [named(one) for one in described(over, study)]})


def named(change: tuple[str, str, str]) -> dict[str, str]:
    """Give a change with the attribute's keyword and name."""
    tag, before, after = change
    number = int(tag, 16)
    words = {"keyword": keyword_for_tag(number), "name": dictionary_description(number)}
    return {**words, "before": before, "after": after}


async def assign_study(request: Request) -> Response:
    """Assign a study, or series of it, to an entry."""
    number = number_in_path(request, "entry")
    fields = await fields_of(request)
    uid, series = fields.uid("study", needed=True), fields.uids("series")
    fields.end()
    completed, edits, target = await assign(request.app, By.of(request), number, uid, series)
    return json_response(told(completed, edits=edits, assigned=target))


async def take_back(request: Request) -> Response:
    """Take the last assignment back."""
    return json_response(told(await unassign(request.app, By.of(request), number_in_path(request, "entry"))))


async def leave(request: Request) -> Response:
    """Note that a study which came with an entry's accession number is not the entry's."""
    number, uid = number_in_path(request, "entry"), request.parameters["study"]
    async with request.app.db.transaction() as tx:
        found = await seen(tx, request.identity, number, locked=True)
        if not any(one.study_uid == uid and one.state == "mismatch" for one in await standing.of_entry(tx, number)):
            raise HttpError(404, "nothing is to be decided of this study")
        await standing.settle(tx, number, uid, "other")
        await trail.record(tx, By.of(request), "U", found, left=uid)
    return Response(204)


_JSON = ("application/json",)
_NONE = {404: "There is no such entry or study, or none that the caller may see"}
_BAD = {400: "The field that `detail` names will not do"}
_REFUSED = {403: "Parts of the study are out of the caller's sight", **_NONE, 409: "It cannot be done as things are"}
_PATH = "/worklist/entries/{entry}/assign"

ASSIGN_ROUTES: Sequence[WebRoute] = (
    WebRoute(
        *("GET", _PATH, preview, "edit", "Tell what assigning a study to an entry would change"),
        tag="Worklist",
        query=(Parameter("study", "The Study Instance UID"),),
        statuses={200: "Each attribute before and after", **_BAD, **_NONE},
    ),
    WebRoute(
        *("POST", _PATH, assign_study, "edit", "Assign a study, or series of it, to an entry"),
        tag="Worklist",
        consumes=_JSON,
        statuses={200: "The entry, which is COMPLETED; `assigned` is where the images are", **_BAD, **_REFUSED},
        description="`study` is the UID of a study that was received; it is given the order's identity by one edit. With "
        "`series`, a list of UIDs, only these go: to the study of the entry's own UID.",
    ),
    WebRoute(
        *("DELETE", _PATH, take_back, "edit", "Take the last assignment to an entry back, with its edits"),
        tag="Worklist",
        statuses={200: "The entry as it was before", **_REFUSED},
    ),
    WebRoute(
        *("DELETE", "/worklist/entries/{entry}/studies/{study}", leave, "edit", "Say that a study is not an entry's"),
        tag="Worklist",
        statuses={204: "It is noted: the entry no longer asks", **_NONE},
    ),
)
