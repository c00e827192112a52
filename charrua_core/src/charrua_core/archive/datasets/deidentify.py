"""De-identification by the Basic Application Level Confidentiality Profile and its options (PS3.15 annex E).

What comes of it is an overlay: the stored object stays as it is. UIDs and the patient's pseudonym are made of the old values
with a secret key (HMAC with SHA-256): the same each time, so that what belongs together stays together, and not to be undone
without the key. Texts and pixels are not read: descriptions are removed rather than cleaned, and objects that may show or
say who the patient is are refused.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

from charrua_core.archive.datasets.jsonmodel import BINARY_VRS, NUMBER_FORMATS
from charrua_core.errors import NotDeidentifiable
from charrua_core.types import DicomJson

Element = dict[str, Any]
Overlay = dict[str, Element | None]
ReadBulk = Callable[[str, Mapping[str, Any]], Element]
"""Gives an element whose value is bulk data with that value in it; its path is that of `find_bulk_data`."""

OPTIONS: Mapping[str, tuple[str, str, str]] = {
    "retain_full_dates": ("F", "113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "shift_dates": ("M", "113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "retain_patient_characteristics": ("P", "113108", "Retain Patient Characteristics Option"),
    "retain_device": ("D", "113109", "Retain Device Identity Option"),
    "retain_uids": ("U", "113110", "Retain UIDs Option"),
    "retain_institution": ("I", "113112", "Retain Institution Identity Option"),
}
"""Option → its letter in the table, and its code (PS3.16 CID 7050)."""
_BASIC = ("113100", "Basic Application Confidentiality Profile")

METHOD = "Charrua: PS3.15 annex E, Basic Profile"
_REMOVED, _METHOD, _CODES, _LONGITUDINAL = "00120062", "00120063", "00120064", "00280303"
_PATIENT_NAME, _PATIENT_ID, _ISSUER = "00100010", "00100020", "00100021"
_BURNED_IN, _FEATURES, _SOP_CLASS = "00280301", "00280302", "00080016"
_LONGEST_SHIFT_DAYS = 3650

_UNREAD = {
    "1.2.840.10008.5.1.4.1.1.88.": "its content is text that cannot be cleaned",
    "1.2.840.10008.5.1.4.1.1.104.": "it is a document that cannot be cleaned",
    "1.2.840.10008.5.1.4.1.1.9.4.": "it is speech that cannot be cleaned",
    "1.2.840.10008.5.1.4.1.1.66": "it is raw data that cannot be cleaned",
}
"""Beginnings of SOP Class UIDs of objects that say things outside of their attributes."""
_SHOWING = (
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.77.1.1.1",
    "1.2.840.10008.5.1.4.1.1.77.1.2.1",
    "1.2.840.10008.5.1.4.1.1.77.1.4.1",
)
"""Beginnings of those of images that are known for what is written into them: secondary captures, ultrasound, videos."""

_DUMMIES: Mapping[str, Any] = {
    "AE": "REMOVED",
    "AS": "000D",
    "CS": "REMOVED",
    "DA": "19000101",
    "DS": 0,
    "DT": "19000101000000",
    "IS": 0,
    "PN": {"Alphabetic": "REMOVED"},
    "TM": "000000",
    "UR": "urn:removed",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile with options (names of `OPTIONS`), and the key of pseudonyms and UIDs."""

    key: bytes = field(repr=False)
    options: frozenset[str] = frozenset()
    allow_burned_in: bool = False
    """Whether images leave that may show who the patient is."""


def check_shows_nobody(header: DicomJson, profile: Profile) -> None:
    """Raise NotDeidentifiable for an object that says or shows outside of its attributes who the patient is, or may do so."""
    sop_class = _first(header, _SOP_CLASS)
    for beginning, why in _UNREAD.items():
        if sop_class.startswith(beginning):
            raise NotDeidentifiable(why)
    if profile.allow_burned_in:
        return
    if _first(header, _BURNED_IN) == "YES":
        raise NotDeidentifiable("who the patient is is burned into its pixels, or may be (Burned In Annotation)")
    if _first(header, _FEATURES) == "YES":
        raise NotDeidentifiable("the patient can be recognised in it (Recognizable Visual Features)")
    if sop_class.startswith(_SHOWING) and _first(header, _BURNED_IN) != "NO":
        raise NotDeidentifiable("such images often have the patient's name in their pixels, and it does not deny it")


