"""The content tree of structured reports and key object selections (PS3.3 C.17.3), read from an object's header.

    report tree = item(CONTAINER, concept "Imaging Measurements")
                    item(NUM, "Diameter" = 10 mm)
                      item(CODE, HAS CONCEPT MOD "Method" = "manual")

Items keep their order and positions. One that refers to another by its position holds that position and never the other
item itself: a tree has no cycles, whatever the object says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from charrua_core.errors import DocumentTooLarge
from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.attributes import Code
from charrua_core.imaging.documents.reading import VALUE_READERS, template
from charrua_core.imaging.documents.stored import StoredFile, bulk_floats, bulk_text
from charrua_core.imaging.documents.values import ByReference, Container, Text, Value, dotted
from charrua_core.types import DicomJson

CONTAINS = "CONTAINS"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
HAS_PROPERTIES = "HAS PROPERTIES"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"

VALUE_TYPE = "0040A040"
RELATIONSHIP_TYPE = "0040A010"
CONCEPT_NAME = "0040A043"
CONTENT_SEQUENCE = "0040A730"
REFERENCED_CONTENT_ITEM = "0040DB73"
TEXT_VALUE = "0040A160"
GRAPHIC_DATA = "00700022"
SPECIFIC_CHARACTER_SET = "00080005"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one content tree may cost; past one of them DocumentTooLarge is raised."""

    depth: int = 48
    items: int = 50_000
    text_bytes: int = 4 << 20
    """Longest single text or drawing."""


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One item of the tree, and those below it."""

    position: tuple[int, ...]
    """Counted from 1: (1,) is the document's root, (1, 2) its second item."""
    relationship: str
    """To the item above, in the words of PS3.3 C.17.3.2.4; empty for the root."""
    value_type: str
    """As the object says it; empty for an item by reference."""
    concept: Code | None
    value: Value | None
    """None where the object has no value, or one of a type that PS3.3 C.17.3.2.1 does not have."""
    children: tuple[ContentItem, ...] = field(default=(), repr=False)
    observed_at: str = ""
    """Observation DateTime as people read it."""
    observation_uid: str = ""

    @property
    def name(self) -> str:
        """What the item is called, empty where it has no concept name."""
        return self.concept.text if self.concept else ""

    @property
    def text(self) -> str:
        """The value as people read it."""
        return self.value.text if self.value else ""

    def walk(self) -> Iterator[ContentItem]:
        """This item and all below it, in the order of the document."""
        yield self
        for child in self.children:
            yield from child.walk()

    def related(self, *relationships: str) -> tuple[ContentItem, ...]:
        """The items right below that have one of the relationships."""
        return tuple(child for child in self.children if child.relationship in relationships)

    def at(self, position: tuple[int, ...]) -> ContentItem | None:
        """The item at a position of the tree of which this is the root, None where there is none."""
        found = self
        if position[:1] != (1,):
            return None
        for number in position[1:]:
            if not 1 <= number <= len(found.children):
                return None
            found = found.children[number - 1]
        return found

    def plain(self) -> dict[str, Any]:
        """The item as JSON: see docs/documents.md."""
        told: dict[str, Any] = {"position": dotted(self.position)}
        told |= {"relationship": self.relationship} if self.relationship else {}
        told |= {"type": self.value_type} if self.value_type else {}
        told |= {"name": self.name, "code": self.concept.plain()} if self.concept else {}
        told |= self.value.plain() if self.value else {}
        told |= {"text": self.text} if self.text else {}
        told |= {"observed_at": self.observed_at} if self.observed_at else {}
        told |= {"observation_uid": self.observation_uid} if self.observation_uid else {}
        return told | ({"items": [child.plain() for child in self.children]} if self.children else {})


def read_content(header: DicomJson, stored: StoredFile | None = None, limits: Limits | None = None) -> ContentItem:
    """The root of a document's content tree; blocks where a text is so long that it lies in the file.

    Raises DocumentTooLarge past the limits, DocumentUnreadable where such a text cannot be had.
    """
    return _Reader(stored, limits or Limits()).item(header, (1,), [])


class _Reader:
    """One pass over one tree, within its limits."""

    def __init__(self, stored: StoredFile | None, limits: Limits) -> None:
        self._stored = stored
        self._limits = limits
        self._items = 0

    def item(self, found: DicomJson, position: tuple[int, ...], character_sets: list[Any]) -> ContentItem:
        self._items += 1
        if self._items > self._limits.items:
            raise DocumentTooLarge(f"the document has more than {self._limits.items} content items")
        if len(position) > self._limits.depth:
            raise DocumentTooLarge(f"the document is nested more than {self._limits.depth} deep")
        character_sets = a.values(found, SPECIFIC_CHARACTER_SET) or character_sets
        value_type = a.text(found, VALUE_TYPE).upper()
        children = enumerate(a.items(found, CONTENT_SEQUENCE), 1)
        return ContentItem(
            position,
            a.text(found, RELATIONSHIP_TYPE).upper() if len(position) > 1 else "",
            value_type,
            a.code(found, CONCEPT_NAME),
            self._value(found, value_type, character_sets),
            tuple(self.item(child, (*position, number), character_sets) for number, child in children),
            a.moment(a.text(found, "0040A032")),
            a.text(found, "0040A171"),
        )

    def _value(self, found: DicomJson, value_type: str, character_sets: list[Any]) -> Value | None:
        target = a.numbers(found, REFERENCED_CONTENT_ITEM)
        if target:
            return ByReference(tuple(int(number) for number in target))
        if value_type == "CONTAINER":
            return Container(a.text(found, "0040A050").upper() == "CONTINUOUS", template(found))
        long_text = found.get(TEXT_VALUE, {})
        if value_type == "TEXT" and "BulkDataURI" in long_text:
            return Text(a.clean(bulk_text(long_text, self._stored, character_sets, self._limits.text_bytes)))
        drawing = found.get(GRAPHIC_DATA, {})
        if "BulkDataURI" in drawing and self._stored:
            points = bulk_floats(drawing, self._stored, self._limits.text_bytes)
            found = {**found, GRAPHIC_DATA: {"vr": "FL", "Value": points}}
        reader = VALUE_READERS.get(value_type)
        return reader(found) if reader else None
