"""Where a frame lies in a file, so that whoever decodes it reads it, too. Imports nothing that a worker does not need."""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

from charrua_core.errors import FrameUndecodable, StorageFailed
from charrua_core.imaging.pixels import MOST_FRAME_BYTES
from charrua_core.types import FileRange

ITEM = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True, slots=True)
class FramePlace:
    """A range of a file with one frame in it."""

    range: FileRange
    in_items: bool = False
    """Fragments, each behind the head of its item (PS3.5 A.4)."""
    skipped_bits: int = 0
    """Of the first byte, before a packed frame begins."""
    bits: int = 0
    """Bits of a packed frame that does not fill its last byte or begins within one; else 0."""

    def read(self) -> bytes:
        """Give the frame as it is stored, heads of items and skipped bits gone. Blocks.

        Raises FrameUndecodable where the file ends before it or its items do not hold together, StorageFailed.
        """
        try:
            with open(self.range.path, "rb", buffering=0) as file:
                file.seek(self.range.offset)
                data = file.read(checked(self.range.length))
        except OSError as error:
            raise StorageFailed("the object's file cannot be read") from error
        return self.of(data)

    def of(self, data: bytes) -> bytes:
        """Give the frame of the range's bytes, read by other means."""
        if len(data) < self.range.length:
            raise FrameUndecodable("the pixel data ends before the frame does")
        if self.in_items:
            return joined(data)
        return _on_a_byte(data, self.skipped_bits, self.bits) if self.bits else data


def checked(length: int) -> int:
    """Give the length; FrameUndecodable where nobody should read so much."""
    if not 0 <= length <= MOST_FRAME_BYTES:
        raise FrameUndecodable("a frame, or another value of the object, is longer than any that is shown")
    return length


def joined(items: bytes) -> bytes:
    """Give the fragments of these items without the items' heads. Raises FrameUndecodable."""
    if len(items) >= 8 and items[:4] == ITEM and unpack_from("<L", items, 4)[0] == len(items) - 8:
        return items[8:]
    view, fragments, at = memoryview(items), [], 0
    while at < len(items):
        if items[at : at + 4] != ITEM or len(items) < at + 8:
            raise FrameUndecodable("something stands between the fragments of a frame")
        (length,) = unpack_from("<L", items, at + 4)
        fragments.append(view[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(fragments)


def _on_a_byte(data: bytes, bit: int, bits: int) -> bytes:
    """The frame's bits from bit 0 of the first byte on; packed bits count from the least significant (PS3.5 8.1.1)."""
    number = int.from_bytes(data, "little") >> bit & (1 << bits) - 1
    return number.to_bytes(-(-bits // 8), "little")
