"""Grey pixels out of stored values: the grayscale transformations of PS3.4 N.2.1 as one table, or one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.pixels import PixelFormat
from charrua_core.imaging.render.luts import Mapping, Values
from charrua_core.imaging.render.modality import modality_of
from charrua_core.imaging.render.request import RenderRequest
from charrua_core.imaging.render.voi import between, presentation_of, voi_of, windows_of
from charrua_core.imaging.tags import tags

Pixels = NDArray[Any]
Grey = NDArray[Any]
Extent = tuple[float, float]

_LARGEST_TABLE = 1 << 16
_TABLES_KEPT = 32
_DECISIVE = tags("""
    Modality PixelIntensityRelationship ModalityLUTSequence RescaleSlope RescaleIntercept VOILUTSequence WindowCenter
    WindowWidth VOILUTFunction PresentationLUTSequence PresentationLUTShape SegmentationType MaximumFractionalValue
""")
"""All that grey levels depend on, so that slices of a series that are alike in these share a table."""
_SHOWN_AS_STORED = 8  # bits: such values are made for a screen unless the object says otherwise


def grayscale(
    pixels: Pixels,
    layout: PixelFormat,
    attributes: Attributes,
    request: RenderRequest,
    *,
    extent: Extent | None = None,
    identity_voi: bool = False,
) -> Grey:
    """Give grey levels, 0 black, of type uint8, or uint16 where the request asks for 16 bits.

    Where neither the object nor the request has a window, all values get shown that are in the frame, or in the `extent`
    of several; with `identity_voi`, which presentation states want, all that could be (PS3.4 N.2.1.2).
    """
    padding = padding_of(pixels, layout, attributes)
    if not _by_extent(pixels, attributes, request):
        extent = (0, 0)
    extent = extent or extent_of(pixels, layout, attributes)
    levels = _Levels.of(layout, attributes, request, extent, identity_voi)
    grey = _by_table(pixels, levels) if pixels.dtype.kind != "f" else levels(_finite(pixels, extent))
    if padding is not None:
        grey[padding] = 0
    return grey


def extent_of(pixels: Pixels, layout: PixelFormat, attributes: Attributes) -> Extent:
    """Give the least and the greatest stored value that is no padding."""
    padding = padding_of(pixels, layout, attributes)
    shown = pixels if padding is None else pixels[~padding]
    if pixels.dtype.kind == "f":
        shown = shown[np.isfinite(shown)]
    return (shown.min().item(), shown.max().item()) if shown.size else (0, 0)


def _by_extent(pixels: Pixels, attributes: Attributes, request: RenderRequest) -> bool:
    """Whether levels depend on what values there are: by a VOI LUT that may begin below zero, or for lack of a window."""
    told = request.window is not None or ("VOILUTSequence" not in attributes and bool(windows_of(attributes)))
    return pixels.dtype.kind == "f" or not told


@dataclass(frozen=True)
class _Levels:
    """The function from stored values to grey levels; two that are equal give the same."""

    told: str
    """What the attributes say."""
    layout: PixelFormat
    attributes: Attributes = field(compare=False)
    request: RenderRequest
    extent: Extent
    """Least and greatest of the stored values that are shown."""
    identity_voi: bool

    @classmethod
    def of(
        cls, layout: PixelFormat, attributes: Attributes, request: RenderRequest, extent: Extent, identity_voi: bool
    ) -> _Levels:
        """Keep of the attributes those that decide."""
        decisive = {tag: element for tag, element in attributes.elements.items() if tag in _DECISIVE}
        return cls(repr(decisive), layout, Attributes(decisive), request, extent, identity_voi)

    def __call__(self, stored: Values) -> Grey:
        signed = self.layout.is_signed
        modality = modality_of(self.attributes, signed)
        negative = self._signed_after(modality)
        own = voi_of(self.attributes, self.request, signed=negative, of_floats=self.layout.is_float)
        voi = own or self._whole(modality)
        shade = presentation_of(self.attributes, self.layout.photometric_interpretation == "MONOCHROME1")
        white, kind = (65535, np.uint16) if self.request.bits == 16 else (255, np.uint8)
        return np.rint(shade(voi(modality(stored))) * white).astype(kind)

    def _signed_after(self, modality: Mapping) -> bool:
        return bool(modality(np.array(self.extent, np.float64)).min() < 0)

    def _whole(self, modality: Mapping) -> Mapping:
        ends = modality(np.array(self._stored_range(), np.float64))
        return between(float(ends.min()), float(ends.max()))

    def _stored_range(self) -> tuple[float, float]:
        bits = self.layout.bits_stored
        if self.layout.is_float or self.attributes.text("SegmentationType") == "LABELMAP":
            return self.extent
        if self.attributes.text("SegmentationType") == "FRACTIONAL":
            return 0, self.attributes.integer("MaximumFractionalValue", 255)
        if bits > _SHOWN_AS_STORED and not self.identity_voi:
            return self.extent
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.layout.is_signed else (0, (1 << bits) - 1)


def _finite(pixels: Pixels, extent: Extent) -> Values:
    """Infinite values at the ends, and what is no number at the lower one."""
    least, greatest = extent
    return np.nan_to_num(pixels, nan=least, posinf=greatest, neginf=least)


def _by_table(pixels: Pixels, levels: _Levels) -> Grey:
    least, greatest = int(pixels.min()), int(pixels.max())
    # In powers of two, so that slices with other values still share a table.
    above, below = 1 << max(greatest, 0).bit_length(), 1 << (~least).bit_length() if least < 0 else 0
    if above + below > _LARGEST_TABLE:
        return levels(pixels.astype(np.float64))
    # `take` is more than twice as fast as indexing.
    return np.take(_table(levels, above, below), pixels)


@lru_cache(maxsize=_TABLES_KEPT)
def _table(levels: _Levels, above: int, below: int) -> Grey:
    """The levels of values from 0 on, and behind them, where negative indices lead, those of values below 0."""
    return levels(np.concatenate([np.arange(above, dtype=np.float64), np.arange(-below, 0, dtype=np.float64)]))


def padding_of(pixels: Pixels, layout: PixelFormat, attributes: Attributes) -> NDArray[np.bool_] | None:
    """Give where the pixels only fill up the rectangle (PS3.3 C.7.5.1.1.2), None where none do."""
    names = ("PixelPaddingValue", "PixelPaddingRangeLimit")
    if layout.is_float:
        names = ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit")
        if layout.bits_allocated == 64:
            names = ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit")
    found = [_in_range(number, layout) for name in names if (number := attributes.number(name)) is not None]
    if not found:
        return None
    padding = (pixels >= min(found)) & (pixels <= max(found)) if len(found) == 2 else pixels == found[0]
    return padding if padding.any() else None


def _in_range(number: float, layout: PixelFormat) -> float:
    """Its VR is that of the pixels, which implicit VR and some writers get wrong."""
    if layout.is_float:
        return number
    word = int(number) & 0xFFFF
    return word - (1 << 16) if layout.is_signed and word >= 1 << 15 else word