def deidentified(header: DicomJson, profile: Profile, read_bulk: ReadBulk) -> Overlay:
    """Give what is laid over an object so that its attributes say nothing of who it is about.

    Raises NotDeidentifiable as `check_shows_nobody`.
    """
    check_shows_nobody(header, profile)
    told = _Deidentifying(header, profile, read_bulk)
    overlay = told.changes(header)
    return {**overlay, **told.patient(), **_method(profile)}


def mapped_uid(uid: str, key: bytes) -> str:
    """Give the UID that stands for another (PS3.5 B.2)."""
    return f"2.25.{int.from_bytes(_digest(key, 'uid', uid)[:16], 'big')}"


def _digest(key: bytes, purpose: str, value: str) -> bytes:
    return hmac.new(key, f"{purpose}\0{value}".encode(), hashlib.sha256).digest()


class _Deidentifying:
    """One object on its way."""

    def __init__(self, header: DicomJson, profile: Profile, read_bulk: ReadBulk) -> None:
        self._profile = profile
        self._read_bulk = read_bulk
        self._letters = {OPTIONS[option][0] for option in profile.options}
        self._who = f"{_first(header, _ISSUER)}\0{_first(header, _PATIENT_ID)}"
        days = int.from_bytes(_digest(profile.key, "days", self._who)[:4], "big") % _LONGEST_SHIFT_DAYS
        self._shift = -timedelta(days=days + 1)

    def patient(self) -> Overlay:
        """The pseudonym, which keeps a patient's studies together."""
        name = _digest(self._profile.key, "patient", self._who).hex()[:16].upper()
        return {
            _PATIENT_NAME: {"vr": "PN", "Value": [{"Alphabetic": name}]},
            _PATIENT_ID: {"vr": "LO", "Value": [name]},
        }

    def changes(self, elements: Mapping[str, Mapping[str, Any]], path: str = "") -> Overlay:
        """The elements that do not stay as they are, each as it becomes; None for one that is removed."""
        changed: Overlay = {}
        for tag, element in elements.items():
            new = self._element(tag, element, path)
            if new != element:
                changed[tag] = new
        return changed

    def _element(self, tag: str, element: Mapping[str, Any], path: str) -> Element | None:
        if int(tag[:4], 16) & 1 or element["vr"] == "UN" or tag.startswith("60"):  # private, unknown, overlay planes
            return None
        action, kept_by = _action(tag)
        kept = self._letters & set(kept_by)
        if "M" in kept and element["vr"] in {"DA", "DT", "TM"}:
            return self._shifted(element)
        kept -= {"M"}
        if kept or not action:
            return self._inside(tag, element, path)
        return self._replaced(action, tag, element, path)

    def _replaced(self, action: str, tag: str, element: Mapping[str, Any], path: str) -> Element | None:
        if action == "X":
            return None
        if action == "Z":
            return {"vr": element["vr"]}
        if action == "U":
            return self._uids(element) if element["vr"] == "UI" else self._inside(tag, element, path)
        return self._dummy(element)

    def _inside(self, tag: str, element: Mapping[str, Any], path: str) -> Element:
        """A sequence with its items cleaned; anything else as it is."""
        if element["vr"] != "SQ":
            return dict(element)
        if "BulkDataURI" in element:
            raise NotDeidentifiable(f"the sequence {tag} is nested too deep to be cleaned")
        if not element.get("Value"):
            return dict(element)
        items = []
        for number, item in enumerate(element["Value"]):
            inner = f"{path}{tag}/{number}/"
            items.append(_laid(item, self.changes(item, inner)))
        if items == element["Value"]:
            return dict(element)
        whole = [self._with_bulk(item, f"{path}{tag}/{number}/") for number, item in enumerate(items)]
        return {"vr": "SQ", "Value": whole}

    def _with_bulk(self, item: Mapping[str, Any], path: str) -> dict[str, Any]:
        """An item that is written anew, with the values that the header leaves in the file."""
        found: dict[str, Any] = {}
        for tag, element in item.items():
            if "BulkDataURI" in element:
                found[tag] = self._read_bulk(f"{path}{tag}", element)
            elif element["vr"] == "SQ":
                inner = enumerate(element.get("Value", ()))
                found[tag] = {**element, "Value": [self._with_bulk(one, f"{path}{tag}/{n}/") for n, one in inner]}
            else:
                found[tag] = element
        return found

    def _uids(self, element: Mapping[str, Any]) -> Element:
        values = [mapped_uid(str(uid), self._profile.key) if uid else uid for uid in element.get("Value", ())]
        return {**element, "Value": values} if values else dict(element)

    def _dummy(self, element: Mapping[str, Any]) -> Element:
        vr = element["vr"]
        if vr == "UI":
            return self._uids(element)
        if vr == "SQ":
            first = next(iter(element.get("Value", ())), None)
            return {
                "vr": "SQ",
                "Value": [{tag: self._dummy(one) for tag, one in (first or {}).items() if _is_public(tag)}],
            }
        if vr in BINARY_VRS:
            return {"vr": vr, "InlineBinary": b64encode(b"\0\0").decode()}
        return {
            "vr": vr,
            "Value": [0 if vr in NUMBER_FORMATS else "00000000" if vr == "AT" else _DUMMIES.get(vr, "REMOVED")],
        }

    def _shifted(self, element: Mapping[str, Any]) -> Element:
        """Dates moved by the patient's number of days; times stay; what is no date is emptied."""
        if element["vr"] == "TM":
            return dict(element)
        values = [_moved(str(value or ""), self._shift) for value in element.get("Value", ())]
        return {"vr": element["vr"], "Value": values} if all(values) and values else {"vr": element["vr"]}


