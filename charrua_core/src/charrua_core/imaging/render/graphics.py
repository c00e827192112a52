"""Graphic and text annotations of presentation states (PS3.3 C.10.5), drawn upon what is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, hypot, pi, sin

from PIL import ImageDraw

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.canvas import WHITE, Canvas, Ink, font, line_height
from charrua_core.imaging.render.geometry import Geometry, Point
from charrua_core.imaging.render.presentation import Presentation

Points = list[Point]
_STEPS = 72
_MOST_POINTS = 20_000


def draw_annotations(canvas: Canvas, presentation: Presentation, geometry: Geometry) -> None:
    """Draw all graphics and texts for the frame, layer upon layer."""
    for annotation in presentation.annotations():
        pen = _Pen(canvas, geometry, ink_of(presentation.layer(annotation.text("GraphicLayer"))))
        for graphic in annotation.items("GraphicObjectSequence"):
            pen.graphic(graphic)
        for text in annotation.items("TextObjectSequence"):
            pen.text(text)


def ink_of(layer: Attributes) -> Ink:
    """Give the colour that a layer recommends, else its shade of grey, else white."""
    lab = layer.numbers("GraphicLayerRecommendedDisplayCIELabValue")
    if len(lab) == 3 and all(0 <= part <= 0xFFFF for part in lab):
        return _of_lab(lab[0] / 65535 * 100, lab[1] / 257 - 128, lab[2] / 257 - 128)
    grey = layer.number("GraphicLayerRecommendedDisplayGrayscaleValue")
    return WHITE if grey is None else (min(max(grey, 0), 65535) / 65535,) * 3


def _of_lab(lightness: float, a: float, b: float) -> Ink:
    """CIELab of D50 as sRGB."""
    y = (lightness + 16) / 116
    x, z = y + a / 500, y - b / 200
    x, y, z = (one**3 if one > 6 / 29 else (one - 4 / 29) * 3 * (6 / 29) ** 2 for one in (x, y, z))
    x, z = x * 0.9642, z * 0.8249
    red = 3.1339 * x - 1.6169 * y - 0.4906 * z
    green = -0.9788 * x + 1.9161 * y + 0.0335 * z
    blue = 0.0719 * x - 0.2290 * y + 1.4052 * z
    return _gamma(red), _gamma(green), _gamma(blue)


def _gamma(linear: float) -> float:
    linear = min(max(linear, 0.0), 1.0)
    return float(12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


@dataclass(frozen=True)
class _Pen:
    """Draws in the colour of one layer."""

    canvas: Canvas
    geometry: Geometry
    ink: Ink

    def graphic(self, graphic: Attributes) -> None:
        """Draw a graphic object."""
        numbers = graphic.numbers("GraphicData")[: 2 * _MOST_POINTS]
        points = list(zip(numbers[::2], numbers[1::2], strict=False))
        outline = _OUTLINES.get(graphic.text("GraphicType"))
        if outline is None or not points:
            return
        seen = [self._seen(point, graphic.text("GraphicAnnotationUnits")) for point in outline(points)]
        if len(seen) == 1:
            self._point(seen[0])
        else:
            self._line(seen, filled=graphic.text("GraphicFilled") == "Y")

    def text(self, text: Attributes) -> None:
        """Write a text in its box, or beside its anchor, and the line from the one to the other."""
        units = text.text("BoundingBoxAnnotationUnits")
        corner, other = text.numbers("BoundingBoxTopLeftHandCorner"), text.numbers("BoundingBoxBottomRightHandCorner")
        anchor = text.numbers("AnchorPoint")
        told = anchor_seen = None
        if len(anchor) == 2:
            anchor_seen = told = self._seen((anchor[0], anchor[1]), text.text("AnchorPointAnnotationUnits"))
        size = max(11, self.canvas.size[1] // 40)
        if len(corner) == 2 and len(other) == 2:
            first, last = self._seen((corner[0], corner[1]), units), self._seen((other[0], other[1]), units)
            told = (min(first[0], last[0]), min(first[1], last[1]))
            size = _fitting(text.text("UnformattedTextValue"), abs(first[0] - last[0]), abs(first[1] - last[1]))
        if told is None:
            return
        if anchor_seen is not None and anchor_seen != told and text.text("AnchorPointVisibility") == "Y":
            self._line([anchor_seen, told])
        self.canvas.text(
            told, text.text("UnformattedTextValue").replace("\r\n", "\n").replace("\r", "\n"), size, self.ink
        )

    def _seen(self, point: Point, units: str) -> Point:
        if units == "DISPLAY":  # of the displayed area, from 0 to 1
            return point[0] * self.canvas.size[0], point[1] * self.canvas.size[1]
        return self.geometry.seen(point)

    def _point(self, point: Point) -> None:
        x, y, arm = *point, max(2, self._width() * 3)

        def cross(on: ImageDraw.ImageDraw) -> None:
            on.line([(x - arm, y), (x + arm, y)], 255, self._width())
            on.line([(x, y - arm), (x, y + arm)], 255, self._width())

        self.canvas.paint(cross, self.ink)

    def _line(self, points: Points, *, filled: bool = False) -> None:
        def draw(on: ImageDraw.ImageDraw) -> None:
            if filled and len(points) > 2:
                on.polygon(points, fill=255)
            on.line(points, 255, self._width(), joint="curve")

        self.canvas.paint(draw, self.ink)

    def _width(self) -> int:
        return max(1, round(min(self.canvas.size) / 400))


def _fitting(text: str, width: float, height: float) -> int:
    """The largest size, within reason, in which the text fits into its box."""
    lines = text.splitlines() or [""]
    by_height = int(height / (line_height(1) * len(lines)))
    longest = max(font(20).getlength(line) for line in lines) or 1
    return max(9, min(by_height, int(20 * width / longest), 72))


def _circle(points: Points) -> Points:
    (x, y), (edge_x, edge_y) = points[0], points[-1]
    radius = hypot(edge_x - x, edge_y - y)
    turns = [2 * pi * step / _STEPS for step in range(_STEPS + 1)]
    return [(x + radius * cos(turn), y + radius * sin(turn)) for turn in turns]


def _ellipse(points: Points) -> Points:
    """From the ends of the major and of the minor axis."""
    if len(points) < 4:
        return points
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[:4]
    x, y = (ax + bx) / 2, (ay + by) / 2
    major, minor = ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2)
    turns = [2 * pi * step / _STEPS for step in range(_STEPS + 1)]
    return [
        (x + major[0] * cos(turn) + minor[0] * sin(turn), y + major[1] * cos(turn) + minor[1] * sin(turn))
        for turn in turns
    ]


def _curve(points: Points) -> Points:
    """A smooth line through all points (Catmull and Rom's)."""
    if len(points) < 3:
        return points
    closed = points[0] == points[-1]
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    path, found = [before, *points, after], []
    for one, two, three, four in zip(path, path[1:], path[2:], path[3:], strict=False):
        found += [_between(one, two, three, four, step / 8) for step in range(8)]
    return [*found, points[-1]]


def _between(one: Point, two: Point, three: Point, four: Point, t: float) -> Point:
    def along(a: float, b: float, c: float, d: float) -> float:
        return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))

    return along(one[0], two[0], three[0], four[0]), along(one[1], two[1], three[1], four[1])


_OUTLINES: dict[str, Callable[[Points], Points]] = {
    "POINT": lambda points: points[:1],
    "POLYLINE": lambda points: points,
    "INTERPOLATED": _curve,
    "CIRCLE": _circle,
    "ELLIPSE": _ellipse,
}
