"""The query of a URL: keys of a search and of a filtered subscription, and UIDs that stand alone (PS3.18 8.3.4, §11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from charrua_core.archive.datasets.jsonmodel import public_vr
from charrua_core.errors import QueryInvalid
from charrua_core.types import DicomJson, is_valid_uid, without_nul
from charrua_core.web import HttpError, Query

CONTROLS = frozenset(
    {"includefield", "limit", "offset", "fuzzymatching", "deletionlock", "filter", "accept", "charset"}
)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_COMMAS_PART = frozenset({"UI", "CS"})
"""Value representations whose values hold no comma (PS3.5 6.2): several are also parted by commas."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a search asks for. `included` are tags beyond those told anyway, None for all that there are."""

    identifier: DicomJson
    included: frozenset[str] | None
    fuzzy: bool
    offset: int
    limit: int
    """0 where none is named."""


def read_search(query: Query) -> Parameters:
    """Give what a search asks for. Raises QueryInvalid, which says what is wrong with it."""
    names = [name.strip() for value in query.all("includefield") for name in value.split(",") if name.strip()]
    included = None if "all" in names else frozenset(_path(name)[0] for name in names)
    fuzzy = _flag(query, "fuzzymatching")
    return Parameters(keys_in(query), included, fuzzy, _number(query, "offset"), _number(query, "limit"))


def keys_in(pairs: Iterable[tuple[str, str]]) -> DicomJson:
    """Give the keys among the pairs as the identifier of a C-FIND would have them. Raises QueryInvalid."""
    identifier: DicomJson = {}
    for name, value in pairs:
        if name not in CONTROLS:
            _add(identifier, name, _path(name), value)
    return without_nul(identifier)


def filter_in(query: Query) -> DicomJson:
    """Give the keys of a filtered subscription: pairs of their own, or a list of them in `filter` (PS3.18 11.10.1.2)."""
    listed = [pair for value in query.all("filter") for pair in value.split(",") if pair]
    pairs = [*query, *(tuple(pair.split("=", 1)) for pair in listed if "=" in pair)]
    return keys_in(pairs)


def deletion_lock(query: Query) -> bool:
    """Whether a deletion lock is asked for. Raises QueryInvalid."""
    return _flag(query, "deletionlock")


def uid_alone(query: Query, *names: str) -> str:
    """Give the UID that a URL's query is, as in `/workitems?1.2.3`, or that one of the names has; "" without one.

    HttpError 400 where it is none.
    """
    alone = [value or name for name, value in query if not value or name in names]
    if not alone:
        return ""
    if not is_valid_uid(alone[0]):
        raise HttpError(400, f"{alone[0][:80]!r} is no UID")
    return alone[0]


def _path(name: str) -> list[str]:
    """Give the tags that a name leads through: keywords or tags, with a point between sequence and item."""
    return [_tag(part, name) for part in name.split(".")]


def _tag(part: str, name: str) -> str:
    if _TAG.fullmatch(part):
        return part.upper()
    tag = tag_for_keyword(part)
    if tag is None:
        raise QueryInvalid(f"{name[:80]!r} is neither an attribute nor a parameter of a search")
    return f"{tag:08X}"


def _add(identifier: DicomJson, name: str, path: list[str], value: str) -> None:
    tag, *others = path
    vr = public_vr(int(tag, 16)) or "LO"
    if bool(others) != (vr == "SQ") and (others or value):
        raise QueryInvalid(f"{name[:80]!r}: name an attribute of the items of a sequence, as in Sequence.Attribute")
    if others:
        item = identifier.setdefault(tag, {"vr": "SQ", "Value": [{}]})["Value"][0]
        _add(item, name, others, value)
        return
    element = identifier.setdefault(tag, {"vr": vr, "Value": []})
    element["Value"] += _values(vr, value)


def _values(vr: str, text: str) -> Iterator[str]:
    yield from filter(None, re.split(r"[,\\]" if vr in _COMMAS_PART else r"\\", text))


def _flag(query: Query, name: str) -> bool:
    value = query.first(name, "false").lower()
    if value not in ("true", "false"):
        raise QueryInvalid(f"{name} is true or false, not {value[:80]!r}")
    return value == "true"


def _number(query: Query, name: str) -> int:
    value = query.first(name, "0")
    if not _NUMBER.fullmatch(value):
        raise QueryInvalid(f"{name} is a number from 0 to 999999999, not {value[:80]!r}")
    return int(value)
