"""WADO-RS of frames (PS3.18 10.4.1.1.6): as they are stored by a read of their range, else through imaging's workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from charrua_core.imaging.codecs import EncodeOptions
from charrua_core.imaging.frame_work import transcode_frame
from charrua_core.imaging.frames import frames_to_read
from charrua_core.imaging.places import FramePlace
from charrua_core.imaging.stored import StoredImage
from charrua_core.web import HttpError, Part, Request, Response, WebRoute, multipart_response, multipart_whole, said_of
from charrua_core.web.response import Piece
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.wado_frame_forms import MEDIA, Form, form_of
from charrua_web.dicomweb.wado_lookup import Lookup
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, FRAMES, STATUSES, TAG, url_of

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_AT_ONCE = 10_000
"""Frames that one request names."""
_READ_AT_ONCE = 1 << 20
"""Bytes of frames that are read before the answer begins; more are sent one after another as the client takes them."""


async def retrieve(lookup: Lookup, request: Request) -> Response:
    """Give the frames that the path names, each a part, or one alone without parts around it."""
    numbers = numbers_of(request.parameters["frames"])
    image = await lookup.image(request)
    wado_trail.transferred(request, [request.parameters["study"]], 1)
    return await answer_frames(request, image, numbers)


async def answer_frames(request: Request, image: StoredImage, numbers: Sequence[int]) -> Response:
    """Give these frames of an image in the form that is accepted."""
    single, lossy = len(numbers) == 1, request.app.settings["send_lossy"]
    form = form_of(said_of(request), image.transfer_syntax_uid, single=single, lossy=lossy)
    places = await frames_to_read(image, numbers)
    if form.as_stored and sum(map(_length, places)) <= _READ_AT_ONCE:
        return _whole(request, form, numbers, await asyncio.to_thread(_read, places))
    if not form.multipart:
        return Response(200, await _frame(request.app, image, numbers[0], places[0], form), form.content_type)
    return multipart_response(_parts(request, image, numbers, places, form), form.media_type)


def numbers_of(text: str) -> list[int]:
    """Read `1,3,5`. HttpError 400 where it is no list of numbers from 1."""
    numbers = [int(one) if one.isascii() and one.isdigit() and len(one) < 10 else 0 for one in text.split(",")]
    if not all(numbers) or len(numbers) > MOST_AT_ONCE:
        raise HttpError(400, f"{text[:80]!r} names no frames, which count from 1, with commas between")
    return numbers


def _length(place: FramePlace | bytes) -> int:
    return len(place) if isinstance(place, bytes) else place.range.length


def _read(places: Sequence[FramePlace | bytes]) -> list[bytes]:
    return [one if isinstance(one, bytes) else one.read() for one in places]


def _whole(request: Request, form: Form, numbers: Sequence[int], frames: Sequence[bytes]) -> Response:
    """The answer with all of its bytes at hand, and so with its length."""
    if not form.multipart:
        return Response(200, frames[0], form.content_type)
    return multipart_whole([_part(request, form, *one) for one in zip(numbers, frames, strict=True)], form.media_type)


async def _parts(
    request: Request,
    image: StoredImage,
    numbers: Sequence[int],
    places: Sequence[FramePlace | bytes],
    form: Form,
) -> AsyncGenerator[Part, None]:
    for number, place in zip(numbers, places, strict=True):
        yield _part(request, form, number, *await _frame(request.app, image, number, place, form))


def _part(request: Request, form: Form, number: int, *pieces: Piece) -> Part:
    return Part(form.content_type, pieces, {"Content-Location": f"{url_of(request)}/frames/{number}"})


async def _frame(app: App, image: StoredImage, number: int, place: FramePlace | bytes, form: Form) -> list[Piece]:
    """One frame in its form."""
    if form.as_stored:
        if isinstance(place, bytes):
            return [place]
        as_it_lies = not place.in_items and not place.bits
        return [place.range] if as_it_lies else [await asyncio.to_thread(place.read)]

    async def make() -> bytes:
        options = EncodeOptions()
        made = await app.imaging.run(transcode_frame, place, image.pixel_format, form.transfer_syntax_uid, options)
        return made.data

    return [await app.image_cache.get(("frame", image.state, number, form.transfer_syntax_uid), make)]


def routes(lookup: Lookup) -> Sequence[WebRoute]:
    """Give them."""
    return [
        WebRoute(
            "GET",
            FRAMES,
            partial(retrieve, lookup),
            "retrieve",
            "Retrieve frames",
            TAG,
            BASES,
            query=(ACCEPT,),
            produces=tuple(f'multipart/related; type="{media}"' for media in MEDIA),
            statuses=STATUSES,
            description="Frames count from 1, with commas between: `1,3,5`.",
        ),
    ]
