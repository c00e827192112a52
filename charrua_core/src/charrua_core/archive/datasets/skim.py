"""Where a sequence of undefined length ends, found by heads alone: for one whose elements are past a budget."""

from __future__ import annotations

from charrua_core.archive.datasets.elements import IMPLICIT_LITTLE, LONG_VRS, SHORT_VRS, UNDEFINED, Layout
from charrua_core.archive.datasets.source import BudgetSpent, Clock, Source
from charrua_core.archive.datasets.walk_state import ITEM, ITEM_END, SEQUENCE_END, damage
from charrua_core.errors import HeaderDamaged

_WINDOW = 1 << 16


def end_of_sequence(source: Source, position: int, layout: Layout, clock: Clock, depth: int) -> int:
    """Give the position behind the delimiter of the sequence whose items begin at `position`.

    Raises HeaderDamaged when the items do not hold together, BudgetSpent past the depth or the time.
    """
    open_now: list[tuple[bool, Layout]] = [(False, layout)]  # whether it is an item, and the layout of what is in it
    buffer, base = b"", position
    while open_now:
        clock.check()
        if position - base + 12 > len(buffer):
            buffer, base = source.read(position, _WINDOW), position
        in_item, layout = open_now[-1]
        tag, length, value = _head(buffer, position - base, layout)
        position += value
        if in_item and tag >> 16 != 0xFFFE:
            if length == UNDEFINED:
                nested = IMPLICIT_LITTLE if buffer[position - base - 8 : position - base - 6] == b"UN" else layout
                open_now.append((False, nested))
            else:
                position += length
        elif not in_item and tag == ITEM:
            if length == UNDEFINED:
                open_now.append((True, layout))
            else:
                position += length
        elif tag == (ITEM_END if in_item else SEQUENCE_END):
            open_now.pop()
        else:
            raise damage("no item or element where one should be in a sequence", tag, position)
        if len(open_now) > 2 * depth:
            raise BudgetSpent
    return position


def _head(buffer: bytes, at: int, layout: Layout) -> tuple[int, int, int]:
    """Tag, length and how many bytes the head has."""
    if len(buffer) - at < 8:
        raise HeaderDamaged("the data set ends within a sequence")
    group, number, length = layout.implicit_head(buffer, at)
    tag = group << 16 | number
    vr = buffer[at + 4 : at + 6]
    if not layout.explicit or group == 0xFFFE or not (vr.isalpha() and vr.isupper()):
        return tag, length, 8
    short = layout.explicit_head(buffer, at)[3]
    if vr in SHORT_VRS or (short and vr not in LONG_VRS):
        return tag, short, 8
    if len(buffer) - at < 12:
        raise HeaderDamaged("the data set ends within a sequence")
    return tag, layout.long_length(buffer, at + 8)[0], 12
