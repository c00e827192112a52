"""Which object a data set is, told by its first bytes: for who receives it without a command that says so."""

from __future__ import annotations

import zlib
from contextlib import suppress

from charrua_core.archive.datasets.elements import DEFLATED, LONG_VRS, UNDEFINED, Layout, layout_of
from charrua_core.archive.datasets.skim import end_of_sequence
from charrua_core.archive.datasets.source import BudgetSpent, BufferSource, Clock
from charrua_core.archive.datasets.walk_state import Budgets
from charrua_core.errors import HeaderDamaged

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_MOST_INFLATED = 1 << 16
_SECONDS = 0.2


def sop_uids(head: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    """Give SOP Class and SOP Instance UID of the data set that begins so; empty where these bytes do not tell them.

    Nothing is checked: whether the UIDs are valid, and whether the rest holds together, is found by who scans the whole.
    """
    if transfer_syntax_uid in DEFLATED:
        head = _inflated(head)
    found: dict[int, str] = {}
    with suppress(HeaderDamaged, BudgetSpent):  # what was found before counts
        _walk(head, layout_of(transfer_syntax_uid), found)
    return found.get(_SOP_CLASS, ""), found.get(_SOP_INSTANCE, "")


def _inflated(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, _MOST_INFLATED)
    except zlib.error:
        return b""


def _walk(head: bytes, layout: Layout, found: dict[int, str]) -> None:
    position = 0
    while position + 12 <= len(head):
        tag, length, value = _element(head, position, layout)
        if tag > _SOP_INSTANCE:
            return
        if length == UNDEFINED:
            source, clock = BufferSource(head), Clock(_SECONDS)
            position = end_of_sequence(source, value, layout, clock, Budgets().depth)
            continue
        position = value + length
        if tag in (_SOP_CLASS, _SOP_INSTANCE) and position <= len(head):
            found[tag] = head[value:position].rstrip(b"\0 ").decode("ascii", "replace")


def _element(head: bytes, position: int, layout: Layout) -> tuple[int, int, int]:
    """Tag, length and where the value begins."""
    group, number, length = layout.implicit_head(head, position)
    tag, value = group << 16 | number, position + 8
    if layout.explicit:
        vr = head[position + 4 : position + 6]
        if vr in LONG_VRS:
            return tag, layout.long_length(head, position + 8)[0], position + 12
        length = layout.explicit_head(head, position)[3]
    return tag, length, value
