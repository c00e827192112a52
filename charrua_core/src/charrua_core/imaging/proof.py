"""Whether a transcoded object is the one that it was: every stored value of its pixels, every element beside them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.errors import NotProven
from charrua_core.imaging.dataset import Segments, around_pixels
from charrua_core.imaging.frame_work import same_frame
from charrua_core.imaging.in_order import in_order
from charrua_core.imaging.subject import OFFSET_TABLES, PIXEL_DATA, Subject
from charrua_core.types import FileRange

if TYPE_CHECKING:
    from charrua_core.imaging.workers import Imaging

_DESCRIBES_ENCODING = frozenset({0x00280004, 0x00280006, 0x00280102, PIXEL_DATA, *OFFSET_TABLES})
_WHERE = re.compile(rb"\?(?:inflated-)?offset=\d+&")


async def prove(
    imaging: Imaging, old: FileRange, stored: str, new: FileRange, wanted: str, timeout_s: float | None = None
) -> None:
    """Compare two data sets in their files; raises NotProven where the new one is not, or not surely, the old one.

    Objects with digital signatures are never proven: other bytes break these.
    """
    with (
        await asyncio.to_thread(Subject, [old], stored) as one,
        await asyncio.to_thread(Subject, [new], wanted) as other,
    ):
        if one.is_signed:
            raise NotProven("the object carries digital signatures")
        if not await asyncio.to_thread(_same_elements, one, other):
            raise NotProven("an element beside the pixels is another one")
        if one.pixel_place is not None:
            await _compare_frames(imaging, one, other, timeout_s)


def _same_elements(one: Subject, other: Subject) -> bool:
    if _elements(one) == _elements(other):
        return True
    if not one.layout.explicit or other.layout.explicit:
        return False
    # In implicit VR nobody tells the VRs of private elements: their bytes are what there is to compare.
    wanted = other.transfer_syntax_uid
    implicit = around_pixels(one, {}, wanted, without=_DESCRIBES_ENCODING)
    written = around_pixels(other, {}, wanted, without=_DESCRIBES_ENCODING)
    return all(_bytes(old) == _bytes(new) for old, new in zip(implicit, written, strict=True))


def _bytes(segments: Segments) -> bytes:
    with SegmentSource(segments) as source:
        return source.read(0, source.size)


def _elements(subject: Subject) -> dict[int, bytes]:
    """All elements in the JSON Model but for where their values lie, and what depends on the encoding of the pixels."""
    return {
        place.tag: _WHERE.sub(b"?", place.fragment)
        for place in subject.places
        if place.tag not in _DESCRIBES_ENCODING and place.fragment
    }


async def _compare_frames(imaging: Imaging, one: Subject, other: Subject, timeout_s: float | None) -> None:
    one.check_frames()
    other.check_frames()

    async def differs(index: int) -> str:
        arguments = (one.frame(index), one.format, other.frame(index), other.format)
        return await imaging.run(same_frame, *arguments, timeout_s=timeout_s)

    number = 0
    async for difference in in_order(differs, one.format):
        number += 1
        if difference:
            raise NotProven(f"frame {number}: {difference}")
