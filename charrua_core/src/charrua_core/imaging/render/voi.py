"""The part of the values that is of interest, spread from 0 (black) to 1 (white) (PS3.3 C.11.2, C.11.6)."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from charrua_core.errors import RenderingInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.luts import Lut, Mapping, Values, lut_of
from charrua_core.imaging.render.request import Function, RenderRequest, Window


def voi_of(
    attributes: Attributes, request: RenderRequest, *, signed: bool = False, of_floats: bool = False
) -> Mapping | None:
    """Give the function that the request asks for, else the object's own; None where it has none.

    `signed` and `of_floats` say what its inputs are. Raises RenderingInvalid for one that it does not have.
    """
    if request.window is not None:
        return windowed(request.window)
    own = windows_of(attributes, of_floats=of_floats)
    luts = [lut for item in attributes.items("VOILUTSequence") if (lut := lut_of(item, signed)) is not None]
    if not own and not luts and request.voi == 0:
        return None
    if request.voi >= len(own) + len(luts):
        raise RenderingInvalid(f"the object has {len(own)} windows and {len(luts)} VOI LUTs, and none behind")
    if request.voi < len(own):
        return windowed(own[request.voi])
    return scaled(luts[request.voi - len(own)])


def windows_of(attributes: Attributes, *, of_floats: bool = False) -> list[Window]:
    """Give the object's windows; those that are no windows, as of width 0, are left out.

    What is called LINEAR and cannot be, of widths below 1 or of values that are no integers, is taken for LINEAR_EXACT.
    """
    told = attributes.text("VOILUTFunction")
    exact = of_floats or told == "LINEAR_EXACT"
    pairs = zip_longest(attributes.values("WindowCenter"), attributes.values("WindowWidth"))
    found = []
    for center, width in pairs:
        if isinstance(center, int | float) and isinstance(width, int | float) and width > 0:
            linear: Function = "LINEAR_EXACT" if exact or width < 1 else "LINEAR"
            found.append(Window(float(center), float(width), "SIGMOID" if told == "SIGMOID" else linear))
    return found


def windowed(window: Window) -> Mapping:
    """Give the function of PS3.3 C.11.2.1.2.1 or C.11.2.1.3 with 0 and 1 as its least and greatest outputs."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        return lambda values: 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -80, 80)))
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return lambda values: (values > center).astype(np.float32)
    return lambda values: np.clip((values - center) / width + 0.5, 0, 1)


def scaled(lut: Lut) -> Mapping:
    """Give a table's values as parts of the greatest that it can have."""
    return lambda values: lut(values) / lut.maximum


def between(least: float, greatest: float) -> Mapping:
    """Give the function that spreads the values from the least to the greatest."""
    if not greatest > least:
        return lambda values: np.zeros_like(values)
    return lambda values: np.clip((values - least) / (greatest - least), 0, 1)


def presentation_of(attributes: Attributes, monochrome1: bool) -> Mapping:
    """Give what is done last: the Presentation LUT, or its shape, which says more than MONOCHROME1 where it is told.

    In images the shape INVERSE stands beside MONOCHROME1 and means the same (PS3.3 C.8.11.3.1.2).
    """
    lut = lut_of(attributes.item("PresentationLUTSequence"), signed=False)
    if lut is not None:
        return _through(lut)
    shape = attributes.text("PresentationLUTShape")
    return _inverse if (shape == "INVERSE" if shape else monochrome1) else _identity


def _through(lut: Lut) -> Mapping:
    span = len(lut.entries) - 1
    return lambda values: lut(values * span + lut.first) / lut.maximum


def _inverse(values: Values) -> Values:
    return 1 - values


def _identity(values: Values) -> Values:
    return values
