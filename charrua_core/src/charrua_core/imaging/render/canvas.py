"""Drawing upon a picture of any depth: shapes and texts are masks first, laid over the picture in a shade or a colour."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Draw = Callable[[ImageDraw.ImageDraw], None]
Ink = tuple[float, float, float]
"""Red, green and blue from 0 to 1; upon grey pictures their mean."""
WHITE: Ink = (1.0, 1.0, 1.0)
BLACK: Ink = (0.0, 0.0, 0.0)


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the font that comes with Pillow, which has Latin letters alone."""
    return ImageFont.load_default(size)


def line_height(size: int) -> float:
    """Give the pixels from one line of text to the next."""
    return size * 1.25


class Canvas:
    """A copy of a picture, (rows, columns) or (rows, columns, 3), of uint8 or uint16; read `pixels` when done."""

    def __init__(self, picture: NDArray[Any]) -> None:
        self.pixels = np.array(picture)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def paint(self, draw: Draw, ink: Ink = WHITE) -> None:
        """Lay what `draw` draws in 255 on a black mask over the picture."""
        mask = Image.new("L", self.size)
        draw(ImageDraw.Draw(mask))
        box = mask.getbbox()
        if box is not None:
            left, top, right, bottom = box
            self._lay(np.asarray(mask.crop(box), np.float32) / 255, np.s_[top:bottom, left:right], ink)

    def fill(self, mask: NDArray[np.bool_], ink: Ink = WHITE) -> None:
        """Set the pixels of the mask, which has the picture's shape."""
        self.pixels[mask] = self._shade(ink)

    def text(self, position: tuple[float, float], text: str, size: int, ink: Ink = WHITE) -> None:
        """Write lines from their upper left corner, edged so that they can be read upon any ground."""
        x, y = position
        lines = [((x, y + number * line_height(size)), line) for number, line in enumerate(text.splitlines())]

        def write(on: ImageDraw.ImageDraw, edge: int = 0) -> None:
            for at, line in lines:
                on.text(at, line, 255, font(size), stroke_width=edge)

        self.paint(partial(write, edge=max(1, size // 10)), BLACK if sum(ink) > 1.5 else WHITE)
        self.paint(write, ink)

    def _lay(self, alpha: NDArray[Any], where: tuple[slice, slice], ink: Ink) -> None:
        if self.pixels.ndim == 3:
            alpha = alpha[..., np.newaxis]
        under = self.pixels[where].astype(np.float32)
        self.pixels[where] = np.rint(under + (self._shade(ink) - under) * alpha).astype(self.pixels.dtype)

    def _shade(self, ink: Ink) -> Any:
        white = np.iinfo(self.pixels.dtype).max
        return np.rint(np.multiply(ink if self.pixels.ndim == 3 else sum(ink) / 3, white))
