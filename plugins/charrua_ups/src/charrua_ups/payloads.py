"""Data sets that come in, checked before anything is made of them: over the web as DICOM JSON or Native DICOM Model XML."""

from __future__ import annotations

import re
from typing import Any

import orjson

from charrua_core.archive.datasets.jsonmodel import KNOWN_VRS, NUMBER_FORMATS, public_vr
from charrua_core.archive.datasets.xmlmodel import from_xml
from charrua_core.errors import MetadataInvalid
from charrua_core.types import DicomJson, without_nul
from charrua_core.web import HttpError, Request, media_type

LIMIT = 4 << 20
"""Bytes of a body."""
CONSUMES = ("application/dicom+json", "application/json", "application/dicom+xml")
_DEEPEST = 16
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_GROUPS = frozenset({"Alphabetic", "Ideographic", "Phonetic"})
_NUMBERS = frozenset({*NUMBER_FORMATS, "DS", "IS"})
_EITHER = frozenset({"SS", "US", "OW", "OB"})
"""VRs of attributes for which PS3.6 has a choice."""


async def dataset_of(request: Request) -> DicomJson:
    """Give the data set that a request brings, {} without body. HttpError 415 for another media type, MetadataInvalid."""
    body = await request.body(LIMIT)
    if not body:
        return {}
    kind = media_type(request.headers.get("content-type") or CONSUMES[0]).type
    if kind == CONSUMES[2]:
        return without_nul(checked(from_xml(body)))
    if kind not in CONSUMES:
        raise HttpError(415, f"a workitem comes as {', '.join(CONSUMES)}")
    return without_nul(checked(_json(body)))


def _json(body: bytes) -> Any:
    """One data set, alone or in a list (PS3.18 F.2.1)."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MetadataInvalid(f"the body is no JSON: {error}") from error
    return given[0] if isinstance(given, list) and len(given) == 1 else given


def checked(given: Any, depth: int = 0) -> DicomJson:
    """Give the data set with its tags in capital letters, without group lengths. Raises MetadataInvalid where it is none."""
    if not isinstance(given, dict):
        raise MetadataInvalid("a data set is an object of elements by tag")
    if depth > _DEEPEST:
        raise MetadataInvalid(f"sequences are more than {_DEEPEST} deep")
    return {_tag(tag): _element(tag, element, depth) for tag, element in given.items() if tag[4:] != "0000"}


def _tag(tag: str) -> str:
    if not _TAG.fullmatch(tag) or tag[:4] in ("0000", "0002"):
        raise MetadataInvalid(f"{tag[:80]!r} is no tag of a data set")
    return tag.upper()


def _element(tag: str, element: Any, depth: int) -> dict[str, Any]:
    if not isinstance(element, dict):
        raise MetadataInvalid(f"{tag} is no element")
    known = public_vr(int(tag, 16))
    vr = element.get("vr", known)
    if not isinstance(vr, str) or vr not in KNOWN_VRS:
        raise MetadataInvalid(f"{tag} has no VR")
    if known not in (None, vr) and "UN" not in (known, vr) and not {known, vr} <= _EITHER:
        raise MetadataInvalid(f"{tag} is of VR {known}")
    if "BulkDataURI" in element:
        raise MetadataInvalid(f"{tag}: a workitem has no bulk data")
    if "InlineBinary" in element:
        return {"vr": vr, "InlineBinary": _text(tag, element["InlineBinary"])}
    values = element.get("Value") or []
    if not isinstance(values, list):
        raise MetadataInvalid(f"{tag}: its values are no list")
    if not values:
        return {"vr": vr}
    if vr == "SQ":
        return {"vr": vr, "Value": [checked(item or {}, depth + 1) for item in values]}
    read = _name if vr == "PN" else _number if vr in _NUMBERS else _text
    return {"vr": vr, "Value": [None if value is None else read(tag, value) for value in values]}


def _text(tag: str, value: Any) -> str:
    if not isinstance(value, str):
        raise MetadataInvalid(f"{tag}: its values are text")
    return value


def _number(tag: str, value: Any) -> int | float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise MetadataInvalid(f"{tag}: its values are numbers")
    return value


def _name(tag: str, value: Any) -> dict[str, str]:
    groups = {"Alphabetic": value} if isinstance(value, str) else value
    if not isinstance(groups, dict) or not _GROUPS.issuperset(groups):
        raise MetadataInvalid(f"{tag}: its values are names")
    return {group: _text(tag, text) for group, text in groups.items()}
