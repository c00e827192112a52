"""One object as people see it: an image, a moving one, a video as it is stored, a document (PS3.18 8.7.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from charrua_core.archive.search import InstanceRecord
from charrua_core.imaging.documents import StoredFile, media_types, render_document
from charrua_core.imaging.frames import read_ranges, stream_ranges
from charrua_core.imaging.render.parameters import request_of
from charrua_core.imaging.render.request import MediaType, RenderRequest
from charrua_core.imaging.rendering import VIDEO, render, render_cine
from charrua_core.imaging.stored import StoredImage, StoredObject, stored_image, stored_object
from charrua_core.types import FileRange
from charrua_core.web import HttpError, Request, Response, chosen_of
from charrua_web.dicomweb import wado_safety
from charrua_web.dicomweb.ranges import not_modified, ranged

if TYPE_CHECKING:
    from charrua_core.app import App

STILL = ("image/jpeg", "image/png")
MOVING = ("image/gif", "video/mp4")
NAMES = ("annotation", "quality", "viewport", "window", "iccprofile")
_MPEG_2 = ("1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101")


@dataclass(frozen=True)
class Picture:
    """An object that is to be shown, with how that was asked for."""

    app: App
    record: InstanceRecord
    parameters: dict[str, str]
    accepts: str
    """The text that names the media types of the answer, as of Accept."""
    state: InstanceRecord | None = None
    """A presentation state to show it under."""

    @property
    def is_video(self) -> bool:
        """Whether it is stored as a video."""
        return self.record.transfer_syntax_uid.startswith(VIDEO)

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """The media types that it can be had in, where it is no image."""
        return media_types(self.record.sop_class_uid)

    def request(self, media_type: str) -> RenderRequest:
        """Give what the query asks for. Raises RenderingInvalid."""
        return request_of(self.parameters, cast(MediaType, media_type))


def parameters_of(request: Request) -> dict[str, str]:
    """Give the query parameters of rendering (PS3.18 8.3.5.1), the first of each."""
    return {name: request.query.first(name) for name in NAMES if name in request.query}


async def show(request: Request, picture: Picture, frames: Sequence[int] = ()) -> Response:
    """Give an object, or frames of it, in the form that is accepted."""
    if picture.documents and not frames:
        return await _document(request, picture)
    if picture.is_video and not frames:
        return await show_video(request, picture)
    image = await stored_image(picture.app, picture.record)
    moving = image.number_of_frames > 1 if not frames else len(frames) > 1
    offers = (*STILL, *MOVING) if moving and not frames else MOVING if moving else STILL
    offer, _ = chosen_of(picture.accepts, offers)
    tag = etag_of(image, picture, offer.type, frames)
    if not_modified(request, tag):
        return Response(304, headers=_fields(tag))
    if offer.type in MOVING:
        made = await render_cine(
            picture.app, picture.record, picture.request(offer.type), frames=frames or None, state=picture.state
        )
        return ranged(request, [made.data], made.media_type, tag, _fields(tag)[1:])
    made = await still(picture, offer.type, frames[0] if frames else representative(image))
    return Response(200, made.data, made.media_type, _fields(tag))


async def still(picture: Picture, media_type: str, frame: int) -> Any:
    """Give one frame as a picture."""
    return await render(picture.app, picture.record, frame, picture.request(media_type), state=picture.state)


def representative(image: StoredImage) -> int:
    """Give the number of the frame that stands for all: the one that the object names, else the first."""
    named = image.attributes.number("00286010")
    return int(named) if named and 1 <= named <= image.number_of_frames else 1


def etag_of(stored: StoredObject, picture: Picture, *what: object) -> str:
    """Give the tag of what is made of an object: another when the object, an edit over it, or what is asked changes."""
    told = repr((sorted(picture.parameters.items()), picture.state, what)).encode()
    return f'"{hashlib.blake2b(stored.state + told, digest_size=12).hexdigest()}"'


def _fields(tag: str) -> list[tuple[str, str]]:
    # Kept by the browser and asked again: what a caller may see can change, and so can the object.
    return [("ETag", tag), ("Cache-Control", "private, no-cache")]


async def _document(request: Request, picture: Picture) -> Response:
    offer, _ = chosen_of(picture.accepts, picture.documents)
    found = await stored_object(picture.app, picture.record)
    stored = StoredFile(str(found.path), found.dataset_offset, found.size_bytes, found.transfer_syntax_uid)
    header = dict(found.attributes.elements)
    made = await picture.app.imaging.run(render_document, header, offer.type, stored)
    kind = f"{made.media_type}; charset=utf-8" if made.media_type == "text/html" else made.media_type
    fields = [*wado_safety.fields(made.media_type, picture.record), _fields("")[1]]
    return ranged(request, [made.body], kind, etag_of(found, picture, offer.type), fields)


async def show_video(request: Request, picture: Picture) -> Response:
    """Give the stream as it is stored, with ranges for players that seek; or a picture of it."""
    image = await stored_image(picture.app, picture.record)
    pieces = await stream_ranges(image)
    kind = "video/mpeg" if picture.record.transfer_syntax_uid.startswith(_MPEG_2) else await _container(image, pieces)
    offer, _ = chosen_of(picture.accepts, (kind, *STILL))
    tag = etag_of(image, picture, offer.type)
    if offer.type in STILL:
        made = await still(picture, offer.type, representative(image))
        return Response(200, made.data, made.media_type, _fields(tag))
    return ranged(request, pieces, kind, tag, _fields(tag)[1:])


async def _container(image: StoredImage, pieces: Sequence[FileRange]) -> str:
    """MP4 where the stream is a file of that kind, else an MPEG-2 transport stream (PS3.5 8.2.7)."""
    (head,) = await read_ranges(image, [(pieces[0].offset, min(12, pieces[0].length))]) if pieces else [b""]
    return "video/mp4" if head[4:8] == b"ftyp" else "video/mp2t"


def none_shown() -> HttpError:
    """Give the refusal of objects of which none is an image."""
    return HttpError(406, "none of the objects can be rendered in what the request accepts")
