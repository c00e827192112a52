"""Waveforms drawn: the 12-lead sheet of electrocardiography, strips to scale, and lanes for all else.

Electrocardiograms are drawn at 25 mm/s and 10 mm/mV on millimetre paper with a calibration pulse of 1 mV and 0.2 s, so that a
print at full size can be measured with a ruler. No sheet is higher than fits on A4 below the patient's name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrua_core.imaging.documents.drawing import INK, MEASURED_POINTS_A_MM, SEEN_POINTS_A_MM, Sheet
from charrua_core.imaging.documents.leads import COLUMNS, RHYTHM, lead, leads, millivolts
from charrua_core.imaging.documents.waveform import Channel, Group

MM_A_SECOND = 25.0
MM_A_MILLIVOLT = 10.0
SHEET_SECONDS = 10.0
"""As much as fits on a sheet."""
MOST_STRIPS = 4
MOST_LANES = 24
MOST_LANE_SAMPLES = 4000  # across the paper
_LEFT = 10.0  # mm for the calibration pulse
_WIDTH = _LEFT + SHEET_SECONDS * MM_A_SECOND + 5
_ROW = 30.0
_FOOT = 6.0
_LANES_HEIGHT = 115.0

Values = NDArray[np.float64]


def twelve_lead(group: Group, values: Values) -> Sheet:
    """Three rows of four leads, 2.5 s each and running on in time, and lead II below, at full length.

    A recording shorter than 10 s has its leads side by side, each from the beginning.
    """
    index = leads(group)
    whole = group.duration_s >= SHEET_SECONDS - 0.05
    sheet = Sheet(_WIDTH, (4 if whole else 3) * _ROW + _FOOT, f"Electrocardiogram, {_told(group)}")
    sheet.paper(0, 0, _WIDTH, sheet.height_mm - _FOOT)
    for row in range(3):
        middle = (row + 0.5) * _ROW
        _pulse(sheet, middle)
        for column, names in enumerate(COLUMNS):
            at_s = column * SHEET_SECONDS / len(COLUMNS)
            stretch = _Stretch(at_s if whole else 0.0, at_s, SHEET_SECONDS / len(COLUMNS))
            _strip(sheet, group, values, index[names[row]], middle, stretch)
    if whole:
        _pulse(sheet, 3.5 * _ROW)
        _strip(sheet, group, values, index[RHYTHM], 3.5 * _ROW, _WHOLE)
    _legend(sheet, group)
    return sheet


def strips(group: Group, values: Values, channels: Sequence[int]) -> Sheet:
    """Electrocardiographic channels below each other, the first 10 s, to scale; at most 4 of them."""
    sheet = Sheet(_WIDTH, len(channels) * _ROW + _FOOT, f"Electrocardiogram, {_told(group)}")
    sheet.paper(0, 0, _WIDTH, sheet.height_mm - _FOOT)
    for row, channel in enumerate(channels):
        middle = (row + 0.5) * _ROW
        _pulse(sheet, middle)
        _strip(sheet, group, values, channel, middle, _WHOLE)
    _legend(sheet, group)
    return sheet


@dataclass(frozen=True, slots=True)
class _Stretch:
    """So many seconds of the recording from `start_s`, drawn `at_s` seconds from the left."""

    start_s: float
    at_s: float
    long_s: float


def _strip(sheet: Sheet, group: Group, values: Values, channel: int, middle: float, stretch: _Stretch) -> None:
    """One lead, its zero line at `middle`."""
    first, last = (round(second * group.sampling_hz) for second in (stretch.start_s, stretch.start_s + stretch.long_s))
    piece = values[channel][first : last + 1] * (millivolts(group.channels[channel]) or 1.0) * MM_A_MILLIVOLT
    x = _LEFT + stretch.at_s * MM_A_SECOND
    if len(piece) > 1:
        width = (len(piece) - 1) / group.sampling_hz * MM_A_SECOND
        sheet.curve((x, middle), piece, width, (-_ROW, _ROW), MEASURED_POINTS_A_MM)
    if stretch.at_s:
        sheet.line(f"M{x:g} {middle - 4:g}v8", INK, 0.2)
    name = lead(group.channels[channel]) or group.channels[channel].name
    sheet.words(x + 1.2, middle - _ROW / 2 + 5, name, bold=True)


_WHOLE = _Stretch(0.0, 0.0, SHEET_SECONDS)


def _pulse(sheet: Sheet, middle: float) -> None:
    """1 mV for 0.2 s."""
    sheet.line(f"M1.5 {middle:g}h1v-{MM_A_MILLIVOLT:g}h{0.2 * MM_A_SECOND:g}v{MM_A_MILLIVOLT:g}h1", INK, 0.3)


def _legend(sheet: Sheet, group: Group) -> None:
    low, high, notch = _filters(group)
    band = f"{low:g}-{high:g} Hz" if low is not None and high is not None else ""
    parts = ["25 mm/s", "10 mm/mV", band, f"notch {notch:g} Hz" if notch else "", f"{group.sampling_hz:g} samples/s"]
    sheet.words(1, sheet.height_mm - 1.5, " · ".join(part for part in parts if part))
    sheet.words(_WIDTH - 1, sheet.height_mm - 1.5, _told(group), anchor="end")


def _filters(group: Group) -> tuple[float | None, float | None, float | None]:
    """Low and high corner and notch, where all channels say the same."""
    told = {(channel.filter_low_hz, channel.filter_high_hz, channel.notch_hz) for channel in group.channels}
    return told.pop() if len(told) == 1 else (None, None, None)


def _told(group: Group) -> str:
    """The group's label and how much of it is shown."""
    shown = f"first {SHEET_SECONDS:g} s of {duration(group.duration_s)}"
    long = shown if group.duration_s > SHEET_SECONDS + 0.05 else duration(group.duration_s)
    derived = "derived" if group.originality == "DERIVED" else ""
    return ", ".join(part for part in (group.label.lower(), derived, long) if part)


