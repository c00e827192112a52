"""The work of one rendering, in a worker process: frames in, a file out. Importing this loads no codec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.pixels import Decoded, PixelFormat
from charrua_core.imaging.places import FramePlace
from charrua_core.imaging.render.presentation import Presentation
from charrua_core.imaging.render.request import RenderRequest


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is given. Frames come each with its attributes, as `describe` made them."""

    sop_instance_uid: str
    layout: PixelFormat
    frames: Sequence[int]
    """Their numbers, from 1."""
    stored: Sequence[FramePlace | bytes]
    """As many as there are frames, each as it is stored or where to read it; of a video the one stream."""
    attributes: Sequence[Attributes]
    request: RenderRequest
    frame_time_ms: float
    state: Attributes | None = None
    """A presentation state."""
    is_video: bool = False


def render(work: Work) -> bytes:
    """Give the file. Raises what decoding raises, ImageInvalid, RenderingInvalid, CodecUnavailable."""
    from charrua_core.imaging.render.encode import encoded
    from charrua_core.imaging.render.profiles import in_profile

    pictures, profile = list(_pictures(work)), None
    if pictures[0].ndim == 3:
        own = (work.state and work.state.binary("ICCProfile")) or work.attributes[0].binary("ICCProfile")
        converted = [in_profile(one, own, work.request.icc_profile) for one in pictures]
        pictures, profile = [one for one, _ in converted], converted[0][1]
    return encoded(pictures, work.request, work.frame_time_ms, profile)


def _pictures(work: Work) -> Iterator[Any]:
    from charrua_core.imaging.render.picture import common_extent, picture, planes

    read = [one if isinstance(one, bytes) else one.read() for one in work.stored]
    stored = read * len(work.frames) if work.is_video else read
    decoded = [_decoded(work, data, number) for data, number in zip(stored, work.frames, strict=True)]
    extent = common_extent(decoded, work.layout, work.attributes)
    for number, attributes, data, frame in zip(work.frames, work.attributes, stored, decoded, strict=True):
        presentation = Presentation(work.state, work.sop_instance_uid, number) if work.state else None
        overlays = planes(attributes, work.layout, number, data, presentation)
        yield picture(frame, work.layout, attributes, work.request, presentation, overlays, extent)


def _decoded(work: Work, stored: bytes, number: int) -> Decoded:
    if work.is_video:
        from charrua_core.imaging.render.video import frame_of_video

        return Decoded(frame_of_video(stored, number), "RGB")
    from charrua_core.imaging.codecs import decode_frame

    return decode_frame(stored, work.layout)