def _moved(value: str, by: timedelta) -> str:
    """A date, or a date and time, on another day; empty where it is none."""
    try:
        day = datetime.strptime(value[:8], "%Y%m%d")
        return (day + by).strftime("%Y%m%d") + value[8:]
    except (ValueError, OverflowError):
        return ""


def _is_public(tag: str) -> bool:
    return not int(tag[:4], 16) & 1


def _laid(item: Mapping[str, Any], changes: Overlay) -> dict[str, Any]:
    return {tag: element for tag, element in {**item, **changes}.items() if element is not None}


def _method(profile: Profile) -> Overlay:
    codes = [_BASIC, *(OPTIONS[option][1:] for option in sorted(profile.options))]
    dates = {"retain_full_dates": "UNMODIFIED", "shift_dates": "MODIFIED"}
    told = next((dates[option] for option in dates if option in profile.options), "REMOVED")
    return {
        _REMOVED: {"vr": "CS", "Value": ["YES"]},
        _METHOD: {"vr": "LO", "Value": [METHOD]},
        _CODES: {"vr": "SQ", "Value": [_code(*code) for code in codes]},
        _LONGITUDINAL: {"vr": "CS", "Value": [told]},
    }


def _code(value: str, meaning: str) -> dict[str, Any]:
    return {
        "00080100": {"vr": "SH", "Value": [value]},
        "00080102": {"vr": "SH", "Value": ["DCM"]},
        "00080104": {"vr": "LO", "Value": [meaning]},
    }


def _first(header: Mapping[str, Any], tag: str) -> str:
    value = next(iter(header.get(tag, {}).get("Value", ())), None)
    return "" if value is None else str(value).strip()


def _action(tag: str) -> tuple[str, str]:
    """The action and the letters of the options by which the attribute stays; empty for one that is not in the table.

    Of several actions the one that leaves most behind: without the IOD at hand, an attribute that must have a value has one.
    """
    table = _table()
    found = table.get(tag) or table.get(f"{tag[:2]}XX{tag[4:]}") or table.get(f"{tag[:2]}XXXXXX")
    return found or ("", "")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, tuple[str, str]]:
    lines = files("charrua_core.archive.datasets").joinpath("confidentiality.txt").read_text("ascii").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {row[0]: (row[1].rpartition("/")[2], row[2] if len(row) > 2 else "") for row in rows}
