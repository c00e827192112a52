"""From the matrix of the image to what is seen: a part of it, turned, flipped and made as large as asked.

Points are (x, y) in columns and rows, with 0, 0 the upper left corner of the upper left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from charrua_core.errors import RenderingInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.request import Box, Viewport

Point = tuple[float, float]
_SQUARE = 1e-3
_MOST_PIXELS = 1 << 27


@dataclass(frozen=True, slots=True)
class Geometry:
    """The way of a point of the image to what is seen: cut out, turned clockwise, flipped, scaled, in this order."""

    box: Box
    size: tuple[int, int]
    """Columns and rows of what is seen."""
    quarter_turns: int = 0
    flip_horizontally: bool = False
    flip_vertically: bool = False

    def apply(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Give what is seen of (rows, columns) or (rows, columns, 3); black where the part is beyond the image."""
        part = _cut(pixels, self.box)
        part = np.rot90(part, -self.quarter_turns)
        part = part[:, ::-1] if self.flip_horizontally else part
        part = part[::-1] if self.flip_vertically else part
        return _scaled(part, self.size)

    def seen(self, point: Point) -> Point:
        """Give where a point of the image is seen."""
        left, top, right, bottom = self.box
        x, y, width, height = point[0] - left, point[1] - top, float(right - left), float(bottom - top)
        for _ in range(self.quarter_turns % 4):
            x, y, width, height = height - y, x, height, width
        x = width - x if self.flip_horizontally else x
        y = height - y if self.flip_vertically else y
        return x * self.size[0] / width, y * self.size[1] / height


def geometry_of(
    shape: tuple[int, int],
    aspect: float,
    viewport: Viewport | None,
    *,
    area: Box | None = None,
    magnification: float = 1.0,
    quarter_turns: int = 0,
    flip: bool = False,
) -> Geometry:
    """Give how an image of (rows, columns) is seen.

    `aspect` is a pixel's height by its width. `area` is the displayed area of a presentation state, which a viewport's
    part of the image overrules. Raises RenderingInvalid for a part without pixels, and for more than is ever rendered.
    """
    box, across, down = area or (0, 0, shape[1], shape[0]), False, False
    if viewport is not None and (viewport.x or viewport.y or viewport.part_width or viewport.part_height):
        box, across, down = _part(shape, viewport)
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    if abs(aspect - 1) > _SQUARE:
        width, height = (width, height * aspect) if aspect > 1 else (width / aspect, height)
    if quarter_turns % 2:
        width, height = height, width
    scale = magnification if viewport is None else min(viewport.width / width, viewport.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if (box[2] - box[0]) * (box[3] - box[1]) > _MOST_PIXELS or size[0] * size[1] > _MOST_PIXELS:
        raise RenderingInvalid("the picture would become too large: ask for a viewport, or for a part")
    return Geometry(box, size, quarter_turns % 4, flip != across, down)


def _part(shape: tuple[int, int], viewport: Viewport) -> tuple[Box, bool, bool]:
    """The part of the image that a viewport shows, and whether it flips it horizontally and vertically."""
    rows, columns = shape
    width = viewport.part_width or columns - viewport.x
    height = viewport.part_height or rows - viewport.y
    left, top = round(viewport.x), round(viewport.y)
    right, bottom = min(columns, round(viewport.x + abs(width))), min(rows, round(viewport.y + abs(height)))
    if left >= right or top >= bottom:
        raise RenderingInvalid("the viewport's part of the image has no pixel")
    return (left, top, right, bottom), width < 0, height < 0


def aspect_of(attributes: Attributes) -> float:
    """Give a pixel's height by its width, from Pixel Aspect Ratio or else from what spacing is told; 1 if none is."""
    for name in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        numbers = attributes.numbers(name)
        if len(numbers) == 2 and min(numbers) > 0 and 0.01 < numbers[0] / numbers[1] < 100:
            return numbers[0] / numbers[1]
    return 1.0


def _cut(pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    left, top, right, bottom = box
    rows, columns = pixels.shape[:2]
    if left >= 0 and top >= 0 and right <= columns and bottom <= rows:
        return pixels[top:bottom, left:right]
    part = np.zeros((bottom - top, right - left, *pixels.shape[2:]), pixels.dtype)
    within = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    y, x = max(-top, 0), max(-left, 0)
    part[y : y + within.shape[0], x : x + within.shape[1]] = within
    return part


def _scaled(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    smooth = Image.Resampling.BILINEAR
    if pixels.dtype == np.uint16:
        image = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
        deep: NDArray[Any] = np.rint(np.asarray(image.resize(size, smooth))).astype(np.uint16)
        return deep
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, smooth, reducing_gap=3.0))
