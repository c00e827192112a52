"""Studies as a download and as the image of a disc."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from math import ceil

from charrua_core.archive.search import OneOf, Query, records, runs
from charrua_core.archive.search.columns import UNIQUE_KEYS
from charrua_core.errors import NotPermitted, StudyNotFound, TooManyResults
from charrua_core.types import FileRange, Level, is_valid_uid
from charrua_core.web import ZIP, HttpError, Parameter, Request, Response, WebRoute, json_response, zip_response
from charrua_core.web.response import Piece
from charrua_web.dicomweb.wado_selection import BATCH, Selection
from charrua_web.media.choices import MOST_OBJECTS, MOST_STUDIES, SYNTAX, wanted_syntaxes
from charrua_web.media.disc import disc_image
from charrua_web.media.medium import Medium

ISO = "application/x-iso9660-image"


async def download(request: Request) -> Response:
    """Give studies as a ZIP archive, made while it is sent."""
    if not request.app.settings["enable_download"]:
        raise NotPermitted("downloads are switched off here (enable_download)")
    uids, medium = await _medium(request)
    return zip_response(medium.entries(), f"{_name(uids)}.zip")


async def disc(request: Request) -> Response:
    """Give studies as the image of a disc, once it is made."""
    uids, medium = await _medium(request)
    image = await disc_image(request.app, medium.entries())
    named = f'attachment; filename="{_name(uids)}.iso"'
    return Response(200, _sent(image), ISO, [("Content-Disposition", named), ("Content-Length", str(image.length))])


async def _sent(image: FileRange) -> AsyncGenerator[Piece, None]:
    """Give the file, and remove it whatever becomes of its reader."""
    try:
        yield image
        yield b""
    finally:
        os.unlink(image.path)


async def _medium(request: Request) -> tuple[Sequence[str], Medium]:
    wanted = wanted_syntaxes(request.query.first("syntax"))
    uids = _uids(request)
    chosen = await _selected(request, uids)
    await _check_size(request, chosen)
    return uids, Medium(request, chosen, wanted)


def _uids(request: Request) -> list[str]:
    named = request.parameters.get("study")
    uids = list(dict.fromkeys([named] if named else request.query.all("study")))
    if not uids or len(uids) > MOST_STUDIES:
        raise HttpError(400, f"name 1 to {MOST_STUDIES} studies: ?study=…&study=…")
    for uid in uids:
        if not is_valid_uid(uid):
            raise HttpError(400, f"{uid[:80]!r} is no UID")
    return uids


async def _selected(request: Request, uids: Sequence[str]) -> Selection:
    """Give their objects that the caller may see. StudyNotFound where one of them has none."""
    query = Query(Level.STUDY, keys={UNIQUE_KEYS[Level.STUDY]: OneOf("UI", tuple(uids))})
    found, _ = await runs(request.app, query, request.identity)
    chosen = Selection(found)
    if set(chosen.study_uids) != set(uids):
        raise StudyNotFound("one of the studies is not here" if len(uids) > 1 else "")
    return chosen


async def _check_size(request: Request, chosen: Selection) -> None:
    """TooManyResults (413) for more than one medium may have."""
    if chosen.total > MOST_OBJECTS:
        raise TooManyResults(f"{chosen.total} objects are more than one download may have: {MOST_OBJECTS}")
    most: int = request.app.settings["media_most_bytes"]
    if await _size(request, chosen) > most:
        raise TooManyResults(f"these studies are larger than one download may be: {most >> 20} MiB")


async def _size(request: Request, chosen: Selection) -> int:
    """Bytes of the stored objects."""
    ids, size = chosen.ids, 0
    for start in range(0, len(ids), BATCH):
        found = await records(request.app, ids[start : start + BATCH])
        size += sum(record.size_bytes for record in found.values())
    return size


async def choices(request: Request) -> Response:
    """Tell what a dialog shows before a download: how much it is, and in which forms this user may have it."""
    chosen = await _selected(request, _uids(request))
    settings, size = request.app.settings, await _size(request, chosen)
    most: int = settings["media_most_pictures"]
    return json_response(
        {
            "studies": len(chosen.study_uids),
            "objects": chosen.total,
            "bytes": size,
            "every": ceil(chosen.total / most) if most else 0,
            "fits": size <= settings["media_most_bytes"] and chosen.total <= MOST_OBJECTS,
            "download": settings["enable_download"],
            "disc": request.identity.may("print"),
        }
    )


def _name(uids: Sequence[str]) -> str:
    return uids[0] if len(uids) == 1 else "studies"


_STUDIES = Parameter("study", "The studies, each by its Study Instance UID", repeated=True)
_STATUSES = {
    200: "The download",
    400: "No studies are named, or what is named is no UID",
    403: "Downloads are switched off",
    404: "One of the studies is not here, or hidden from this user",
    413: "It is more than this archive gives out at once",
}
_DESCRIPTION = (
    "DICOMDIR, the objects as files with the edits in force, a README, and a viewer that any browser opens: INDEX.HTM."
)


def _route(path: str, *, one: bool, image: bool) -> WebRoute:
    what = "a study" if one else "studies"
    return WebRoute(
        "GET",
        path,
        disc if image else download,
        "print" if image else "retrieve",
        f"Make the image of a CD or DVD of {what}" if image else f"Download {what}, with a DICOMDIR and a light viewer",
        "Media",
        query=(SYNTAX,) if one else (_STUDIES, SYNTAX),
        produces=(ISO,) if image else (ZIP,),
        statuses=_STATUSES,
        description=_DESCRIPTION,
    )


ROUTES = (
    _route("/studies/{study}/download", one=True, image=False),
    _route("/download", one=False, image=False),
    _route("/studies/{study}/disc", one=True, image=True),
    _route("/disc", one=False, image=True),
    WebRoute(
        "GET",
        "/download/choices",
        choices,
        "retrieve",
        "Tell how large a download would be, and in which forms it can be had",
        "Media",
        query=(_STUDIES,),
        statuses={status: _STATUSES[status] for status in (200, 400, 404)},
    ),
)
