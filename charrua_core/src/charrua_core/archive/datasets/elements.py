"""How one element's header is laid out, and the memory of elements that were read before.

The objects of a series repeat most of their elements byte for byte. What an element becomes depends on its bytes and on
what went before it in its data set: the character set, the private creators and Pixel Representation. A `Context` stands
for the latter and remembers, by an element's first 8 bytes, the last element read that began so. A hit must match all
bytes, and parsing looks at nothing behind an element, so the memory changes only the time a scan takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from struct import Struct
from typing import Any, NamedTuple

from charrua_core.archive.datasets.charsets import DEFAULT, CharacterSet, character_set
from charrua_core.archive.datasets.jsonmodel import private_vr, public_vr

UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
SHORT_VRS = frozenset(_SHORT.encode().split())
_CREATORS_TOLD = 64
"""Private creators of one data set that are heeded; the elements of later ones are UN."""

_LONGEST_ELEMENT = 4096
_LONGEST_RUN = 32768
_MOST_ELEMENTS = 4096

IMPLICIT_VR = "1.2.840.10008.1.2"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
_IMPLICIT = frozenset({IMPLICIT_VR, "1.2.840.113619.5.2"})  # the second is GE's, big endian in its pixels alone


class Layout:
    """Explicit or implicit VR, and the byte order."""

    __slots__ = ("endian", "explicit", "explicit_head", "implicit_head", "item_head", "long_length")

    def __init__(self, explicit: bool, endian: str) -> None:
        self.explicit = explicit
        self.endian = endian
        self.explicit_head = Struct(endian + "HH2sH").unpack_from
        self.implicit_head = Struct(endian + "HHL").unpack_from
        self.long_length = Struct(endian + "L").unpack_from
        self.item_head = partial(Struct(endian + "HHL").pack, 0xFFFE, 0xE000)


IMPLICIT_LITTLE = Layout(False, "<")
EXPLICIT_LITTLE = Layout(True, "<")
EXPLICIT_BIG = Layout(True, ">")


def layout_of(transfer_syntax_uid: str) -> Layout:
    """Give the layout of a data set in this transfer syntax; all that nobody knows are explicit little endian."""
    if transfer_syntax_uid in _IMPLICIT:
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN else EXPLICIT_LITTLE


class Entry(NamedTuple):
    """What bytes became: one element, or several in a row."""

    raw: bytes
    fragment: bytes
    first: int
    last: int
    facts: dict[str, str] | None
    after: Context | None
    elements: int
    parts: tuple[bytes, ...] = ()
    """The fragments of several elements in a row, one by one."""


class Context:
    """What of a data set decides how the next element reads, and the memory of elements read so."""

    __slots__ = ("_after", "_creators", "charset", "elements", "layout", "memo", "runs", "signed")

    def __init__(
        self, memo: Memo, layout: Layout, charset: CharacterSet, signed: bool, creators: dict[int, str] | None = None
    ) -> None:
        self.memo = memo
        self.layout = layout
        self.charset = charset
        self.signed = signed
        self.elements: dict[bytes, Entry] = {}
        self.runs: dict[bytes, Entry] = {}
        self._creators = creators or {}
        self._after: dict[Any, Context] = {}

    def vr_of(self, tag: int) -> str:
        """Give the VR that the dictionaries have for the tag, UN where they know it not."""
        if tag >> 16 & 1 and tag & 0xFFFF > 0xFF:
            creator = self._creators.get(tag >> 8)
            return (private_vr(tag, creator) if creator else None) or "UN"
        return public_vr(tag, self.signed) or "UN"

    def after(self, tag: int, raw: bytes) -> Context | None:
        """Give the context behind an element with this value, None where it stays the same."""
        if tag == 0x00080005:
            charset = character_set(raw) if len(raw) <= 1024 else DEFAULT
            return self._turn((0, charset.terms), charset, self.signed, self._creators)
        if tag == 0x00280103:
            signed = raw[:2] in (b"\1\0", b"\0\1")
            return self._turn((1, signed), self.charset, signed, self._creators)
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF and len(raw) <= 64 and len(self._creators) < _CREATORS_TOLD:
            block = tag >> 16 << 8 | tag & 0xFF
            name = raw.decode("latin_1").strip("\0 ")
            return self._turn((block, name), self.charset, self.signed, {**self._creators, block: name})
        return None

    def inside(self, layout: Layout) -> Context:
        """Give the context in which an item of a sequence begins (PS3.5 7.5.3: the character set is inherited)."""
        return self.memo.context(layout, self.charset, self.signed, nested=True)

    def _turn(self, key: Any, charset: CharacterSet, signed: bool, creators: dict[int, str]) -> Context:
        known = self._after.get(key)
        if known is None:
            known = self._after[key] = self.memo.adopt(Context(self.memo, self.layout, charset, signed, creators))
        return known

    def remember(self, key: bytes, entry: Entry) -> None:
        """Keep what one element became."""
        size = len(entry.raw)
        if size <= _LONGEST_ELEMENT:
            if len(self.elements) >= _MOST_ELEMENTS:
                self.elements.clear()
            self.elements[key] = entry
            self.memo.spend(2 * size + len(entry.fragment) + 200)

    def weld(self, key: bytes, entries: list[Entry]) -> None:
        """Keep what several elements in a row became as one, so that next time they cost one comparison."""
        if len(entries) < 2:
            return
        raw = b"".join([entry.raw for entry in entries])
        if len(raw) > _LONGEST_RUN or len(self.runs) >= _MOST_ELEMENTS:
            return
        facts: dict[str, str] = {}
        parts: list[bytes] = []
        for entry in entries:
            facts.update(entry.facts or {})
            parts += entry.parts or ([entry.fragment] if entry.fragment else [])
        if all(one.last < other.first for one, other in pairwise(entries)):
            first, last = entries[0].first, entries[-1]
            elements = sum([entry.elements for entry in entries])
            joined = b",".join(parts)
            self.runs[key] = Entry(raw, joined, first, last.last, facts or None, last.after, elements, tuple(parts))
            self.memo.spend(2 * len(raw) + len(joined))

    def forget(self) -> None:
        """Drop all that is remembered."""
        self.elements.clear()
        self.runs.clear()
        self._after.clear()


@dataclass
class Memo:
    """The elements that scans have met: one for each association, or one for the process. Any thread may use it."""

    limit_bytes: int = 8 << 20
    _spent: int = 0
    _roots: dict[Any, Context] = field(default_factory=dict)
    _contexts: list[Context] = field(default_factory=list)

    def context(self, layout: Layout, charset: CharacterSet, signed: bool, *, nested: bool = False) -> Context:
        """Give the context in which a data set or an item begins; more is forgiven in an item."""
        key = (layout, charset.terms, signed, nested)
        known = self._roots.get(key)
        if known is None:
            known = self._roots[key] = self.adopt(Context(self, layout, charset, signed))
        return known

    def adopt(self, context: Context) -> Context:
        """Count a new context; beyond the limit everything is forgotten."""
        self.spend(1024)
        self._contexts.append(context)
        return context

    def spend(self, size: int) -> None:
        """Count what an entry takes; beyond the limit everything is forgotten."""
        self._spent += size
        if self._spent > self.limit_bytes:
            self._spent = 0
            contexts, self._contexts, self._roots = self._contexts, [], {}
            for context in contexts:
                context.forget()
