"""WADO-RS of thumbnails (PS3.18 10.4.1.1.4): small pictures of a study, a series, an instance, a frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from charrua_core.archive.search import InstanceRecord, records
from charrua_core.errors import ImageInvalid
from charrua_core.imaging.stored import stored_image
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, choose, said_of
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.ranges import not_modified
from charrua_web.dicomweb.wado_frames import numbers_of
from charrua_web.dicomweb.wado_lookup import Lookup
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, FRAMES, INSTANCE, SERIES, STATUSES, STUDY, TAG
from charrua_web.dicomweb.wado_pictures import STILL, Picture, etag_of, representative, still
from charrua_web.dicomweb.wado_selection import selected

SIDE = "128,128"
"""Columns and rows of a thumbnail, where none are asked for."""
_MOST_TRIED = 8
"""Kinds of objects in a study that are looked at for one that is an image."""


async def below(request: Request) -> Response:
    """Give the picture that stands for a study or series: of the object in the middle, of the first kind that is images."""
    chosen = await selected(request)
    middles = [run.ids[len(run.ids) // 2] for run in chosen.runs[:_MOST_TRIED]]
    found = await records(request.app, middles)
    for instance_id in middles:
        if instance_id in found and (answer := await _thumbnail(request, found[instance_id])):
            return answer
    raise _none()


async def one(lookup: Lookup, request: Request) -> Response:
    """Give the picture of an instance or of a frame."""
    numbers = numbers_of(request.parameters["frames"]) if "frames" in request.parameters else []
    answer = await _thumbnail(request, await lookup.record(request), *numbers[:1])
    if answer is None:
        raise _none()
    return answer


async def _thumbnail(request: Request, record: InstanceRecord, frame: int = 0) -> Response | None:
    """The answer, None for what is no image."""
    picture = Picture(request.app, record, {"viewport": request.query.first("viewport") or SIDE}, said_of(request))
    try:
        image = await stored_image(request.app, record)
    except ImageInvalid:
        return None
    offer, _ = choose(request, STILL)
    number = frame or representative(image)
    tag = etag_of(image, picture, offer.type, number)
    fields = [("ETag", tag), ("Cache-Control", "private, no-cache")]
    wado_trail.accessed(request, [record.study_uid], 1)
    if not_modified(request, tag):
        return Response(304, headers=fields)
    made = await still(picture, offer.type, number)
    return Response(200, made.data, made.media_type, fields)


def _none() -> HttpError:
    return HttpError(406, "no picture can be made of it: it is no image")


def routes(lookup: Lookup) -> Sequence[WebRoute]:
    """Give them."""
    served = (
        (STUDY, below, "a study"),
        (SERIES, below, "a series"),
        (INSTANCE, partial(one, lookup), "an instance"),
        (FRAMES, partial(one, lookup), "a frame"),
    )
    return [
        WebRoute(
            "GET",
            f"{path}/thumbnail",
            handle,
            "view",
            f"Retrieve a small picture of {what}",
            TAG,
            BASES,
            query=(ACCEPT, Parameter("viewport", f"Width and height, {SIDE} where none are asked for")),
            produces=STILL,
            statuses=STATUSES,
        )
        for path, handle, what in served
    ]
