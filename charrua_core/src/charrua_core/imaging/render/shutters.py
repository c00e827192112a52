"""Display shutters: what lies outside of them is not shown (PS3.3 C.7.6.11, C.7.6.15)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from charrua_core.imaging.attributes import Attributes

Mask = NDArray[np.bool_]


def shuttered(attributes: Attributes, shape: tuple[int, int]) -> Mask | None:
    """Give which pixels of (rows, columns) lie outside of the shutters; None where all are shown."""
    shapes = set(map(str, attributes.values("ShutterShape")))
    if not shapes:
        return None
    opened = np.ones(shape, bool)
    for name, opening in (("RECTANGULAR", _rectangle), ("CIRCULAR", _circle), ("POLYGONAL", _polygon)):
        for mask in opening(attributes, shape) if name in shapes else ():
            opened &= mask
    return None if opened.all() else ~opened


def shade_of(attributes: Attributes) -> float:
    """Give the shade of what is not shown, from 0 (black, where none is told) to 1."""
    return min(max(attributes.integer("ShutterPresentationValue"), 0), 0xFFFF) / 0xFFFF


def _rectangle(attributes: Attributes, shape: tuple[int, int]) -> Iterator[Mask]:
    left, right = attributes.number("ShutterLeftVerticalEdge"), attributes.number("ShutterRightVerticalEdge")
    top, bottom = attributes.number("ShutterUpperHorizontalEdge"), attributes.number("ShutterLowerHorizontalEdge")
    if left is not None and right is not None and top is not None and bottom is not None:
        mask = np.zeros(shape, bool)
        mask[max(0, int(top) - 1) : max(0, int(bottom)), max(0, int(left) - 1) : max(0, int(right))] = True
        yield mask


def _circle(attributes: Attributes, shape: tuple[int, int]) -> Iterator[Mask]:
    center, radius = attributes.numbers("CenterOfCircularShutter"), attributes.number("RadiusOfCircularShutter")
    if len(center) == 2 and radius is not None:
        rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
        yield np.hypot(rows - center[0], columns - center[1]) <= radius


def _polygon(attributes: Attributes, shape: tuple[int, int]) -> Iterator[Mask]:
    edges = attributes.numbers("VerticesOfThePolygonalShutter")
    points = [(column - 1, row - 1) for row, column in zip(edges[::2], edges[1::2], strict=False)]
    if len(points) > 2:
        image = Image.new("1", (shape[1], shape[0]))
        ImageDraw.Draw(image).polygon(points, fill=1, outline=1)
        yield np.asarray(image)
