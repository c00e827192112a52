"""Pictures as files that a browser shows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from charrua_core.imaging.render.request import RenderRequest

Picture = NDArray[Any]
DEFAULT_QUALITY = 90
_SHORTEST_GIF_MS = 20  # what browsers take for too fast becomes 100 ms there


def encoded(pictures: Sequence[Picture], request: RenderRequest, frame_time_ms: float, profile: bytes | None) -> bytes:
    """Give the file: of one picture, or of several, one after another. Pictures are grey or RGB, uint8 or uint16."""
    if request.media_type == "video/mp4":
        from charrua_core.imaging.render.video import mp4

        return mp4(pictures, frame_time_ms, request.quality or DEFAULT_QUALITY)
    first = np.ascontiguousarray(pictures[0])
    if request.media_type == "image/jpeg" and first.ndim == 2:  # with less around the same library than Pillow has
        return bytes(imagecodecs.jpeg8_encode(first, level=request.quality or DEFAULT_QUALITY))
    target = io.BytesIO()
    image = Image.fromarray(first)
    if request.media_type == "image/jpeg":
        image.save(target, "JPEG", quality=request.quality or DEFAULT_QUALITY, icc_profile=profile)
    elif request.media_type == "image/png":
        image.save(target, "PNG", compress_level=4, icc_profile=profile)
    else:
        _write_gif(target, image, pictures[1:], frame_time_ms)
    return target.getvalue()


def _write_gif(target: io.BytesIO, first: Image.Image, others: Sequence[Picture], frame_time_ms: float) -> None:
    duration = max(_SHORTEST_GIF_MS, round(frame_time_ms / 10) * 10)  # GIF counts hundredths of a second
    rest = (Image.fromarray(np.ascontiguousarray(one)) for one in others)
    first.save(target, "GIF", save_all=True, append_images=rest, duration=duration, loop=0, optimize=False)
