"""Colours that stand in a table: PALETTE COLOR and supplemental palettes (PS3.3 C.7.6.3.1.5, C.7.9, C.7.6.19)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import ImageInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.luts import Lut, table

Colour = NDArray[np.uint8]

_COLOURS = ("Red", "Green", "Blue")
_MOST_ENTRIES = 1 << 16


def palette_of(attributes: Attributes, signed: bool) -> tuple[Lut, Lut, Lut] | None:
    """Give the tables for red, green and blue; None where the object has not all three."""
    found = [_lut(attributes, colour, signed) for colour in _COLOURS]
    return cast(tuple[Lut, Lut, Lut], tuple(found)) if None not in found else None


def coloured(pixels: NDArray[Any], palette: tuple[Lut, Lut, Lut]) -> Colour:
    """Give the colours of stored values, as (…, 3) of type uint8."""
    least, greatest = int(pixels.min()), int(pixels.max())
    if greatest - least >= _MOST_ENTRIES:
        raise ImageInvalid("pixels that name colours have more than 16 bits")
    domain = np.arange(least, greatest + 1, dtype=np.float64)
    colours = np.stack([_in_bytes(lut)[lut.indices(domain)] for lut in palette], axis=-1)
    return np.take(colours, pixels.astype(np.intp) - least, axis=0)


def supplemented(pixels: NDArray[Any], grey: NDArray[np.uint8], attributes: Attributes, signed: bool) -> Colour | None:
    """Give a grey image whose values from the palette's first on are coloured (PS3.3 C.8.16.2.1.2.2).

    None where its Pixel Presentation does not ask for colours, or it has no palette.
    """
    if attributes.text("PixelPresentation") not in ("COLOR", "MIXED", "COLOR_RANGE"):
        return None
    palette = palette_of(attributes, signed)
    if palette is None:
        return None
    colours = pixels >= palette[0].first
    shown = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    if colours.any():
        shown[colours] = coloured(pixels[colours], palette)
    return shown


def _lut(attributes: Attributes, colour: str, signed: bool) -> Lut | None:
    descriptor = attributes.numbers(f"{colour}PaletteColorLookupTableDescriptor")
    data = attributes.binary(f"{colour}PaletteColorLookupTableData")
    segmented = attributes.binary(f"Segmented{colour}PaletteColorLookupTableData")
    if not data and segmented and len(descriptor) == 3:
        entries = int(descriptor[0]) & 0xFFFF or 1 << 16
        return table(descriptor, expanded(segmented, entries, int(descriptor[2])), signed)
    return table(descriptor, data, signed)


def _in_bytes(lut: Lut) -> Colour:
    """The upper 8 of 16 bits; some writers say 16 and use the lower 8."""
    narrow = lut.bits <= 8 or int(lut.entries.max()) <= 0xFF
    return (lut.entries if narrow else lut.entries >> 8).astype(np.uint8)


def expanded(data: bytes, entries: int, bits: int) -> bytes:
    """Give the words of a segmented table (PS3.3 C.7.9.2). Raises ImageInvalid for one that does not hold together."""
    in_bytes = bits == 8 and len(data) > 1 and data[1] != 0  # else an opcode of 0 to 2, in a word of 16 bits
    words = list(data) if in_bytes else np.frombuffer(data[: len(data) // 2 * 2], "<u2").tolist()
    done: list[int] = []
    _Segments(words, 1 if in_bytes else 2, done, entries).run(0, len(words))
    return np.array(done[:entries], "<u2").tobytes()


class _Segments:
    """The interpreter of one segmented table."""

    def __init__(self, words: list[int], word_bytes: int, done: list[int], most: int) -> None:
        self._words, self._word_bytes, self._done, self._most = words, word_bytes, done, most

    def run(self, at: int, end: int, segments: int = _MOST_ENTRIES, *, indirect: bool = True) -> None:
        """Read segments from `at`: to the end, or so many of them."""
        while at < end and segments and len(self._done) < self._most:
            opcode, length = self._word(at), self._word(at + 1)
            segments -= 1
            if opcode == 0:
                self._done += self._words[at + 2 : at + 2 + length]
                at += 2 + length
            elif opcode == 1:
                self._line(length, self._word(at + 2))
                at += 3
            elif opcode == 2 and indirect:
                offset = self._word(at + 2) | self._word(at + 3) << 16
                self.run(offset // self._word_bytes, end, length, indirect=False)
                at += 4
            else:
                raise ImageInvalid(f"a segmented palette has a segment of kind {opcode}")

    def _word(self, at: int) -> int:
        if at >= len(self._words):
            raise ImageInvalid("a segmented palette ends within a segment")
        return self._words[at]

    def _line(self, length: int, last: int) -> None:
        if not self._done:
            raise ImageInvalid("a segmented palette begins with a line from nowhere")
        first = self._done[-1]
        self._done += np.rint(np.linspace(first, last, length + 1)[1:]).astype(int).tolist()


def pseudo_coloured(grey: NDArray[Any], state: Attributes) -> Colour:
    """Give grey levels coloured by the palette of a Pseudo-Color Softcopy Presentation State (PS3.4 N.2.4).

    The whole range of grey goes over all entries of the palette.
    """
    palette = palette_of(state, signed=False)
    if palette is None:
        raise ImageInvalid("the presentation state lacks its palette")
    span = np.linspace(0, 1, np.iinfo(grey.dtype).max + 1)
    colours = [_in_bytes(lut)[np.rint(span * (len(lut.entries) - 1)).astype(np.int64)] for lut in palette]
    seen: Colour = np.take(np.stack(colours, axis=-1), grey, axis=0)
    return seen
