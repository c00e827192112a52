"""MP4, and the frames of stored videos, by PyAV where it is installed (the optional extra `video`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import CodecUnavailable, FrameNotFound, FrameUndecodable


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise CodecUnavailable("video needs the package av: install charrua-core[video]") from error
    return av


def mp4(pictures: Sequence[NDArray[Any]], frame_time_ms: float, quality: int) -> bytes:
    """Give the pictures as a video in H.264, which has an even number of columns and rows."""
    av = _av()
    target = io.BytesIO()
    height, width = (size // 2 * 2 or 2 for size in pictures[0].shape[:2])
    with av.open(target, "w", format="mp4") as container:
        rate = Fraction(1000 / frame_time_ms).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate, width=width, height=height, pix_fmt="yuv420p")
        stream.options = {"crf": str(round(51 - quality * 0.36)), "preset": "veryfast"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(_even(picture, height, width), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def _even(picture: NDArray[Any], height: int, width: int) -> NDArray[np.uint8]:
    colour = picture if picture.ndim == 3 else np.repeat(picture[..., np.newaxis], 3, axis=-1)
    missing = [(0, max(0, height - colour.shape[0])), (0, max(0, width - colour.shape[1])), (0, 0)]
    return np.ascontiguousarray(np.pad(colour, missing, "edge")[:height, :width])


def frame_of_video(stream: bytes, number: int) -> NDArray[np.uint8]:
    """Give frame `number` (from 1) of a stored video as RGB. Raises CodecUnavailable, FrameNotFound, FrameUndecodable."""
    av = _av()
    try:
        with av.open(io.BytesIO(stream)) as container:
            for index, frame in enumerate(container.decode(video=0), 1):
                if index == number:
                    picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
                    return picture
    except (av.error.FFmpegError, IndexError) as error:
        raise FrameUndecodable(f"the video cannot be decoded: {type(error).__name__}") from error
    raise FrameNotFound(f"the video ends before frame {number}")
