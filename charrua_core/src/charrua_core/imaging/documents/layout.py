"""From a report to its page: every content item is told once, in the order of the document.

Of many references that are alike, the page tells how many they are and names the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from charrua_core.imaging.documents import content as c
from charrua_core.imaging.documents.compared import compared
from charrua_core.imaging.documents.content import ContentItem
from charrua_core.imaging.documents.page import Block, Fact, Facts, Grid, Heading, Page, Prose
from charrua_core.imaging.documents.report import Report
from charrua_core.imaging.documents.sopclasses import class_name
from charrua_core.imaging.documents.values import ByReference, Container, Moment, Reference, Table, Text, dotted

_LONG_TEXT = 90  # characters: more read better as a paragraph than beside their name
_MOST_LINES = 24  # of UIDs below one fact of a report: whoever wants all has the JSON
_MOST_KEY_OBJECTS = 2000  # a selection is nothing but its UIDs
_SPACE_BEFORE_STOP = re.compile(r" (?=[.,;:!?)])")
_UNNAMED = {
    "IMAGE": "Image",
    "COMPOSITE": "Object",
    "WAVEFORM": "Waveform",
    "SCOORD": "Region",
    "SCOORD3D": "Region in space",
    "TCOORD": "Stretch of time",
    "TABLE": "Table",
}
_RELATIONS = {
    c.INFERRED_FROM: "inferred from",
    c.SELECTED_FROM: "selected from",
    c.HAS_PROPERTIES: "with",
}


def report_page(report: Report) -> Page:
    """The page of a structured report or key object selection."""
    layout = _Layout(report.root, _MOST_KEY_OBJECTS if report.is_key_object_selection else _MOST_LINES)
    return Page(
        title=report.title,
        subject=tuple(report.subject.rows()),
        state=tuple(_state(report)),
        warning=_warning(report),
        blocks=tuple(layout.document()),
        language=report.language,
        foot=f"{class_name(report.sop_class_uid)} {report.sop_instance_uid}",
    )


def _state(report: Report) -> Iterator[tuple[str, str]]:
    told = [
        ("Reported", report.content_at),
        (
            "State",
            ", ".join(word.lower() for word in (report.completion, report.verification, report.preliminary) if word),
        ),
        ("Remark", report.completion_description),
        ("Author", "; ".join(report.authors)),
    ]
    yield from ((label, text) for label, text in told if text)
    for one in report.verifications:
        yield "Verified by", ", ".join(part for part in (one.name, one.organization, one.at) if part)
    if report.predecessors:
        yield "Replaces", ", ".join(one.sop_instance_uid for one in report.predecessors)


def _warning(report: Report) -> str:
    """What a reader must know before anything else."""
    words = [
        *(["preliminary"] if report.preliminary == "PRELIMINARY" else []),
        *(["partial"] if report.completion == "PARTIAL" else []),
        *(["not verified"] if report.verification == "UNVERIFIED" else []),
    ]
    return f"This report is {', '.join(words)}." if words else ""


class _Layout:
    """One document on its way to blocks."""

    def __init__(self, root: ContentItem, most_lines: int) -> None:
        self._root = root
        self._most_lines = most_lines
        referring = [item.value.position for item in root.walk() if isinstance(item.value, ByReference)]
        self._targets = {self._shown(position) for position in referring}

    def document(self) -> list[Block]:
        blocks = list(self._document())
        anchors = {anchor for block in blocks for anchor in _anchors(block)}
        return [_without_dead_links(block, anchors) for block in blocks]

    def _document(self) -> Iterator[Block]:
        if isinstance(self._root.value, Container):
            yield from self._inside(self._root, 1)
        else:
            yield from self._leaves([self._root])

    def _inside(self, container: ContentItem, level: int) -> Iterator[Block]:
        """A container's items: first who observed and how, then what it holds; neighbours of a kind together."""
        context = container.related(c.HAS_OBS_CONTEXT, c.HAS_ACQ_CONTEXT)
        modifiers = [item for item in container.related(c.HAS_CONCEPT_MOD) if level == 1 or not _is_note(item)]
        about = sorted((*context, *modifiers), key=lambda item: item.position)
        if about:
            yield Facts(tuple(self._facts(about)), muted=True)
        told = {item.position for item in about}
        rest = [
            item for item in container.children if item.position not in told and (level == 1 or not _is_modifier(item))
        ]
        if isinstance(container.value, Container) and container.value.continuous and _reads_as_a_sentence(rest):
            yield self._sentence(rest)
            return
        for is_container, run in groupby(rest, key=lambda item: isinstance(item.value, Container)):
            items = list(run)
            yield from self._containers(items, level) if is_container else self._leaves(items)

    def _containers(self, items: list[ContentItem], level: int) -> Iterator[Block]:
        for _, run in groupby(items, key=lambda item: item.name):
            alike = list(run)
            grid = compared(alike, self._anchor)
            if grid:
                yield Heading(level, alike[0].name, (), "")
                yield grid
                continue
            for item in alike:
                heading = Heading(level, item.name, self._notes(item), self._anchor(item))
                if heading.text or heading.notes or heading.anchor:
                    yield heading
                yield from self._inside(item, level + 1)

    def _leaves(self, items: Sequence[ContentItem]) -> Iterator[Block]:
        """Neighbours that are no containers: long texts and tables stand alone, all else as facts."""
        facts: list[Fact] = []
        for item in items:
            alone = self._alone(item)
            if alone is None:
                facts.extend(self._facts([item]))
                continue
            if facts:
                yield Facts(_with_references_joined(facts, self._most_lines))
            yield alone
            facts = list(self._below(item, 1))
        if facts:
            yield Facts(_with_references_joined(facts, self._most_lines))

    def _alone(self, item: ContentItem) -> Block | None:
        if isinstance(item.value, Table):
            rows = zip(item.value.rows, item.value.cells, strict=True)
            cells = tuple((title, *cells) for title, cells in rows)
            return Grid(("", *item.value.columns), cells, item.name)
        if isinstance(item.value, Text) and (len(item.text) > _LONG_TEXT or "\n" in item.text):
            return Prose(_name(item), item.text, self._notes(item), self._anchor(item))
        return None

    def _sentence(self, items: list[ContentItem]) -> Prose:
        """Items of a container that reads as running text (Continuity of Content is CONTINUOUS)."""
        parts = [" ".join([item.text, *(f"({note})" for note in self._notes(item))]) for item in items]
        return Prose("", _SPACE_BEFORE_STOP.sub("", " ".join(part.strip() for part in parts)))

    def _facts(self, items: Sequence[ContentItem], depth: int = 0) -> Iterator[Fact]:
        for item in items:
            yield self._fact(item, depth)
            yield from self._below(item, depth + 1)

    def _below(self, item: ContentItem, depth: int) -> Iterator[Fact]:
        yield from self._facts([child for child in item.children if not _is_note(child)], depth)

    def _fact(self, item: ContentItem, depth: int) -> Fact:
        relation = _RELATIONS.get(item.relationship, "") if depth else ""
        name, text, target = f"{relation} {_name(item)}".strip(), item.text, ""
        if isinstance(item.value, ByReference):
            name = relation or "refers to"
            text, target = self._referred(item.value)
        elif item.value_type == "UIDREF":
            return Fact(name, "", depth, self._notes(item), (text or "(no value)",), self._anchor(item))
        return Fact(name, text or "(no value)", depth, self._notes(item), _small(item), self._anchor(item), target)

    def _referred(self, value: ByReference) -> tuple[str, str]:
        found = self._root.at(value.position)
        if found is None:
            return f"content item {dotted(value.position)}, which this document does not have", ""
        told = ": ".join(part for part in (_name(found), found.text) if part)
        return f"see {told}", self._anchor(found)

    def _notes(self, item: ContentItem) -> tuple[str, ...]:
        """What modifies the item, and when it was observed."""
        notes = [_note(child) for child in item.children if _is_note(child)]
        when = item.observed_at if not isinstance(item.value, Moment) else ""
        return (*notes, *([f"observed {when}"] if when else []))

    def _anchor(self, item: ContentItem) -> str:
        position = self._shown(item.position)
        return f"item-{dotted(position)}" if position in self._targets else ""

    def _shown(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Where on the page the item is: a note stands behind what it modifies."""
        while (found := self._root.at(position)) and _is_note(found):
            position = position[:-1]
        return position


def _anchors(block: Block) -> Iterator[str]:
    match block:
        case Facts():
            yield from (fact.anchor for fact in block.facts)
        case Grid():
            yield from block.anchors
        case Heading() | Prose():
            yield block.anchor


def _without_dead_links(block: Block, anchors: set[str]) -> Block:
    """Of what stands in a sentence or is the document itself, the page has no anchor."""
    if not isinstance(block, Facts):
        return block
    facts = [fact if fact.target in anchors else replace(fact, target="") for fact in block.facts]
    return replace(block, facts=tuple(facts))


def _is_modifier(item: ContentItem) -> bool:
    return item.relationship == c.HAS_CONCEPT_MOD


def _is_note(item: ContentItem) -> bool:
    """Whether the item fits behind the value that it modifies."""
    if not _is_modifier(item) or isinstance(item.value, ByReference | Container | Table):
        return False
    return len(item.text) <= _LONG_TEXT and all(_is_note(child) for child in item.children)


def _note(item: ContentItem) -> str:
    told = f"{_name(item)}: {item.text or '(no value)'}"
    return f"{told} ({'; '.join(_note(child) for child in item.children)})" if item.children else told


def _name(item: ContentItem) -> str:
    kind = _UNNAMED.get(item.value_type, "")
    return item.name or kind or item.value_type.capitalize()


def _small(item: ContentItem) -> tuple[str, ...]:
    if not isinstance(item.value, Reference):
        return ()
    state = item.value.presentation_state_uid
    return (item.value.sop_instance_uid, *([f"shown by presentation state {state}"] if state else []))


def _reads_as_a_sentence(items: Sequence[ContentItem]) -> bool:
    """Whether texts, and values among them, are all that there is."""
    if any(isinstance(item.value, Container | Reference | Table) for item in items):
        return False
    plain = all(_is_note(child) for item in items for child in item.children)
    texts = sum(isinstance(item.value, Text) and item.relationship == c.CONTAINS for item in items)
    return plain and texts * 2 >= len(items) > 0


def _with_references_joined(facts: list[Fact], most_lines: int) -> tuple[Fact, ...]:
    """One fact for neighbours that are alike but for the object they name: 28 images are one line and 28 UIDs."""
    joined: list[Fact] = []
    for _, run in groupby(enumerate(facts), key=lambda pair: _likeness(facts, pair[0])):
        alike = [fact for _, fact in run]
        if len(alike) == 1:
            joined.append(alike[0])
            continue
        first = alike[0]
        lines = [line for fact in alike for line in fact.small]
        small = lines if len(lines) <= most_lines else [*lines[:most_lines], f"… and {len(lines) - most_lines} more"]
        joined.append(Fact(first.name, f"{len(alike)} × {first.text}", first.depth, first.notes, tuple(small)))
    return tuple(joined)


def _likeness(facts: list[Fact], index: int) -> object:
    """Equal for references that one line can tell; nothing else equals it."""
    fact = facts[index]
    deeper = index + 1 < len(facts) and facts[index + 1].depth > fact.depth
    if not fact.small or not fact.text or fact.anchor or deeper:
        return index
    return fact.name, fact.text, fact.depth, fact.notes
