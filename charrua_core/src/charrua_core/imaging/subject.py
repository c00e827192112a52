"""A data set that is to be transcoded: where its elements and its frames lie, and what it says of its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import orjson

from charrua_core.archive.check.survey import Place, inflated, survey
from charrua_core.archive.datasets.charsets import CharacterSet, character_set
from charrua_core.archive.datasets.elements import DEFLATED, layout_of
from charrua_core.archive.datasets.header import frame_ranges
from charrua_core.archive.datasets.recode import NATIVE, swapped
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.errors import ImageInvalid
from charrua_core.imaging.frames import found_offsets
from charrua_core.imaging.pixels import PixelFormat, native_frame
from charrua_core.imaging.places import FramePlace
from charrua_core.types import DicomJson, FileRange

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
"""Extended Offset Table and its lengths."""
_PIXELS = frozenset({PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA})
_SIGNATURES = frozenset({0x4FFE0001, 0xFFFAFFFA})
_ENCAPSULATED = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
_EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"


Frame = FramePlace | bytes
"""Where a frame lies for a worker to read it, or its bytes."""


class Subject:
    """The elements of one data set, its pixels left where they are. Making it blocks, and so does reading frames.

    Raises HeaderDamaged where the data set cannot be walked, StorageFailed where its file cannot be read.
    """

    def __init__(self, segments: Sequence[bytes | FileRange], transfer_syntax_uid: str) -> None:
        self.transfer_syntax_uid = transfer_syntax_uid
        self.layout = layout_of(transfer_syntax_uid)
        self.source = SegmentSource(segments)
        try:
            if transfer_syntax_uid in DEFLATED:
                with self:
                    whole = inflated(self.source)
                self.source = SegmentSource([whole])
            self._survey = survey(self.source, self.layout)
        except BaseException:
            self.source.close()
            raise
        self.places: list[Place] = self._survey.places

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close its files."""
        self.source.close()

    @property
    def charset(self) -> CharacterSet:
        """Its character set."""
        return character_set(self._survey.specific_character_set)

    @cached_property
    def pixel_place(self) -> Place | None:
        """The element with its pixels."""
        return next((place for place in self.places if place.tag in _PIXELS), None)

    @property
    def is_native(self) -> bool:
        """Whether its transfer syntax holds pixels as they are."""
        return self.transfer_syntax_uid in NATIVE

    @property
    def is_encapsulated(self) -> bool:
        """Whether its pixels are fragments."""
        return self.pixel_place is not None and self._survey.pixel_data_length is None

    @property
    def is_signed(self) -> bool:
        """Whether it carries digital signatures, which other bytes would break (PS3.15 C)."""
        return any(place.tag in _SIGNATURES for place in self.places)

    @cached_property
    def attributes(self) -> DicomJson:
        """The elements that identify the object and describe its pixels: groups 0008, 0028 and 7FE0."""
        wanted = [place.fragment for place in self.places if place.tag >> 16 in (0x0008, 0x0028, 0x7FE0)]
        described: DicomJson = orjson.loads(b"{%s}" % b",".join(fragment for fragment in wanted if fragment))
        return described

    def values(self, tag: str) -> list[Any]:
        """Give an attribute's values."""
        found: list[Any] = self.attributes.get(tag, {}).get("Value") or []
        return found

    @cached_property
    def format(self) -> PixelFormat:
        """What it says of its pixels; raises ImageInvalid, FrameTooLarge."""
        return PixelFormat.from_json(self.attributes, self.transfer_syntax_uid)

    @cached_property
    def small_images(self) -> frozenset[int]:
        """The sequences that hold fragments: icons, and what private ones have alike."""
        suspects = [place for place in self.places if place.bulk and place.vr == "SQ"] if self.is_encapsulated else []
        return frozenset(
            place.tag for place in suspects if _ENCAPSULATED in self.source.read(place.start, place.end - place.start)
        )

    @cached_property
    def _frames(self) -> list[tuple[int, int]]:
        """Offset and length of each encapsulated frame's items."""
        offsets = self._survey.frame_offsets
        if offsets is None:
            place, start = self.pixel_place, self._survey.pixel_data_offset
            assert place is not None and start is not None  # noqa: S101  they are encapsulated
            offsets = found_offsets(self.source, start, place.end - start, self.format.number_of_frames)
        return list(frame_ranges(offsets))

    def check_frames(self) -> None:
        """Raise ImageInvalid where there are not as many frames as the object says."""
        number = self.format.number_of_frames
        if self.is_encapsulated:
            found = len(self._frames)
        else:
            found = (self._survey.pixel_data_length or 0) * 8 // self.format.native_bits
        if found < number:
            raise ImageInvalid(f"the object has {found} frames and says {number}")

    def frame(self, index: int) -> Frame:
        """Give a frame, counted from 0: its place where its bytes lie in a file."""
        if self.is_encapsulated:
            offset, length = self._frames[index]
            return self._placed(offset, length, in_items=True)
        native, bits = native_frame(self.format, index), self.format.native_bits
        assert self._survey.pixel_data_offset is not None  # noqa: S101  check_frames has seen it
        packed = bits if bits % 8 or native.skipped_bits else 0
        start = self._survey.pixel_data_offset + native.offset
        return self._placed(start, native.length, skipped_bits=native.skipped_bits, bits=packed)

    def _placed(self, start: int, length: int, **how: Any) -> Frame:
        pieces = self.source.cut(start, start + length)
        if len(pieces) == 1 and isinstance(pieces[0], FileRange):
            return FramePlace(pieces[0], **how)
        return FramePlace(FileRange("", start, length), **how).of(self.source.read(start, length))

    def native_value(self, big_endian: bool) -> Iterator[bytes | FileRange]:
        """Give the value of native pixels as segments, in the byte order that is wanted."""
        place, start = self.pixel_place, self._survey.pixel_data_offset
        assert place is not None and start is not None  # noqa: S101  it is asked of objects with pixels
        if big_endian == (self.layout.endian == ">"):
            yield from self.source.cut(start, place.end)
            return
        for at in range(start, place.end, _SWAPPED_AT_ONCE):
            yield swapped(self.source.read(at, min(_SWAPPED_AT_ONCE, place.end - at)), place.vr)


_SWAPPED_AT_ONCE = 1 << 20
