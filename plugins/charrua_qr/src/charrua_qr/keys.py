"""The matching keys of each level, for the conformance statement, from the table by which the search engine finds."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.datadict import dictionary_keyword

from charrua_core.archive.search.columns import COMPUTED, HELD, LEVELS_DOWN, UNIQUE_KEYS, Held, Kind
from charrua_core.types import Level

_MATCHING = {
    Kind.EXACT: "single value, wildcard",
    Kind.FOLDED: "single value, wildcard",
    Kind.NAME: "single value, wildcard, without case and accents",
    Kind.DATE: "single value, range",
    Kind.TIME: "single value, range",
    Kind.LIST: "single value, wildcard",
    Kind.COUNT: "single value",
}


def matching_keys() -> str:
    """Give as Markdown which keys match how, by level."""
    rows = [row for level in LEVELS_DOWN for row in _rows(level)]
    return "\n".join(
        (
            "Levels: PATIENT (Patient Root only), STUDY, SERIES, IMAGE. Keys that the archive keeps, by level:",
            "",
            "| Level | Attribute | Tag | Key | Matching |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            'Each of them also takes universal matching, empty value matching (`""`) and multiple values. Every other',
            "attribute of the level, or of a level above, is an optional key too: matched by its VR, a sequence by one item,",
            "and returned. By SOP Class Extended Negotiation: relational queries and retrievals, and fuzzy matching of names,",
            "where each word of the key begins a word of the name.",
        )
    )


def _rows(level: Level) -> Iterator[str]:
    for tag in sorted({tag for tag, held in HELD.items() if held.level is level} | _computed(level)):
        held = HELD.get(tag)
        key = "unique" if UNIQUE_KEYS[level] == tag else "optional"
        yield f"| {level} | {dictionary_keyword(int(tag, 16))} | ({tag[:4]},{tag[4:]}) | {key} | {_how(held)} |"


def _how(held: Held | None) -> str:
    if held is None:
        return "single value"
    return "single value, list of UID" if held.vr == "UI" else _MATCHING[held.kind]


def _computed(level: Level) -> set[str]:
    return {tag for tag, (_, of) in COMPUTED.items() if of is level}
