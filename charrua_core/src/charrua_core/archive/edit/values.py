"""What may be written into an attribute by an edit, checked before it is recorded (PS3.5 6.2, PS3.6).

Identifying UIDs, the description of the pixels and bulk data are no matter of edits: the bytes stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword

from charrua_core.archive.edit.record import Overlay
from charrua_core.archive.index.levels import level_of
from charrua_core.errors import EditInvalid
from charrua_core.types import Level, is_valid_uid

_TAG = re.compile(r"[0-9A-F]{8}")

_IDENTIFYING = frozenset({"00080016", "00080018", "0020000D", "0020000E", "00083001"})
# Specific Character Set, Timezone Offset and the archive's own account of edits are written by what goes out.
_OURS = frozenset({"00080005", "04000561", "00080201"})
# PS3.3 C.7.6.3 Image Pixel, and what else tells a decoder how to read the bytes
_PIXELS = frozenset(
    {
        "00280002",
        "00280004",
        "00280006",
        "00280008",
        "00280010",
        "00280011",
        "00280100",
        "00280101",
        "00280102",
        "00280103",
    }
)

# Longest value in characters, PS3.5 table 6.2-1
_LENGTHS = {
    "AE": 16,
    "CS": 16,
    "DS": 16,
    "IS": 12,
    "LO": 64,
    "LT": 10240,
    "SH": 16,
    "ST": 1024,
    "AS": 4,
    "DT": 26,
    "TM": 14,
}
_SINGLE_TEXTS = frozenset({"LT", "ST", "UT", "UR"})
_FORMS = {
    "AS": re.compile(r"[0-9]{3}[DWMY]"),
    "CS": re.compile(r"[A-Z0-9_ ]*"),
    "DA": re.compile(r"[0-9]{8}"),
    "DT": re.compile(r"[0-9]{4,14}(\.[0-9]{1,6})?([+-][0-9]{4})?"),
    "TM": re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?"),
}
_SHAPES = {
    "AS": "an age such as 042Y",
    "CS": "a code of capital letters, digits, blanks and underscores",
    "DA": "a date such as 20260131",
    "DT": "a moment such as 20260131101500",
    "TM": "a time such as 101500",
}
_NUMBERS: dict[str, Callable[[Any], object]] = {
    "DS": float,
    "FD": float,
    "FL": float,
    "IS": int,
    "SL": int,
    "SS": int,
    "UL": int,
    "US": int,
}
_TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
_ENUMERATED = {"00100040": frozenset({"M", "F", "O"})}
_PN_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_LINE_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def checked(level: Level, attributes: Mapping[str, Mapping[str, Any] | None]) -> Overlay:
    """The attributes of an edit at this level, each as PS3.18 F.2 has it; raises EditInvalid, naming the attribute.

    None takes an attribute away. A study takes the attributes of patient and study, a series those of series and
    equipment, an image all others.
    """
    if not attributes:
        raise EditInvalid("the edit names no attribute")
    return {tag: _checked_at(level, tag, element) for tag, element in attributes.items()}


def from_keywords(values: Mapping[str, str | None]) -> Overlay:
    """The attributes of `keyword: text`, as a person types them; raises EditInvalid for an unknown keyword.

    Values stand between backslashes, the groups of a name between `=`; None takes the attribute away.
    """
    return dict(_from_keyword(keyword, value) for keyword, value in values.items())


def _from_keyword(keyword: str, value: str | None) -> tuple[str, dict[str, Any] | None]:
    number = tag_for_keyword(keyword)
    if number is None:
        raise EditInvalid(f"{keyword} is no keyword of the DICOM dictionary")
    vr = dictionary_VR(number)
    if value is None:
        return f"{number:08X}", None
    if value == "":
        return f"{number:08X}", {"vr": vr}
    values = [value] if vr in _SINGLE_TEXTS else value.split("\\")
    return f"{number:08X}", {"vr": vr, "Value": [_typed(keyword, vr, one) for one in values]}


def _typed(keyword: str, vr: str, value: str) -> object:
    if vr == "PN":
        return {group: text for group, text in zip(_PN_GROUPS, value.split("="), strict=False) if text}
    try:
        return _NUMBERS[vr](value) if vr in _NUMBERS else value
    except ValueError as error:
        raise EditInvalid(f"{keyword}: {value!r} is no number") from error


def _checked_at(level: Level, tag: str, element: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not _TAG.fullmatch(tag) or not keyword_for_tag(int(tag, 16)):
        raise EditInvalid(f"{tag} is no attribute of the DICOM dictionary")
    keyword = keyword_for_tag(int(tag, 16))
    if tag in _IDENTIFYING or tag in _PIXELS or tag in _OURS or tag[:4] in ("0002", "7FE0"):
        raise EditInvalid(f"{keyword} cannot be edited")
    own = level_of(tag)
    if (Level.STUDY if own is Level.PATIENT else own) is not level:
        raise EditInvalid(f"{keyword} belongs to the level {own}, not to {level}")
    return None if element is None else _checked_element(tag, keyword, element)


def _checked_element(tag: str, keyword: str, element: Mapping[str, Any]) -> dict[str, Any]:
    vr = dictionary_VR(int(tag, 16))
    if not isinstance(element, Mapping) or element.get("vr") != vr or element.keys() - {"vr", "Value"}:
        raise EditInvalid(f"{keyword} needs a value of VR {vr}")
    values = element.get("Value", [])
    if not isinstance(values, list):
        raise EditInvalid(f"{keyword} needs a list of values")
    if len(values) > 1 and (dictionary_VM(int(tag, 16)) == "1" and vr != "SQ"):
        raise EditInvalid(f"{keyword} has one value")
    for value in values:
        _check_value(tag, keyword, vr, value)
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _check_value(tag: str, keyword: str, vr: str, value: object) -> None:
    if vr == "SQ":
        _check_item(keyword, value)
    elif vr == "PN":
        _check_name(keyword, value)
    elif vr in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise EditInvalid(f"{keyword}: {value!r} is no number")
    elif vr in _TEXTS:
        _check_text(tag, keyword, vr, value)
    else:
        raise EditInvalid(f"{keyword} of VR {vr} cannot be edited")


def _check_item(keyword: str, item: object) -> None:
    if not isinstance(item, Mapping):
        raise EditInvalid(f"{keyword}: an item is an object of attributes")
    for tag, element in item.items():
        if not _TAG.fullmatch(tag) or not keyword_for_tag(int(tag, 16)):
            raise EditInvalid(f"{keyword}: {tag} is no attribute of the DICOM dictionary")
        _checked_element(tag, keyword_for_tag(int(tag, 16)), element)


def _check_name(keyword: str, name: object) -> None:
    """PS3.5 6.2.1: up to three groups of at most 64 characters, each of at most five components."""
    if not isinstance(name, Mapping) or name.keys() - set(_PN_GROUPS):
        raise EditInvalid(f"{keyword}: a person name has the groups {', '.join(_PN_GROUPS)}")
    for group in name.values():
        if (
            not isinstance(group, str)
            or len(group) > 64
            or group.count("^") > 4
            or _LINE_CONTROL.search(group)
            or "=" in group
        ):
            raise EditInvalid(
                f"{keyword}: a group of a person name has at most 64 characters in five parts (PS3.5 6.2.1)"
            )


def _check_text(tag: str, keyword: str, vr: str, value: object) -> None:
    forbidden = _CONTROL if vr in _SINGLE_TEXTS else _LINE_CONTROL
    if not isinstance(value, str) or len(value) > _LENGTHS.get(vr, len(value)) or forbidden.search(value):
        raise EditInvalid(
            f"{keyword}: {_most(vr)}, without {'control characters' if vr in _SINGLE_TEXTS else 'backslash'}"
        )
    if (vr in _FORMS and not _FORMS[vr].fullmatch(value)) or (vr == "UI" and not is_valid_uid(value)):
        raise EditInvalid(f"{keyword}: {value!r} is not {_SHAPES.get(vr, 'a UID')} (VR {vr})")
    if vr == "DA":
        _check_date(keyword, value)
    if value not in _ENUMERATED.get(tag, (value,)):
        raise EditInvalid(f"{keyword} is one of {', '.join(sorted(_ENUMERATED[tag]))}")


def _most(vr: str) -> str:
    return f"a text of {_LENGTHS[vr]} characters at most is expected" if vr in _LENGTHS else "a text is expected"


def _check_date(keyword: str, value: str) -> None:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise EditInvalid(f"{keyword}: there is no day {value}") from error
