"""The blocks of private elements: which creator has which, and where an element goes whose block nobody told (PS3.5 7.8.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from charrua_core.errors import MetadataInvalid
from charrua_core.types import DicomJson

_BLOCKS = [f"{block:02X}" for block in range(0x10, 0x100)]


def _is_private(tag: str) -> bool:
    return tag[3] in "13579BDF"


def _is_creator(tag: str) -> bool:
    return _is_private(tag) and tag[4:6] == "00" and tag[6:] >= _BLOCKS[0]


def _name(element: Mapping[str, Any]) -> str:
    values = element.get("Value") or [None]
    return values[0].strip() if len(values) == 1 and isinstance(values[0], str) else ""


def creators(dataset: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Give group and block (6 hex digits) → Private Creator, without creators that have two blocks of a group."""
    found = {tag[:4] + tag[6:]: _name(element) for tag, element in dataset.items() if _is_creator(tag)}
    times = Counter((block[:4], name) for block, name in found.items())
    return {block: name for block, name in found.items() if name and times[block[:4], name] == 1}


class Blocks:
    """A data set to be, whose private elements may come without their blocks."""

    def __init__(self) -> None:
        self.dataset: DicomJson = {}
        self._blocks: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()

    def take(self, tag: str, element: dict[str, Any]) -> None:
        """Take an element as it is. Raises MetadataInvalid for a second one of its tag."""
        if tag in self.dataset:
            raise MetadataInvalid(f"{tag} stands twice in a data set")
        self.dataset[tag] = element
        if _is_creator(tag):
            self._used.add(tag[:4] + tag[6:])
            self._blocks.setdefault((tag[:4], _name(element)), tag[6:])
        elif _is_private(tag):
            self._used.add(tag[:6])

    def place(self, tag: str, creator: str, element: dict[str, Any]) -> None:
        """Take an element of this creator: `tag` as gggg00ee, or with its block.

        Raises MetadataInvalid when the tag is not private, or no block is free for it.
        """
        name, group = creator.strip(), tag[:4]
        if not _is_private(tag) or not name:
            raise MetadataInvalid(f"{tag} has a private creator, and is not private or the creator has no name")
        block = self._blocks.get((group, name))
        if block is None or tag[4:6] not in ("00", block):
            block = self._reserved(group, name, [tag[4:6]] if tag[4:6] != "00" else _BLOCKS)
        self.take(group + block + tag[6:], element)

    def _reserved(self, group: str, name: str, blocks: Sequence[str]) -> str:
        block = next((one for one in blocks if one >= _BLOCKS[0] and group + one not in self._used), None)
        if block is None:
            raise MetadataInvalid(f"no block of group {group} is free for a private creator")
        self.take(f"{group}00{block}", {"vr": "LO", "Value": [name]})
        return block
