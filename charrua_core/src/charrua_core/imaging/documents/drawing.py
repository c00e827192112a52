"""Lines, grids and words as SVG in millimetres: what the sheets of waveforms are drawn with."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

INK = "#101418"
MEASURED_POINTS_A_MM = 24
"""For curves that are measured with a ruler: all samples of 500 a second at 25 mm/s."""
SEEN_POINTS_A_MM = 8
"""For curves that are looked at."""


class Sheet:
    """A drawing of so many millimetres, its origin at the upper left."""

    def __init__(self, width_mm: float, height_mm: float, label: str) -> None:
        self.width_mm = width_mm
        self.height_mm = height_mm
        self.label = label
        self._parts: list[str] = []

    def line(self, path: str, colour: str, width_mm: float) -> None:
        """Stroke a path."""
        self._parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width_mm:g}"/>')

    def words(
        self, x: float, y: float, text: str, size_mm: float = 3.2, *, anchor: str = "start", bold: bool = False
    ) -> None:
        """Write one line; `y` is its baseline, `anchor` start, middle or end."""
        weight = ' font-weight="bold"' if bold else ""
        place = f'x="{x:.2f}" y="{y:.2f}" font-size="{size_mm:g}" text-anchor="{anchor}"{weight}'
        self._parts.append(f"<text {place}>{escape(text)}</text>")

    def paper(self, x: float, y: float, width: float, height: float) -> None:
        """Draw millimetre paper, lines of 5 mm stronger."""
        self.line(_ruled(x, y, width, height, 1), "#f7d3d3", 0.1)
        self.line(_ruled(x, y, width, height, 5), "#e9a3a3", 0.18)

    def curve(
        self, at: tuple[float, float], values: NDArray[np.float64], width: float, clip: tuple[float, float], most: int
    ) -> None:
        """Draw values in mm, upwards from the point `at`, over so many mm of width, cut off at `clip` (lowest, highest) mm.

        A NaN leaves a gap. Of more than `most` values a mm of width, the lowest and highest are kept, so that no spike is
        lost.
        """
        path = _path(at, np.clip(values, *clip), width, max(2, int(width * most)))
        if path:
            self._parts.append(
                f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="0.3" stroke-linejoin="round"/>'
            )

    def svg(self, headline: str = "") -> str:
        """The drawing as an SVG document, under a headline if one is given."""
        top = 7.0 if headline else 0.0
        size = f"{self.width_mm:g} {self.height_mm + top:g}"
        head = f'<text x="2" y="-2.2" font-size="3.6" font-weight="bold">{escape(headline)}</text>' if headline else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-top:g} {size}" width="{self.width_mm:g}mm" '
            f'height="{self.height_mm + top:g}mm" role="img" font-family="\'Noto Sans\', sans-serif" fill="{INK}">'
            f"<title>{escape(self.label)}</title>"
            f'<rect y="{-top:g}" width="100%" height="100%" fill="#ffffff"/>{head}{"".join(self._parts)}</svg>'
        )


def _ruled(x: float, y: float, width: float, height: float, step: float) -> str:
    upright = [f"M{x + at:g} {y:g}v{height:g}" for at in np.arange(0, width + 0.01, step)]
    across = [f"M{x:g} {y + at:g}h{width:g}" for at in np.arange(0, height + 0.01, step)]
    return "".join(upright + across)


def _path(at: tuple[float, float], values: NDArray[np.float64], width: float, most: int) -> str:
    x, y = at
    indices, kept = _thinned(values, most)
    steps = max(1, len(values) - 1)
    parts: list[str] = []
    pen_down = False
    for index, value in zip(indices.tolist(), kept.tolist(), strict=True):
        if value != value:
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{x + index * width / steps:.2f} {y - value:.2f}")
        pen_down = True
    return "".join(parts)


def _thinned(values: NDArray[np.float64], most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Indices and values of at most `most` samples: of each piece the lowest and the highest, in their order.

    A piece without any value keeps one NaN, so that a gap stays a gap.
    """
    if len(values) <= most:
        return np.arange(len(values)), values
    pieces = max(1, most // 2)
    size = -(-len(values) // pieces)
    table = np.full((pieces, size), np.nan)
    table.flat[: len(values)] = values
    unknown = np.isnan(table)
    lowest = np.where(unknown, np.inf, table).argmin(axis=1)
    highest = np.where(unknown, -np.inf, table).argmax(axis=1)
    start = np.arange(pieces) * size
    kept = np.unique(np.concatenate([start + lowest, start + highest]))
    kept = kept[kept < len(values)]
    return kept, values[kept]
