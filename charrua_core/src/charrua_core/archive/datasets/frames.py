"""Where each frame of encapsulated pixel data begins (PS3.5 A.4), from the tables or from the fragments."""

from __future__ import annotations

from array import array
from itertools import pairwise
from struct import iter_unpack, pack


def offsets(items: array[int], end: int, number_of_frames: int, tables: tuple[bytes, bytes]) -> bytes | None:
    """Give little endian 64-bit offsets of each frame's first item and of what follows the last frame.

    `items` are the offsets of the fragments' items without the Basic Offset Table's, `end` that of the delimiter. The
    `tables` are the values of the Extended and the Basic Offset Table, empty where there is none. None when the fragments
    cannot be told apart by frame without decoding them.
    """
    starts = _from_table(items, tables[0], "<Q") or _from_table(items, tables[1], "<L")
    if not starts or len(starts) != number_of_frames:
        starts = _from_fragments(items, number_of_frames)
    return pack(f"<{len(starts) + 1}Q", *starts, end) if starts else None


def _from_table(items: array[int], table: bytes, form: str) -> list[int] | None:
    """A table is believed only where each of its offsets is that of a fragment, in order."""
    if not table or len(table) % (8 if form == "<Q" else 4) or not items:
        return None
    starts = [items[0] + offset for (offset,) in iter_unpack(form, table)]
    known = set(items)
    believed = starts[0] == items[0] and all(one < other for one, other in pairwise(starts))
    return starts if believed and known.issuperset(starts) else None


def _from_fragments(items: array[int], number_of_frames: int) -> list[int] | None:
    if number_of_frames == len(items):
        return items.tolist()
    return items[:1].tolist() if number_of_frames == 1 else None
