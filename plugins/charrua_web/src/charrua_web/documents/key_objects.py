"""Key images over HTTP: selected, listed, and taken back by who selected them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from charrua_core.archive.remove import delete
from charrua_core.errors import NotPermitted, StudyNotFound
from charrua_core.types import Level
from charrua_core.web import Request, Response, WebRoute, json_response
from charrua_web.dicomweb import wado_trail
from charrua_web.documents.document import author_now
from charrua_web.documents.images import images, records_of, sees
from charrua_web.documents.measurements import MOST_BODY, STATUSES, TAG
from charrua_web.documents.reports import Document, documents
from charrua_web.documents.selections import (
    KEY_OBJECT_SELECTION,
    description_of,
    read_selection,
    selected,
    selection_document,
)
from charrua_web.documents.storing import store

PATH = "/studies/{study}/key-objects"


async def show(request: Request) -> Response:
    """Give the selections of a study, each with those of its objects that the caller may see."""
    found = await documents(request, (KEY_OBJECT_SELECTION,))
    named = {reference.sop_instance_uid for one in found for reference in selected(one)}
    seen = {uid: one.series_uid for uid, one in (await records_of(request, sorted(named))).items()}
    wado_trail.accessed(request, [request.parameters["study"]], len(found))
    return json_response({"selections": [_told(one, seen, request.identity.name) for one in found]})


def _told(document: Document, seen: dict[str, str], login: str) -> dict[str, Any]:
    chosen = [reference for reference in selected(document) if reference.sop_instance_uid in seen]
    return {
        "document": document.uid,
        "series": document.series_uid,
        "title": document.report.title,
        "description": description_of(document),
        "author": document.author,
        "at": document.report.content_at,
        "mine": document.is_by(login),
        "images": [
            {"instance": one.sop_instance_uid, "series": seen[one.sop_instance_uid], "frames": list(one.frames)}
            for one in chosen
        ],
    }


async def select(request: Request) -> Response:
    """Store a selection."""
    asked = read_selection(await request.body(MOST_BODY))
    on = await images(request, asked.objects)
    document = selection_document(asked, on, author_now(request.identity.name, on.values()))
    stored = await store(request, document)
    visible = await sees(request, request.identity, stored.sop_instance_uid)
    told = {"document": stored.sop_instance_uid, "series": stored.series_uid, "visible": visible}
    return json_response(told, 201)


async def take_back(request: Request) -> Response:
    """Delete a selection that the caller has made; its author needs no permission to delete for that."""
    uid = request.parameters["instance"]
    found = next((one for one in await documents(request, (KEY_OBJECT_SELECTION,)) if one.uid == uid), None)
    if found is None:
        raise StudyNotFound
    if not found.is_by(request.identity.name) and not request.identity.may("delete"):
        raise NotPermitted("a selection is taken back by its author, or by who may delete")
    author = replace(request.identity, permissions=request.identity.permissions | {"delete"})
    study = request.parameters["study"]
    reason = "key images taken back"
    await delete(request.app, author, Level.IMAGE, uid, study_uid=study, reason=reason, origin=request.origin)
    return Response(204)


ROUTES = (
    WebRoute(
        "GET",
        PATH,
        show,
        "view",
        "The key images of a study",
        TAG,
        statuses={200: "Its Key Object Selections", 404: STATUSES[404]},
    ),
    WebRoute(
        "POST",
        PATH,
        select,
        "store",
        "Select key images",
        TAG,
        consumes=("application/json",),
        statuses={201: "The selection is stored", **STATUSES},
        description='A Key Object Selection in a series of its own. `title` is a code of CID 7010, "113000" Of Interest where '
        "none is given.",
    ),
    WebRoute(
        "DELETE",
        f"{PATH}/{{instance}}",
        take_back,
        "store",
        "Take a selection of key images back",
        TAG,
        produces=(),
        statuses={204: "It is out of sight, and can be undone", 403: "It is another's", 404: STATUSES[404]},
    ),
)
