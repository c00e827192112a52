"""An identifier of C-FIND, C-MOVE or C-GET as a query (PS3.4 C.4.1.1.3, C.4.2.1.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from charrua_core.archive.search.matching import MOMENT_VRS, written_name
from charrua_core.archive.search.model import AnyItem, Between, Match, NoValue, OneOf, Query, Root
from charrua_core.errors import QueryInvalid
from charrua_core.types import DicomJson, Level

QUERY_LEVEL = "00080052"
_NO_KEYS = frozenset({QUERY_LEVEL, "00080005", "00080053", "00080201"})
"""Level, Specific Character Set, Query/Retrieve View, Timezone Offset From UTC: they say how to read the query."""
_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_EMPTY = '""'
_DATETIME = r"\d{4}(?:\d{2}){0,5}(?:\.\d{1,6})?(?:[+-](?:0\d|1[0-4])\d{2})?"
_SINGLE_DATETIME = re.compile(_DATETIME, re.ASCII)
_DATETIME_RANGE = re.compile(rf"({_DATETIME})?-({_DATETIME})?", re.ASCII)


def read_query(identifier: DicomJson, root: Root, *, relational: bool = False, fuzzy: bool = False) -> Query:
    """Give the query that an identifier asks. Raises QueryInvalid."""
    keys = {tag: element for tag, element in identifier.items() if tag not in _NO_KEYS and tag[4:] != "0000"}
    return Query(
        level=_level(identifier, root),
        root=root,
        keys=read_keys(keys),
        return_keys=frozenset(keys),
        return_items={tag: _asked_of_items(element) for tag, element in keys.items() if element["vr"] == "SQ"},
        relational=relational,
        fuzzy=fuzzy,
    )


def _level(identifier: DicomJson, root: Root) -> Level:
    values = identifier.get(QUERY_LEVEL, {}).get("Value", ())
    try:
        level = Level(str(values[0]).strip().upper())
    except (IndexError, ValueError):
        raise QueryInvalid("Query/Retrieve Level (0008,0052) is missing or unknown") from None
    if level is Level.PATIENT and root != "PATIENT":
        raise QueryInvalid("the Study Root model has no PATIENT level")
    return level


def read_keys(keys: Mapping[str, Mapping[str, Any]]) -> dict[str, Match]:
    """Give how the keys of an identifier match, those of universal matching left out. Raises QueryInvalid."""
    found = {tag: _match(element) for tag, element in keys.items()}
    return {tag: match for tag, match in found.items() if match is not None}


def _match(element: Mapping[str, Any]) -> Match | None:
    """Give how a key matches, None for universal matching (PS3.4 C.2.2.2.3)."""
    vr, values = element["vr"], element.get("Value", ())
    if vr == "SQ":
        return _item(values)
    if vr in _BINARY_VRS:
        return None
    texts = tuple(text for text in map(_text, values) if text)
    if not texts or any(not text.strip("*") for text in texts):
        return None
    if texts == (_EMPTY,):
        return NoValue(vr)
    return _range(vr, texts) if vr in MOMENT_VRS else OneOf(vr, texts)


def _text(value: Any) -> str:
    return "" if value is None else written_name(value) if isinstance(value, Mapping) else str(value).strip()


def _item(items: Any) -> Match | None:
    if len(items) > 1:
        raise QueryInvalid("a sequence key has one item (PS3.4 C.2.2.2.6)")
    keys = read_keys(items[0]) if items else {}
    return AnyItem(keys) if keys else None


def _range(vr: str, texts: tuple[str, ...]) -> Match:
    if not any("-" in text for text in texts):
        return OneOf(vr, texts)
    if len(texts) > 1:
        raise QueryInvalid(f"a range of {vr} stands alone")
    if vr == "DT":
        return _datetime_range(texts[0])
    low, _, high = texts[0].partition("-")
    if not low.strip() and not high.strip():
        raise QueryInvalid(f"{texts[0]!r} is no range")
    return Between(vr, low.strip(), high.strip())


def _datetime_range(text: str) -> Match:
    """A hyphen parts a range, or begins an offset from UTC: read as an offset where it can be one."""
    if _SINGLE_DATETIME.fullmatch(text):
        return OneOf("DT", (text,))
    found = _DATETIME_RANGE.fullmatch(text.replace(" ", ""))
    if not found or not any(found.groups()):
        raise QueryInvalid(f"{text!r} is no range of DT")
    return Between("DT", found[1] or "", found[2] or "")


def _asked_of_items(element: Mapping[str, Any]) -> frozenset[str]:
    items = element.get("Value", ())
    return frozenset(items[0]) if items else frozenset()
