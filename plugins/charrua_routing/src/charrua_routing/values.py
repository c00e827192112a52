"""How an attribute's values are compared with what a rule wants: texts by wildcards, numbers, dates and ages by size.

There are no regular expressions: one that takes for ever on some value would stop all routing. Wildcards take time in
proportion to the lengths of pattern and value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from operator import ge, gt, le, lt
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from charrua_core.archive.index.names import name_key, text_key

COMPARED: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
LONGEST_VALUE = 4096
"""Characters of a value that are looked at."""

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_UNREADABLE = frozenset({"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.44, "Y": 365.25}
_MOMENTS = {"DA": re.compile(r"\d{8}"), "TM": re.compile(r"\d{2,6}(\.\d+)?"), "DT": re.compile(r"\d{4,14}(\.\d+)?")}


def attribute_named(given: str) -> tuple[str, str]:
    """Give tag and VR of an attribute named by keyword or by 8 hex digits, "" where only the data set tells the VR.

    ValueError where there is none, or where it has no values that could be compared.
    """
    number = int(given, 16) if _TAG.fullmatch(given) else tag_for_keyword(given)
    if number is None:
        raise ValueError(f"{given!r} is neither a keyword of PS3.6 nor a tag of 8 hex digits")
    try:
        vr = dictionary_VR(number).split(" ")[0]
    except KeyError:
        vr = ""  # a private one
    if vr in _UNREADABLE:
        raise ValueError(f"{given} is of VR {vr}, whose values rules do not read")
    return f"{number:08X}", vr


def folded(vr: str) -> Callable[[str], str]:
    """Give what brings values and patterns of this VR into the form in which they are compared."""
    if vr in _NUMBERS:
        return _number_text
    return name_key if vr == "PN" else text_key


def _number_text(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text_key(text)


def pattern(text: str, vr: str = "LO") -> re.Pattern[str]:
    """Compile a text with `*` and `?` for the folded form of values."""
    return re.compile(translate(folded(vr)(text).replace("[", "[[]")))


def forms(value: str, vr: str) -> list[str]:
    """Give the folded forms of a value any of which may match: of a name the whole and each of its component groups."""
    key = folded(vr)(value[:LONGEST_VALUE])
    return [key, *key.split("=")] if vr == "PN" and "=" in key else [key]


def measure(vr: str) -> Callable[[str], float | str]:
    """Give what brings values of this VR into an order; it raises ValueError for what has no place in it.

    ValueError where values of the VR have no order.
    """
    if vr in _NUMBERS:
        return float
    if vr == "AS":
        return _age
    if vr in _MOMENTS:
        return lambda text: _moment(vr, text)
    raise ValueError("its values have no order: compare numbers, dates, times and ages")


def _age(text: str) -> float:
    found = _AGE.fullmatch(text.strip().upper())
    if found is None:
        raise ValueError("an age is written 018Y, 006M, 002W or 010D")
    return float(found[1]) * _DAYS[found[2]]


def _moment(vr: str, text: str) -> str:
    plain = text.strip().replace(":", "") if vr == "TM" else text.strip().replace("-", "")
    if not _MOMENTS[vr].fullmatch(plain):
        raise ValueError(
            {"DA": "a date is written 20260131", "TM": "a time is written 173000"}.get(vr, "no date and time")
        )
    return plain
