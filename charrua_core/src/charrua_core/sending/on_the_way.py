"""What becomes of objects on their way: de-identification, coercion, transfer syntaxes; routes and destinations ask for it.

The stored object stays as it is; what leaves is made anew each time, and is the same each time.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from charrua_core.archive.datasets.bulk import BulkData, find_bulk_data
from charrua_core.archive.datasets.deidentify import OPTIONS, Element, Profile, deidentified
from charrua_core.archive.datasets.jsonmodel import BINARY_VRS
from charrua_core.archive.datasets.overlay import Modification, apply_overlay_json, laid_anew
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.edit.record import Overlay
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import EditInvalid, NotDeidentifiable
from charrua_core.types import DicomJson, is_valid_uid

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.outgoing import Outgoing

TRANSFER_SYNTAXES, COERCE, DEIDENTIFY = "transfer_syntaxes", "coerce", "deidentify"
ON_THE_WAY = frozenset({TRANSFER_SYNTAXES, COERCE, DEIDENTIFY})
"""Options that any destination may have, and any route ask for, where the destination's kind heeds them."""

BY_NUMBER: Mapping[int, tuple[str, ...]] = {
    0: (),
    1: ("1.2.840.10008.1.2.1",),
    2: ("1.2.840.10008.1.2",),
    3: ("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57"),
    4: ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"),
    5: ("1.2.840.10008.1.2.4.90",),
    6: ("1.2.840.10008.1.2.4.91",),
}
"""The manual's numbers (appendix 5.2): default, LE explicit, LE implicit, JPEG lossless, lossy, JPEG 2000 lossless, lossy.

What has more than 8 bits goes in the second where the first cannot carry it.
"""

BASIC, ALLOW_BURNED_IN = "basic", "allow_burned_in"
_SOP_INSTANCE_UID = "00080018"
_LONGEST_NESTED = 64 << 20
_FIELD = re.compile(r"\{([A-Za-z0-9]+)\}")
_UNCOERCED = ("0002", "0028", "7FE0", "60")
"""Beginnings of tags that say how pixels are read: a coercion changes what an object says, and not what it is."""
_IDENTIFYING = frozenset({"00080005", "00080016", "00080018", "0020000D", "0020000E"})


def check_on_the_way(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options as they are kept; EditInvalid for one that will not do.

    `transfer_syntaxes` are UIDs, the most wanted first. `coerce` has a value for each keyword: a text with `{Keyword}` for
    what an attribute says, null to remove it. `deidentify` is `basic` and names of `deidentify.OPTIONS`, `allow_burned_in`.
    """
    checks = {TRANSFER_SYNTAXES: _syntaxes, COERCE: _coercion, DEIDENTIFY: _profile}
    return {name: checks[name](given) for name, given in options.items()}


def _words(given: Any) -> list[Any]:
    return given.replace(",", " ").split() if isinstance(given, str) else list(given)


def _syntaxes(given: Any) -> list[str]:
    uids = _words(given)
    if not all(isinstance(uid, str) and is_valid_uid(uid) for uid in uids):
        raise EditInvalid("transfer_syntaxes are UIDs, the most wanted first")
    return uids


def _coercion(given: Any) -> dict[str, str | None]:
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            given = None
    if not isinstance(given, Mapping) or not all(isinstance(value, str | None) for value in given.values()):
        raise EditInvalid('coerce has a text, or null, for each keyword, as {"InstitutionName": "Norte"}')
    from_keywords({name: None for value in given.values() if value for name in _FIELD.findall(value)})
    tags = from_keywords(dict.fromkeys(given))
    if bad := [tag for tag in tags if tag.startswith(_UNCOERCED) or tag in _IDENTIFYING]:
        raise EditInvalid(f"{', '.join(bad)} cannot be coerced")
    return dict(given)


def _profile(given: Any) -> list[str]:
    words = [str(word) for word in _words(given)]
    if strange := set(words) - {BASIC, ALLOW_BURNED_IN, *OPTIONS}:
        raise EditInvalid(f"de-identification knows no {', '.join(sorted(strange))}: {', '.join([BASIC, *OPTIONS])}")
    if BASIC not in words:
        raise EditInvalid("deidentify begins with basic, the profile that options are added to")
    if {"retain_full_dates", "shift_dates"} <= set(words):
        raise EditInvalid("dates are retained or shifted, not both")
    return words


def changed(app: App, outgoing: Outgoing, options: Mapping[str, Any]) -> Outgoing:
    """Give the object as the options ask for it, in its transfer syntax; blocks.

    Raises NotDeidentifiable, HeaderDamaged, StorageFailed, EditInvalid for a coercion whose value does not fit.
    """
    words, coerced = options.get(DEIDENTIFY), options.get(COERCE)
    if words is None and not coerced:
        return outgoing
    profile = None if words is None else _profile_of(app, words)
    change = _Change(outgoing, profile, coerced or {})
    modification = None if profile else _modification(app)
    segments = laid_anew(outgoing.segments, outgoing.transfer_syntax_uid, change, modification)
    return replace(outgoing, sop_instance_uid=change.sop_instance_uid, segments=segments)


def _profile_of(app: App, words: Sequence[str]) -> Profile:
    key = app.settings["deidentification_key"]
    if not key:
        raise NotDeidentifiable("there is no deidentification_key: charrua settings set deidentification_key …")
    return Profile(key.encode(), frozenset(words) & OPTIONS.keys(), ALLOW_BURNED_IN in words)


def _modification(app: App) -> Modification:
    """Who coerced it; the moment is that of sending."""
    return Modification(app.settings["dicom_aet"], app.jobs.clock.now(), "COERCE")


class _Change:
    """What is laid over one object, and the UID that it has then."""

    def __init__(self, outgoing: Outgoing, profile: Profile | None, coerced: Mapping[str, str | None]) -> None:
        self._outgoing = outgoing
        self._profile = profile
        self._coerced = coerced
        self.sop_instance_uid = outgoing.sop_instance_uid

    def __call__(self, header: DicomJson) -> Overlay:
        overlay: dict[str, Any] = {}
        if self._profile:
            overlay = dict(deidentified(header, self._profile, self._bulk))
            self.sop_instance_uid = (overlay.get(_SOP_INSTANCE_UID) or header[_SOP_INSTANCE_UID])["Value"][0]
        told = apply_overlay_json(header, overlay)  # what is removed cannot come back by a coercion
        return {**overlay, **from_keywords({name: _filled(told, value) for name, value in self._coerced.items()})}

    def _bulk(self, path: str, element: Mapping[str, Any]) -> Element:
        found = find_bulk_data(self._outgoing.segments, self._outgoing.transfer_syntax_uid, path)
        if found.encapsulated or found.length > _LONGEST_NESTED:
            raise NotDeidentifiable(f"the value at {path} is too large to be written anew")
        return _inline(element, found)


def _inline(element: Mapping[str, Any], found: BulkData) -> Element:
    with SegmentSource(found.segments) as source:
        raw = source.read(0, source.size)
    if element["vr"] in BINARY_VRS:
        return {"vr": element["vr"], "InlineBinary": b64encode(raw).decode()}
    return {"vr": element["vr"], "Value": [raw.decode("utf_8", "replace")]}


def _filled(header: DicomJson, value: str | None) -> str | None:
    return value and _FIELD.sub(lambda found: _text(header, found[1]), value)


def _text(header: DicomJson, keyword: str) -> str:
    [tag] = from_keywords({keyword: None})
    value = next(iter(header.get(tag, {}).get("Value", ())), None)
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return "" if value is None else str(value)
