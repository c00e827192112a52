"""Overlay planes (PS3.3 C.9): bits in groups 6000 to 60FE, or of old devices in the unused bits of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.codecs.syntaxes import EXPLICIT_BIG_ENDIAN, NATIVE
from charrua_core.imaging.pixels import PixelFormat

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Overlay:
    """One plane for one frame of the image; `mask` has the shape of the image, (rows, columns)."""

    group: int
    mask: Mask


def overlays_of(attributes: Attributes, layout: PixelFormat, frame: int, stored: bytes = b"") -> Iterator[Overlay]:
    """Give the overlays of frame `frame` (from 1) by group; `stored` is the frame as it is stored, for those within pixels.

    A plane that lacks its size or its data, or has none for the frame, is left out.
    """
    for group in sorted({int(tag[:4], 16) for tag in attributes.elements if tag.startswith("60")}):
        mask = _in_group(attributes, group, layout, frame)
        if mask is None:
            mask = _in_pixels(attributes, group, layout, stored)
        if mask is not None:
            yield Overlay(group, mask)


def _in_group(attributes: Attributes, group: int, layout: PixelFormat, frame: int) -> Mask | None:
    data = attributes.binary(f"{group:04X}3000")
    rows, columns = attributes.integer(f"{group:04X}0010"), attributes.integer(f"{group:04X}0011")
    if not data or not 0 < rows * columns <= len(data) * 8:
        return None
    frames = max(1, attributes.integer(f"{group:04X}0015", 1))
    index = frame - attributes.integer(f"{group:04X}0051", 1) if frames > 1 else 0
    first = index * rows * columns
    if not 0 <= index < frames or first + rows * columns > len(data) * 8:
        return None
    piece = np.frombuffer(data, np.uint8)[first // 8 : -(-(first + rows * columns) // 8)]
    bits = np.unpackbits(piece, bitorder="little")[first % 8 :][: rows * columns]
    origin = attributes.numbers(f"{group:04X}0050") or [1, 1]
    return _placed(bits.reshape(rows, columns).astype(bool), int(origin[0]) - 1, int(origin[-1]) - 1, layout)


def _placed(plane: Mask, row: int, column: int, layout: PixelFormat) -> Mask:
    """The plane where it lies upon the image, which it may overhang on all sides."""
    mask = np.zeros((layout.rows, layout.columns), bool)
    rows, columns = plane.shape
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + rows, layout.rows), min(column + columns, layout.columns)
    if top < bottom and left < right:
        mask[top:bottom, left:right] = plane[top - row : bottom - row, left - column : right - column]
    return mask


def _in_pixels(attributes: Attributes, group: int, layout: PixelFormat, stored: bytes) -> Mask | None:
    """Retired in 2004; what encoders made of the bits beside the pixels is not known, so native frames alone have them."""
    position = attributes.number(f"{group:04X}0102")
    words = _words(layout, stored)
    used = range(layout.high_bit + 1 - layout.bits_stored, layout.high_bit + 1)
    if words is None or not position or not 0 < position < layout.bits_allocated or int(position) in used:
        return None
    mask: Mask = (words.reshape(layout.rows, layout.columns) >> int(position) & 1).astype(bool)
    return mask


def _words(layout: PixelFormat, stored: bytes) -> NDArray[Any] | None:
    whole = layout.rows * layout.columns * layout.bits_allocated // 8
    usable = layout.transfer_syntax_uid in NATIVE and layout.samples_per_pixel == 1
    if not usable or layout.bits_allocated not in (8, 16) or len(stored) < whole:
        return None
    order = ">" if layout.transfer_syntax_uid == EXPLICIT_BIG_ENDIAN else "<"
    return np.frombuffer(stored[:whole], f"{order}u{layout.bits_allocated // 8}")
