"""One frame of a stored object, by one ranged read of its file (PS3.5 8.1 and A.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from struct import unpack_from
from typing import TYPE_CHECKING, Protocol

from charrua_core.archive.elements import DEFLATED
from charrua_core.archive.source import BudgetSpent, Clock, FileSource, InflatedSource
from charrua_core.errors import FrameNotFound, FrameUndecodable, HeaderDamaged, StorageFailed
from charrua_core.imaging.pixels import MOST_FRAME_BYTES, native_frame
from charrua_core.imaging.stored import StoredImage, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FRAGMENTS = 1 << 20
_INFLATING_S = 20.0
"""Processor time that is given to reach a frame, or another value, of a deflated data set."""
_ITEM = b"\xfe\xff\x00\xe0"
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
    return await asyncio.to_thread(_read_frames, image, numbers)


async def read_stream(image: StoredImage) -> bytes:
    """Give all fragments of encapsulated pixel data joined: a video, which is not kept by frame (PS3.5 8.2.5)."""
    return await asyncio.to_thread(_read_stream, image)


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
    if length > MOST_FRAME_BYTES:
        raise FrameUndecodable("a frame, or another value of the object, is longer than any that is shown")
    data = source.read(offset, length)
    if len(data) < length:
        raise FrameUndecodable("the pixel data ends before the frame does")
    return data


def _read_frames(image: StoredImage, numbers: Sequence[int]) -> list[bytes]:
    for number in numbers:
        if not 1 <= number <= image.number_of_frames:
            raise FrameNotFound(f"the object has {image.number_of_frames} frames, and none of number {number}")
    with _opened(image) as source:
        if image.native:
            read = partial(_native, source, image)
        else:
            read = partial(_encapsulated, source, _frame_offsets(image, source))
        ordered = {number: read(number) for number in sorted(set(numbers))}
    return [ordered[number] for number in numbers]


# -- native frames ---------------------------------------------------------------------------------------------------


def _native(source: _Source, image: StoredImage, number: int) -> bytes:
    place = native_frame(image.pixel_format, number - 1)
    if place.offset + place.length > image.pixels_length:
        raise FrameUndecodable(f"the pixel data ends before frame {number} does")
    data = _exactly(source, image.pixels_offset + place.offset, place.length)
    bits = image.pixel_format.native_bits
    return _on_a_byte(data, place.skipped_bits, bits) if bits % 8 or place.skipped_bits else data


def _on_a_byte(data: bytes, bit: int, bits: int) -> bytes:
    """The frame's bits from bit 0 of the first byte on; packed bits count from the least significant (PS3.5 8.1.1)."""
    number = int.from_bytes(data, "little") >> bit & (1 << bits) - 1
    return number.to_bytes(-(-bits // 8), "little")


# -- encapsulated frames ---------------------------------------------------------------------------------------------


def _encapsulated(source: _Source, starts: bytes, number: int) -> bytes:
    if len(starts) < (number + 1) * 8:
        raise FrameNotFound(f"the object has {len(starts) // 8 - 1} frames, and none of number {number}")
    start, end = unpack_from("<2Q", starts, (number - 1) * 8)
    return joined(_exactly(source, start, end - start))


def joined(items: bytes) -> bytes:
    """Give the fragments of these items without the items' heads. Raises FrameUndecodable."""
    if len(items) >= 8 and items[:4] == _ITEM and unpack_from("<L", items, 4)[0] == len(items) - 8:
        return items[8:]
    view, fragments, at = memoryview(items), [], 0
    while at < len(items):
        if items[at : at + 4] != _ITEM or len(items) < at + 8:
            raise FrameUndecodable("something stands between the fragments of a frame")
        (length,) = unpack_from("<L", items, at + 4)
        fragments.append(view[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(fragments)


def _frame_offsets(image: StoredImage, source: _Source) -> bytes:
    """The table of the index, else one made by looking at how fragments begin."""
    if image.frame_offsets is not None:
        return image.frame_offsets
    fragments = list(_fragments(source, image))
    starts = [start for start, head in fragments[:-1] if head.startswith(_BEGINNINGS)]
    if len(starts) != image.number_of_frames or starts[0] != fragments[0][0]:
        raise FrameUndecodable("the fragments of the pixel data cannot be told apart by frame")
    return b"".join(offset.to_bytes(8, "little") for offset in [*starts, fragments[-1][0]])


def _fragments(source: _Source, image: StoredImage) -> Iterator[tuple[int, bytes]]:
    """Where each fragment's item begins and the fragment's first bytes, without the Basic Offset Table; the end at last."""
    at, end = image.pixels_offset, image.pixels_offset + image.pixels_length
    for number in range(_MOST_FRAGMENTS):
        head = source.read(at, 16)
        if at >= end or head[:4] != _ITEM:
            yield at, b""
            return
        if number:
            yield at, head[8:]
        at += 8 + int(unpack_from("<L", head, 4)[0])
    raise FrameUndecodable("the pixel data has too many fragments")


def _read_stream(image: StoredImage) -> bytes:
    with _opened(image) as source:
        ends = [start for start, _ in _fragments(source, image)]
        pieces = [_exactly(source, start, end - start) for start, end in pairwise(ends)]
    return b"".join(map(joined, pieces))
