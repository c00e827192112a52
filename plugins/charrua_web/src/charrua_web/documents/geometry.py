"""Points of drawings: from space to the image they lie on, and shapes as the viewer's tools have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.values import Region
from charrua_core.types import DicomJson

Point = tuple[float, float]
Points = Sequence[Point]

_FARTHEST_MM = 1.0
"""How far from the plane of an image a point may be that is drawn on it."""


def on_image(region: Region, header: DicomJson) -> list[Point] | None:
    """The points of a drawing as columns and rows of the image; None where they lie elsewhere, or nobody can tell."""
    told = region.coordinates
    if len(told) % region.dimensions or not told:
        return None
    if region.dimensions == 2:
        return [(told[at], told[at + 1]) for at in range(0, len(told), 2)]
    if region.frame_of_reference_uid != a.text(header, "00200052"):
        return None
    return _projected([told[at : at + 3] for at in range(0, len(told), 3)], header)


def _projected(points: Sequence[Sequence[float]], header: DicomJson) -> list[Point] | None:
    """PS3.3 C.7.6.2.1.1 the other way round; the centre of the first pixel is 0.5\\0.5."""
    origin, cosines = a.numbers(header, "00200032"), a.numbers(header, "00200037")
    spacing = a.numbers(header, "00280030")
    if (len(origin), len(cosines), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return None
    along, down = cosines[:3], cosines[3:]
    placed = []
    for point in points:
        away = [one - other for one, other in zip(point, origin, strict=True)]
        column, row = _dot(away, along), _dot(away, down)
        height = math.sqrt(max(0.0, _dot(away, away) - column * column - row * row))
        if height > _FARTHEST_MM:
            return None
        placed.append((column / spacing[1] + 0.5, row / spacing[0] + 0.5))
    return placed


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(first * second for first, second in zip(one, other, strict=True))


def circle(centre: Point, edge: Point) -> list[Point]:
    """A circle as an ellipse: both ends of its axes."""
    (x, y), radius = centre, math.dist(centre, edge)
    return [(x - radius, y), (x + radius, y), (x, y - radius), (x, y + radius)]


def distinct(points: Points) -> list[Point]:
    """The points, of those that follow one another and are the same the first."""
    return [point for at, point in enumerate(points) if at == 0 or point != points[at - 1]]


def is_rectangle(corners: Points) -> bool:
    """Whether four points are the corners of a rectangle, one after another: its diagonals are equal and halve each other."""
    first, second, third, fourth = corners
    size = max(math.dist(first, third), math.dist(second, fourth))
    middles = (
        [(one + other) / 2 for one, other in zip(*pair, strict=True)] for pair in ((first, third), (second, fourth))
    )
    same_length = abs(math.dist(first, third) - math.dist(second, fourth)) <= 0.01 * size
    return same_length and math.dist(*middles) <= 0.01 * size
