"""The query of a URL as a query of the archive (PS3.18 8.3.4, 10.6.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydicom.datadict import keyword_for_tag

from charrua_core.archive.search import Match, OneOf, Query, read_query, unsupported
from charrua_core.errors import QueryInvalid
from charrua_core.types import DicomJson, Level
from charrua_core.web import Query as Pairs
from charrua_core.web import Request
from charrua_web.dicomweb.qido_names import BINARY, path_of, vr_of
from charrua_web.dicomweb.qido_order import SortKey, order_of
from charrua_web.dicomweb.qido_returns import REQUEST_ITEMS, RETRIEVE_URL, SERIES_UID, STUDY_UID, told_of

COMMAS_PART = frozenset({"UI", "CS"})
"""Value representations whose values hold no comma (PS3.5 6.2): several are also parted by commas."""
MANUAL = "/qido-rs"
"""The manual's path."""
TIMEZONE = "00080201"
CONTROLS = frozenset({"includefield", "limit", "offset", "after", "orderby", "sortorder", "accept", "charset"}) | {
    "fuzzymatching",
    "emptyvaluematching",
    "multiplevaluematching",
}
"""Parameters that are no attributes."""
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search asks for. The limits are not in `query` yet."""

    query: Query
    limit: int | None
    """None where the request names no limit."""
    blank: Mapping[str, str] = field(default_factory=dict)
    """Tags and VRs of what is told even if it has no value."""
    order: tuple[SortKey, ...] = ()
    ignored: tuple[str, ...] = ()
    """What was asked and is not answered at this level."""


def read_parameters(request: Request, level: Level) -> Asked:
    """Give what a request asks of entities of a level. Raises QueryInvalid, which says what is wrong with it."""
    pairs, named = request.query, request.parameters
    identifier, included, ignored = _attributes(pairs, level)
    asked = read_query(
        {**identifier, "00080052": {"vr": "CS", "Value": [str(level)]}},
        "STUDY",
        relational=True,
        fuzzy=_flag(pairs, "fuzzymatching", default=False),
    )
    asked = replace(asked, keys=_with_path(asked.keys, named), offset=_number(pairs, "offset") or 0)
    asked = replace(asked, after=pairs.first("after"), by_number=_is_of_one_study(asked.keys))
    beyond = unsupported(replace(asked, return_keys=asked.return_keys | included.keys()))
    told = {
        tag: vr_of(tag)
        for tag in told_of(level, named, manual=request.base.endswith(MANUAL)) | asked.return_keys | included.keys()
    }
    asked = replace(asked, return_keys=frozenset(told) - {RETRIEVE_URL}, return_items=_items(asked, included))
    order = order_of(pairs, level)
    if "all" in _listed(pairs):
        asked, told = replace(asked, return_keys=frozenset(), return_items={}), {}
    elif order:
        asked = replace(asked, return_keys=asked.return_keys | {key.tag for key in order})
    ignored += [keyword_for_tag(int(tag, 16)) or tag for tag in sorted(beyond)]
    blank = {tag: vr for tag, vr in told.items() if tag not in beyond}
    return Asked(asked, _number(pairs, "limit"), blank, order, tuple(ignored))


# -- attributes ----------------------------------------------------------------------------------------------------------
_Included = dict[str, frozenset[str]]


def _attributes(pairs: Pairs, level: Level) -> tuple[DicomJson, _Included, list[str]]:
    """Give the keys as an identifier, what else is to be told, and what is none that can be asked."""
    identifier: DicomJson = {}
    ignored: list[str] = []
    for name, value in pairs:
        if name in CONTROLS:
            continue
        path = path_of(name, level)
        if path is None:
            raise QueryInvalid(f"{name[:80]!r} is neither an attribute nor a parameter of a search")
        if vr_of(path[-1]) in BINARY or path == (TIMEZONE,):
            ignored.append(name)
        else:
            _add(identifier, name, path, _values(pairs, vr_of(path[-1]), value))
    included: _Included = {}
    for name in _listed(pairs):
        path = path_of(name, level)
        if path is not None:
            included[path[0]] = included.get(path[0], frozenset()) | frozenset(path[1:2] or ["all"])
        elif name != "all":
            ignored.append(name[:80])
    return identifier, included, ignored


def _add(identifier: DicomJson, name: str, path: tuple[str, ...], values: list[str]) -> None:
    tag, *others = path
    vr = vr_of(tag)
    if not others:
        if vr == "SQ" and values:
            raise QueryInvalid(
                f"{name[:80]!r} is a sequence: ask for an attribute of its items, as in Sequence.Attribute"
            )
        element = identifier.setdefault(tag, {"vr": vr, "Value": [{}] if vr == "SQ" else []})
        element["Value"] += values
        return
    if vr != "SQ" and int(tag[:4], 16) % 2 == 0:
        raise QueryInvalid(f"{name[:80]!r}: {tag} is no sequence")
    element = identifier.setdefault(tag, {"vr": "SQ", "Value": [{}]})
    _add(element["Value"][0], name, tuple(others), values)


def _values(pairs: Pairs, vr: str, text: str) -> list[str]:
    if text == '""' and not _flag(pairs, "emptyvaluematching", default=True):
        raise QueryInvalid('"" asks for what has no value, and emptyvaluematching=false asks not to')
    if not _flag(pairs, "multiplevaluematching", default=True) and vr != "UI":
        return [text] if text else []
    return [value for value in re.split(r"[,\\]" if vr in COMMAS_PART else r"\\", text) if value]


def _with_path(keys: Mapping[str, Match], named: Mapping[str, str]) -> dict[str, Match]:
    """Give the keys with those of the path; nothing matches what contradicts it."""
    found = dict(keys)
    for tag, uid in ((STUDY_UID, named.get("study")), (SERIES_UID, named.get("series"))):
        if uid:
            asked = found.get(tag)
            contradicts = asked is not None and not (isinstance(asked, OneOf) and uid in asked.values)
            found[tag] = OneOf("UI", () if contradicts else (uid,))
    return found


def _is_of_one_study(keys: Mapping[str, Match]) -> bool:
    of = keys.get(STUDY_UID)
    return isinstance(of, OneOf) and len(of.values) == 1


def _items(asked: Query, included: _Included) -> dict[str, frozenset[str]]:
    """Give the attributes that are told of the items of sequences; those named whole are told whole."""
    items = {**REQUEST_ITEMS}
    for tag, of_items in asked.return_items.items():
        items[tag] = items.get(tag, frozenset()) | of_items
    for tag, of_items in included.items():
        items[tag] = items.get(tag, frozenset()) | of_items
    return {tag: of_items for tag, of_items in items.items() if of_items and "all" not in of_items}


def _listed(pairs: Pairs) -> Iterator[str]:
    """Give the attributes that `includefield` names, repeated or with commas."""
    for value in pairs.all("includefield"):
        yield from (name.strip() for name in value.split(",") if name.strip())


# -- parameters ----------------------------------------------------------------------------------------------------------
def _flag(pairs: Pairs, name: str, *, default: bool) -> bool:
    value = pairs.first(name).lower()
    if value not in ("", "true", "false"):
        raise QueryInvalid(f"{name} is true or false, not {value[:80]!r}")
    return default if not value else value == "true"


def _number(pairs: Pairs, name: str) -> int | None:
    value = pairs.first(name)
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise QueryInvalid(f"{name} is a number from 0 to 999999999, not {value[:80]!r}")
    return int(value)
