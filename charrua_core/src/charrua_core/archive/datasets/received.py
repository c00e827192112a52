"""DICOM JSON that somebody sends, checked before anything is made of it (PS3.18 F.2): no value is trusted to be of its VR."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from charrua_core.archive.datasets.jsonmodel import BINARY_VRS, KNOWN_VRS, NUMBER_FORMATS, SINGLE_VRS
from charrua_core.errors import MetadataInvalid
from charrua_core.types import DicomJson

LONGEST = 64 << 20
"""Bytes of a document that is read."""
DEEPEST = 64
"""Sequences in one another."""
MOST_VALUES = 1_000_000
"""Elements, items and values of a data set."""

_TAG = re.compile(r"[0-9A-F]{8}")
_GROUPS = frozenset({"Alphabetic", "Ideographic", "Phonetic"})
_CONTENT = frozenset({"Value", "InlineBinary", "BulkDataURI"})
_SPECIAL = frozenset({"NaN", "inf", "-inf", "Infinity", "-Infinity"})
_DECIMAL = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *", re.ASCII)
_INTEGER = re.compile(r" *[+-]?[0-9]{1,20} *", re.ASCII)


def read_json(document: bytes) -> list[DicomJson]:
    """Give the data sets of a document: an array of them, or one alone (PS3.18 8.7.3.2). Raises MetadataInvalid."""
    if len(document) > LONGEST:
        raise MetadataInvalid(f"the JSON is longer than {LONGEST >> 20} MiB")
    try:
        read = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise MetadataInvalid(f"the JSON cannot be read: line {error.lineno}, column {error.colno}") from error
    return [checked_dataset(one) for one in (read if isinstance(read, list) else [read])]


def checked_dataset(read: Any) -> DicomJson:
    """Give a data set that holds together, tags in order, without group 0002 and group lengths.

    Numbers are numbers and empty values None. Raises MetadataInvalid, which names the attribute and no value.
    """
    return _Check().dataset(read, "")


class _Check:
    """One data set, and what it may still have."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def dataset(self, read: Any, path: str) -> DicomJson:
        """Check a data set or an item; `path` leads to it."""
        if not isinstance(read, dict):
            raise MetadataInvalid(f"{path or 'the document'} has no data set where one should be")
        self._spend(len(read), path)
        told = {tag: self._element(tag, element, path) for tag, element in read.items() if not _is_left_out(tag, path)}
        return dict(sorted(told.items()))

    def _element(self, tag: str, element: Any, path: str) -> dict[str, Any]:
        path += tag
        vr = element.get("vr") if isinstance(element, dict) else None
        if not isinstance(vr, str) or vr not in KNOWN_VRS:
            raise MetadataInvalid(f"{path} has no VR, or none that is known")
        content = _CONTENT & element.keys()
        if len(content) > 1:
            raise MetadataInvalid(f"{path} has more than one of Value, InlineBinary and BulkDataURI")
        if "BulkDataURI" in content:
            return {"vr": vr, "BulkDataURI": _uri(vr, element["BulkDataURI"], path)}
        if "InlineBinary" in content:
            return {"vr": vr, **_binary(vr, element["InlineBinary"], path)}
        values = self._values(vr, element.get("Value"), path)
        return {"vr": vr, "Value": values} if values else {"vr": vr}

    def _values(self, vr: str, values: Any, path: str) -> list[Any]:
        if values is None or values == []:
            return []
        if not isinstance(values, list) or vr in BINARY_VRS or (vr in SINGLE_VRS and len(values) > 1):
            raise MetadataInvalid(f"the Value of {path} is none of VR {vr}")
        self._spend(len(values), path)
        if vr == "SQ":
            if path.count("/") >= 2 * DEEPEST:
                raise MetadataInvalid(f"{path[:8]} … has more than {DEEPEST} sequences in one another")
            return [self.dataset(item or {}, f"{path}/{number}/") for number, item in enumerate(values)]
        read: Callable[[str, Any], Any] = _READERS.get(vr, _text)
        try:
            return [None if value is None or value == "" else read(vr, value) for value in values]
        except (ValueError, OverflowError) as error:
            raise MetadataInvalid(f"a value of {path} is none of VR {vr}") from error

    def _spend(self, number: int, path: str) -> None:
        self._left -= number
        if self._left < 0:
            raise MetadataInvalid(f"the data set has more than {MOST_VALUES} elements and values, at {path[:8]}")


def _is_left_out(tag: Any, path: str) -> bool:
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise MetadataInvalid(f"{path or 'the data set'} has a name that is no tag of 8 hexadecimal digits in capitals")
    if tag.startswith("FFFE") or (tag < "0008" and not tag.startswith("0002")):
        raise MetadataInvalid(f"{path}{tag} is no attribute of a data set")
    return tag.startswith("0002") or tag.endswith("0000")


def _uri(vr: str, uri: Any, path: str) -> str:
    if not isinstance(uri, str) or not uri or vr == "SQ":
        raise MetadataInvalid(f"the BulkDataURI of {path} is none")
    return uri


def _binary(vr: str, text: Any, path: str) -> dict[str, str]:
    if not isinstance(text, str) or vr not in BINARY_VRS:
        raise MetadataInvalid(f"{path} has an InlineBinary that is none of VR {vr}")
    try:
        b64decode(text, validate=True)
    except ValueError as error:
        raise MetadataInvalid(f"the InlineBinary of {path} is not in Base64") from error
    return {"InlineBinary": text} if text else {}


def _text(vr: str, value: Any) -> str:
    """A text; a backslash would make two values of it but where there is only one (PS3.18 F.2.4)."""
    if not isinstance(value, str) or ("\\" in value and vr not in SINGLE_VRS):
        raise ValueError
    return value


def _tag(_: str, value: Any) -> str:
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise ValueError
    return value


def _name(_: str, value: Any) -> dict[str, str] | None:
    if not isinstance(value, Mapping) or not value.keys() <= _GROUPS:
        raise ValueError
    if any(not isinstance(group, str) or "\\" in group or "=" in group for group in value.values()):
        raise ValueError
    return {name: group for name, group in value.items() if group} or None


def _decimal(_: str, value: Any) -> float | str:
    """A number, or the text of one, which keeps its digits."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def _whole(_: str, value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError
    return int(value)


def _float(_: str, value: Any) -> float | str:
    if isinstance(value, str) and value in _SPECIAL:
        return value
    return float(_decimal(_, value))


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(NUMBER_FORMATS, _whole),
    "AT": _tag,
    "DS": _decimal,
    "FD": _float,
    "FL": _float,
    "IS": _whole,
    "PN": _name,
}
