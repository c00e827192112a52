"""One frame of a stored object, by one ranged read of its file (PS3.5 8.1 and A.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from struct import unpack_from
from typing import TYPE_CHECKING, Protocol

from charrua_core.archive.datasets.elements import DEFLATED
from charrua_core.archive.datasets.source import BudgetSpent, Clock, FileSource, InflatedSource
from charrua_core.errors import FrameNotFound, FrameUndecodable, HeaderDamaged, StorageFailed
from charrua_core.imaging.pixels import MOST_FRAME_BYTES, native_frame
from charrua_core.imaging.places import ITEM, FramePlace, checked, joined
from charrua_core.imaging.stored import StoredImage, StoredObject
from charrua_core.types import FileRange

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FRAGMENTS = 1 << 20
_INFLATING_S = 20.0
"""Processor time that is given to reach a frame, or another value, of a deflated data set."""
# What a frame's first fragment begins with: JPEG and JPEG-LS (SOI), JPEG 2000 (SOC, or the signature box of JP2).
_BEGINNINGS = (b"\xff\xd8", b"\xff\x4f", b"\0\0\0\x0cjP")


async def read_frame(image: StoredImage, number: int) -> bytes:
    """Give frame `number` (from 1) as it is stored: native bytes in the file's byte order, or one compressed stream.

    A packed 1-bit frame begins on a byte, whatever it does in the file. Raises FrameNotFound, FrameUndecodable where the
    pixel data ends before it or cannot be told apart by frame, StorageFailed.
    """
    return (await read_frames(image, [number]))[0]


async def read_frames(image: StoredImage, numbers: Sequence[int]) -> list[bytes]:
    """Give several frames, as `read_frame` does, in one turn of a thread."""

    def read() -> list[bytes]:
        return [one if isinstance(one, bytes) else one.read() for one in _frames(image, numbers)]

    return await asyncio.to_thread(read)


async def frames_to_read(image: StoredImage, numbers: Sequence[int]) -> Sequence[FramePlace | bytes]:
    """Give where each frame lies for a worker to read, or the frame itself where that takes what only the server has.

    Raises as `read_frame` does; what is wrong with the file shows when it is read.
    """
    if (image.native or image.frame_offsets is not None) and image.transfer_syntax_uid not in DEFLATED:
        return _frames(image, numbers)
    return await asyncio.to_thread(_frames, image, numbers)


async def read_stream(image: StoredImage) -> bytes:
    """Give all fragments of encapsulated pixel data joined: a video, which is not kept by frame (PS3.5 8.2.5)."""
    return await asyncio.to_thread(_read_stream, image)


async def stream_ranges(image: StoredImage) -> list[FileRange]:
    """Give where the fragments of such a stream lie in the file, one after another. Raises as `read_frame` does."""

    def find() -> list[FileRange]:
        with _opened(image) as source:
            starts = [start for start, _ in _fragments(source, image.pixels_offset, image.pixels_length)]
        return [FileRange(image.path, start + 8, end - start - 8) for start, end in pairwise(starts)]

    return await asyncio.to_thread(find)


async def read_ranges(image: StoredObject, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Give other values of the object by (offset, length). Raises FrameUndecodable where the file ends before."""

    def read() -> list[bytes]:
        with _opened(image) as source:
            return [_exactly(source, offset, length) for offset, length in sorted(ranges)]

    by_range = dict(zip(sorted(ranges), await asyncio.to_thread(read), strict=True))
    return [by_range[one] for one in ranges]


class _Source(Protocol):
    def read(self, position: int, length: int) -> bytes: ...


@contextmanager
def _opened(image: StoredObject) -> Iterator[_Source]:
    """The file, or its inflated data set, from which each read lies behind the one before."""
    try:
        with open(image.path, "rb", buffering=0) as file:
            yield _source(file.fileno(), image)
    except OSError as error:
        raise StorageFailed("the object's file cannot be read") from error
    except (BudgetSpent, HeaderDamaged) as error:
        raise FrameUndecodable("the deflated object takes too long to inflate, or is damaged") from error


