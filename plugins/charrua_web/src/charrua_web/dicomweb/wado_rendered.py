"""WADO-RS of rendered resources (PS3.18 10.4.1.1.3): a study, a series, an instance, frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

from charrua_core.errors import ImageInvalid
from charrua_core.imaging.stored import stored_image
from charrua_core.web import Parameter, Part, Request, Response, WebRoute, choose, multipart_response, said_of
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.wado_frames import numbers_of
from charrua_web.dicomweb.wado_lookup import Lookup
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, FRAMES, INSTANCE, SERIES, STATUSES, STUDY, TAG
from charrua_web.dicomweb.wado_pictures import (
    MOVING,
    STILL,
    Picture,
    none_shown,
    parameters_of,
    representative,
    show,
    still,
)
from charrua_web.dicomweb.wado_selection import Selection, selected

PARAMETERS = (
    Parameter("annotation", "patient, technique, or both: what is written upon the image"),
    Parameter("quality", "Of lossy compression, 1 to 100", {"type": "integer", "minimum": 1, "maximum": 100}),
    Parameter("viewport", "Width and height, and at will corner and size of a part: vw,vh,sx,sy,sw,sh"),
    Parameter("window", "Center, width and function: linear, linear-exact or sigmoid"),
    Parameter("iccprofile", "no, yes, srgb, adobergb, rommrgb or displayp3"),
)
_PARTS = tuple(f'multipart/related; type="{media}"' for media in STILL)


async def instance(lookup: Lookup, request: Request) -> Response:
    """Give one object as people see it."""
    record = await lookup.record(request)
    wado_trail.accessed(request, [record.study_uid], 1)
    return await show(request, Picture(request.app, record, parameters_of(request), said_of(request)))


async def frames(lookup: Lookup, request: Request) -> Response:
    """Give frames: one as a picture, several as parts or as one animation."""
    numbers = numbers_of(request.parameters["frames"])
    record = await lookup.record(request)
    wado_trail.accessed(request, [record.study_uid], 1)
    picture = Picture(request.app, record, parameters_of(request), said_of(request))
    if len(numbers) == 1:
        return await show(request, picture, numbers)
    offer, _ = choose(request, (*_PARTS, *MOVING))
    if not offer.part:
        return await show(request, picture, numbers)

    async def parts() -> AsyncGenerator[Part, None]:
        for number in numbers:
            made = await still(picture, offer.part, number)
            yield Part(made.media_type, [made.data])

    return multipart_response(parts(), offer.part)


async def several(request: Request) -> Response:
    """Give the images of a study or series, each a part: one frame of each, the one that stands for the others.

    What is no image has no part.
    """
    offer, _ = choose(request, _PARTS)
    chosen = await selected(request)
    wado_trail.accessed(request, chosen.study_uids, chosen.total)
    return multipart_response(_images(request, chosen, offer.part), offer.part)


async def _images(request: Request, chosen: Selection, media_type: str) -> AsyncGenerator[Part, None]:
    shown, parameters = 0, parameters_of(request)
    async with aclosing(chosen.records(request.app)) as found:
        async for record in found:
            picture = Picture(request.app, record, parameters, media_type)
            if picture.documents:
                continue
            try:
                image = await stored_image(request.app, record)
            except ImageInvalid:
                continue
            made = await still(picture, media_type, representative(image))
            shown += 1
            yield Part(made.media_type, [made.data])
    if not shown:
        raise none_shown()


def routes(lookup: Lookup) -> Sequence[WebRoute]:
    """Give them."""
    one = (*STILL, *MOVING)
    served = (
        (STUDY, several, "a study's images", _PARTS),
        (SERIES, several, "a series' images", _PARTS),
        (INSTANCE, partial(instance, lookup), "an instance", (*one, "text/html", "application/pdf")),
        (FRAMES, partial(frames, lookup), "frames", (*one, *_PARTS)),
    )
    return [
        WebRoute(
            "GET",
            f"{path}/rendered",
            handle,
            "view",
            f"Retrieve {what}, rendered",
            TAG,
            BASES,
            query=(ACCEPT, *PARAMETERS),
            produces=produces,
            statuses=STATUSES,
        )
        for path, handle, what, produces in served
    ]
