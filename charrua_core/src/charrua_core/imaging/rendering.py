"""Rendering as the server does it: the index read, the frame found, and one call to a worker process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.errors import FrameNotFound, RenderingInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.frames import frames_to_read, read_stream
from charrua_core.imaging.render import work
from charrua_core.imaging.render.describe import described, frame_time_ms, with_bulk
from charrua_core.imaging.render.presentation import STATES
from charrua_core.imaging.render.request import MOVING, STILL, Rendered, RenderRequest
from charrua_core.imaging.stored import StoredImage, StoredObject, stored_image, stored_object

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.search import InstanceRecord

_MOST_CINE_BYTES = 512 << 20
_SECONDS_A_FRAME = 0.5
_PLAIN = RenderRequest()
VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
"""Transfer syntaxes of videos, each with its own fragmentable one, whose UID goes on with .1 (PS3.5 8.2.5 ff.)."""


async def render(
    app: App,
    record: InstanceRecord,
    frame: int = 1,
    request: RenderRequest = _PLAIN,
    *,
    state: InstanceRecord | None = None,
) -> Rendered:
    """Give a frame (from 1) of a stored image as JPEG or PNG, edits applied, under a presentation state if one is given.

    Raises FrameNotFound, ImageInvalid for what is no image, RenderingInvalid for what cannot be had of it,
    FrameUndecodable, CodecUnavailable, StudyNotFound when it was removed meanwhile, and what `Imaging.run` raises.
    """
    if request.media_type not in STILL:
        raise RenderingInvalid(f"a single frame is not rendered as {request.media_type}")
    return await _render(app, await stored_image(app, record), [frame], request, state)


async def render_cine(
    app: App,
    record: InstanceRecord,
    request: RenderRequest,
    *,
    frames: Sequence[int] | None = None,
    state: InstanceRecord | None = None,
) -> Rendered:
    """Give frames, all or those named, as one animated GIF or MP4, at the pace that the object tells.

    Raises as `render` does; CodecUnavailable for MP4 where PyAV is not installed.
    """
    if request.media_type not in MOVING:
        raise RenderingInvalid(f"several frames are not rendered as {request.media_type}")
    image = await stored_image(app, record)
    numbers = list(frames or range(1, image.number_of_frames + 1))
    layout = image.pixel_format
    if len(numbers) * layout.rows * layout.columns * 3 > _MOST_CINE_BYTES:
        raise RenderingInvalid("so many frames are too large together: name fewer")
    return await _render(app, image, numbers, request, state)


async def _render(
    app: App, image: StoredImage, numbers: Sequence[int], request: RenderRequest, state: InstanceRecord | None
) -> Rendered:
    for number in numbers:
        if not 1 <= number <= image.number_of_frames:
            raise FrameNotFound(f"the object has {image.number_of_frames} frames, and none of number {number}")
    laid_over = await _state(app, state) if state is not None else None
    key = ("rendered", image.state, tuple(numbers), request, laid_over.state if laid_over else b"")

    async def make() -> bytes:
        made = await prepared(image, numbers, request, laid_over)
        patience = app.settings["imaging_timeout"].total_seconds() + _SECONDS_A_FRAME * (len(numbers) - 1)
        return await app.imaging.run(work.render, made, timeout_s=patience)

    return Rendered(request.media_type, await app.image_cache.get(key, make))


async def _state(app: App, record: InstanceRecord) -> StoredObject:
    if record.sop_class_uid not in STATES:
        raise RenderingInvalid("images are not shown under an object that is no presentation state")
    return await stored_object(app, record)


async def prepared(
    image: StoredImage, numbers: Sequence[int], request: RenderRequest, state: StoredObject | None = None
) -> work.Work:
    """Give what a worker needs, which reads nothing but the frames. Raises as `read_frame` does."""
    is_video = image.transfer_syntax_uid.startswith(VIDEO)
    stored = [await read_stream(image)] if is_video else await frames_to_read(image, numbers)
    return work.Work(
        sop_instance_uid=image.sop_instance_uid,
        layout=image.pixel_format,
        frames=list(numbers),
        stored=stored,
        attributes=await _attributes(image, numbers),
        request=request,
        frame_time_ms=frame_time_ms(image.attributes),
        state=(await with_bulk(state, [state.attributes.elements]))[0] if state else None,
        is_video=is_video,
    )


async def _attributes(image: StoredImage, numbers: Sequence[int]) -> list[Attributes]:
    """Those of each frame; where nothing is told by frame, one set for all."""
    if "PerFrameFunctionalGroupsSequence" not in image.attributes:
        return await with_bulk(image, [described(image.attributes, 1)]) * len(numbers)
    return await with_bulk(image, [described(image.attributes, number) for number in numbers])