def _source(descriptor: int, image: StoredObject) -> _Source:
    if image.transfer_syntax_uid not in DEFLATED:
        return FileSource(descriptor, 0, image.size_bytes)
    packed = FileSource(descriptor, image.dataset_offset, image.size_bytes - image.dataset_offset)
    return InflatedSource(packed, MOST_FRAME_BYTES, Clock(_INFLATING_S))


def _exactly(source: _Source, offset: int, length: int) -> bytes:
    data = source.read(offset, checked(length))
    if len(data) < length:
        raise FrameUndecodable("the file ends before the value does")
    return data


def _frames(image: StoredImage, numbers: Sequence[int]) -> Sequence[FramePlace | bytes]:
    """Places, or of a deflated object the frames, which are met in the order of their numbers."""
    for number in numbers:
        if not 1 <= number <= image.number_of_frames:
            raise FrameNotFound(f"the object has {image.number_of_frames} frames, and none of number {number}")
    place = partial(_native, image) if image.native else partial(_encapsulated, image, _frame_offsets(image))
    places = {number: place(number) for number in sorted(set(numbers))}
    if image.transfer_syntax_uid not in DEFLATED:
        return [places[number] for number in numbers]
    with _opened(image) as source:
        inflated = {
            number: one.of(source.read(one.range.offset, checked(one.range.length))) for number, one in places.items()
        }
    return [inflated[number] for number in numbers]


def _native(image: StoredImage, number: int) -> FramePlace:
    frame, bits = native_frame(image.pixel_format, number - 1), image.pixel_format.native_bits
    if frame.offset + frame.length > image.pixels_length:
        raise FrameUndecodable(f"the pixel data ends before frame {number} does")
    range_ = FileRange(image.path, image.pixels_offset + frame.offset, frame.length)
    return FramePlace(range_, skipped_bits=frame.skipped_bits, bits=bits if bits % 8 or frame.skipped_bits else 0)


def _encapsulated(image: StoredImage, starts: bytes, number: int) -> FramePlace:
    if len(starts) < (number + 1) * 8:
        raise FrameNotFound(f"the object has {len(starts) // 8 - 1} frames, and none of number {number}")
    start, end = unpack_from("<2Q", starts, (number - 1) * 8)
    return FramePlace(FileRange(image.path, start, end - start), in_items=True)


def _frame_offsets(image: StoredImage) -> bytes:
    """The table of the index, else one made by looking at how fragments begin."""
    if image.frame_offsets is not None:
        return image.frame_offsets
    with _opened(image) as source:
        return found_offsets(source, image.pixels_offset, image.pixels_length, image.number_of_frames)


def found_offsets(source: _Source, offset: int, length: int, number_of_frames: int) -> bytes:
    """Give a table as the index has it, of pixel data at this place, by looking at how fragments begin.

    Raises FrameUndecodable where they cannot be told apart so.
    """
    fragments = list(_fragments(source, offset, length))
    starts = [start for start, head in fragments[:-1] if head.startswith(_BEGINNINGS)]
    if len(starts) != number_of_frames or starts[0] != fragments[0][0]:
        raise FrameUndecodable("the fragments of the pixel data cannot be told apart by frame")
    return b"".join(offset.to_bytes(8, "little") for offset in [*starts, fragments[-1][0]])


def _fragments(source: _Source, offset: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Where each fragment's item begins and the fragment's first bytes, without the Basic Offset Table; the end at last."""
    at, end = offset, offset + length
    for number in range(_MOST_FRAGMENTS):
        head = source.read(at, 16)
        if at >= end or head[:4] != ITEM:
            yield at, b""
            return
        if number:
            yield at, head[8:]
        at += 8 + int(unpack_from("<L", head, 4)[0])
    raise FrameUndecodable("the pixel data has too many fragments")


def _read_stream(image: StoredImage) -> bytes:
    with _opened(image) as source:
        ends = [start for start, _ in _fragments(source, image.pixels_offset, image.pixels_length)]
        pieces = [_exactly(source, start, end - start) for start, end in pairwise(ends)]
    return b"".join(map(joined, pieces))
