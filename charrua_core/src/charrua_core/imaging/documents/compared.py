"""Measurement groups that are alike, side by side in one table: a row for each, a column for each thing measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from charrua_core.imaging.documents import content as c
from charrua_core.imaging.documents.content import ContentItem
from charrua_core.imaging.documents.page import Grid
from charrua_core.imaging.documents.values import Measured, Text

_MOST_COLUMNS = 6
_LONGEST_CELL = 60  # characters
_TRACKING_IDENTIFIER = "112039"  # DCM (PS3.16 TID 1501)


def compared(groups: Sequence[ContentItem], anchor: Callable[[ContentItem], str]) -> Grid | None:
    """The groups as a table, None where they are too few, too wide or of too many kinds to be compared."""
    if len(groups) < 3 or not groups[0].name or not all(_fits(group, anchor) for group in groups):
        return None
    names = list(dict.fromkeys(item.name for group in groups for item in group.children if not _is_title(item)))
    shared = [name for name in names if sum(_has(group, name) for group in groups) * 2 >= len(groups)]
    if not 1 <= len(names) <= _MOST_COLUMNS or len(shared) * 2 < len(names):
        return None
    rows = tuple(
        (_title(group, number), *(_cell(group, name) for name in names)) for number, group in enumerate(groups, 1)
    )
    return Grid((groups[0].name, *names), rows, anchors=tuple(anchor(group) for group in groups))


def _fits(group: ContentItem, anchor: Callable[[ContentItem], str]) -> bool:
    """Whether the group is values with short names and notes, each name once, one measurement at least."""
    names = [item.name for item in group.children]
    plain = all(
        isinstance(item.value, Measured | Text)
        or (
            item.relationship in {c.HAS_CONCEPT_MOD, c.CONTAINS, c.HAS_OBS_CONTEXT}
            and item.value_type in {"CODE", "DATE", "TIME", "DATETIME", "PNAME"}
        )
        for item in group.children
    )
    short = all(
        item.name
        and not item.children
        and not item.observed_at
        and len(item.text) <= _LONGEST_CELL
        and not anchor(item)
        for item in group.children
    )
    measured = any(isinstance(item.value, Measured) for item in group.children)
    return plain and short and measured and len(set(names)) == len(names)


def _is_title(item: ContentItem) -> bool:
    return item.concept is not None and item.concept.value == _TRACKING_IDENTIFIER


def _title(group: ContentItem, number: int) -> str:
    return next((item.text for item in group.children if _is_title(item) and item.text), str(number))


def _has(group: ContentItem, name: str) -> bool:
    return any(item.name == name for item in group.children)


def _cell(group: ContentItem, name: str) -> str:
    return next((item.text for item in group.children if item.name == name), "")