def duration(seconds: float) -> str:
    """A length of time as people read it."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part)


def lane_seconds(group: Group) -> float:
    """How much of a recording lanes show: all of it, or as much as can be told apart on the paper, 10 s at least."""
    return min(group.duration_s, max(SHEET_SECONDS, MOST_LANE_SAMPLES / group.sampling_hz))


def lanes(group: Group, values: Values, channels: Sequence[int]) -> Sheet:
    """Channels of any kind below each other, each to a scale of its own; at most 24 of them."""
    seconds = lane_seconds(group)
    height = max(3.0, min(50.0, _LANES_HEIGHT / len(channels)))
    left, width = 40.0, _WIDTH - 47.0
    part = (
        f"first {duration(seconds)} of {duration(group.duration_s)}"
        if seconds < group.duration_s
        else duration(seconds)
    )
    sheet = Sheet(_WIDTH, len(channels) * height + 13, f"Waveforms, {part}")
    _seconds(sheet, left, width, len(channels) * height, seconds)
    for row, channel in enumerate(channels):
        _lane(sheet, group.channels[channel], values[channel], row * height, (left, width, height))
    sheet.words(1, sheet.height_mm - 1.5, f"{group.sampling_hz:g} samples/s · {part}")
    return sheet


def _lane(sheet: Sheet, channel: Channel, values: Values, top: float, place: tuple[float, float, float]) -> None:
    left, width, height = place
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    span = (high - low) or 1.0
    size = min(3.0, height * 0.6)
    name = channel.name if len(channel.name) <= 14 else f"{channel.name[:13]}…"
    sheet.words(1, top + height / 2 + size / 3, name, size, bold=True)
    sheet.line(f"M{left:g} {top + height:g}h{width:g}", "#c9ced4", 0.15)
    if height >= 9:
        sheet.words(left - 1, top + 3.2, f"{high:.4g} {channel.units_text}".strip(), 2.4, anchor="end")
        sheet.words(left - 1, top + height - 1.2, f"{low:.4g}", 2.4, anchor="end")
    else:
        scale = f"{low:.3g} … {high:.3g} {channel.units_text}".strip()
        sheet.words(left - 1, top + height / 2 + 0.8, scale, 2.2, anchor="end")
    heights = (values - low) / span * height * 0.9
    sheet.curve((left, top + height * 0.95), heights, width, (0.0, height), SEEN_POINTS_A_MM)


def _seconds(sheet: Sheet, left: float, width: float, height: float, long_s: float) -> None:
    """Upright lines at round times, and the times below."""
    step = _round_step(long_s / 10)
    for number in range(int(long_s / step + 1e-9) + 1):
        x = left + number * step / long_s * width
        sheet.line(f"M{x:.2f} 0v{height:g}", "#dfe3e7", 0.15)
        sheet.words(x, height + 5, f"{number * step:g} s", 2.6, anchor="middle")


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 … that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)
