"""Single attributes out of the DICOM JSON Model (PS3.18 F), and how a person reads them.

The header of a stored object is tolerant: an element may have a value of any kind. What is not of the kind asked for
counts as absent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charrua_core.types import DicomJson

_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_DATE = re.compile(r"(\d{4})(\d{2})?(\d{2})?", re.ASCII)
_TIME = re.compile(r"(\d{2})(\d{2})?(\d{2})?(\.\d{1,6})?", re.ASCII)
_MOMENT = re.compile(r"(\d{4,8})((?:\d{2}){0,3}(?:\.\d{1,6})?)([+-]\d{4})?", re.ASCII)


def values(dataset: DicomJson, tag: str) -> list[Any]:
    """The element's values, empty where the data set has none."""
    element = dataset.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def items(dataset: DicomJson, tag: str) -> list[DicomJson]:
    """The items of a sequence."""
    return [item for item in values(dataset, tag) if isinstance(item, dict)]


def item(dataset: DicomJson, tag: str) -> DicomJson:
    """The first item of a sequence, empty where there is none."""
    return next(iter(items(dataset, tag)), {})


def text(dataset: DicomJson, tag: str) -> str:
    """The element as one line or more: several values are joined by commas, names are in the order that people read."""
    return ", ".join(readable for value in values(dataset, tag) if (readable := _readable(value)))


def numbers(dataset: DicomJson, tag: str) -> list[float]:
    """The element's values that are finite numbers; a number kept as text for its size or form counts."""
    return [found for value in values(dataset, tag) if (found := _number(value)) is not None]


def number(dataset: DicomJson, tag: str) -> float | None:
    """The first value if it is a finite number."""
    found = values(dataset, tag)
    return _number(found[0]) if found else None


def count(dataset: DicomJson, tag: str) -> int:
    """The first value as a whole number, 0 where it is none or negative."""
    found = number(dataset, tag)
    return max(0, int(found)) if found is not None and found.is_integer() else 0


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _readable(value: object) -> str:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return person(value)
    return plain_number(value) if isinstance(value, int | float) else ""


def clean(value: str) -> str:
    """The text without control characters other than tab and line ends, which become one `\\n` each; ends trimmed."""
    lines = value.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return _CONTROLS.sub("", lines).strip()


def plain_number(value: float) -> str:
    """The number as short as it can be written without loss: `10`, not `10.0`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def person(groups: Mapping[str, Any]) -> str:
    """A person's name in reading order: `Doe, John M., Dr (山田 太郎 / やまだ たろう)`."""
    alphabetic, *others = (_in_order(str(groups.get(name) or "")) for name in ("Alphabetic", "Ideographic", "Phonetic"))
    also = " / ".join(name for name in others if name)
    return f"{alphabetic} ({also})" if alphabetic and also else alphabetic or also


def _in_order(group: str) -> str:
    """Family, given and middle, prefix, suffix (PS3.5 6.2.1.1); the first comma is left out of a name of ideographs."""
    family, given, middle, prefix, suffix = [*(clean(part) for part in group.split("^")), *[""] * 5][:5]
    calling = " ".join(part for part in (given, middle) if part)
    if family and not family.isascii() and ord(family[0]) >= 0x2E80:
        family, calling = " ".join(part for part in (family, calling) if part), ""
    return ", ".join(part for part in (family, calling, prefix, suffix) if part)


def date(value: str) -> str:
    """A DA as `2023-08-24`; what is no date stays as it is."""
    found = _DATE.fullmatch(value)
    return "-".join(part for part in found.groups() if part) if found else value


def time(value: str) -> str:
    """A TM as `16:01:43`, its fraction of a second only where it is not zero; what is no time stays as it is."""
    found = _TIME.fullmatch(value)
    if found is None:
        return value
    *clock, fraction = found.groups()
    return ":".join(part for part in clock if part) + (fraction or "").rstrip("0").rstrip(".")


def moment(value: str) -> str:
    """A DT as `2023-08-24 16:01:43 +02:00`; what is none stays as it is."""
    found = _MOMENT.fullmatch(value)
    if found is None:
        return value
    day, clock, zone = found.groups()
    parts = [date(day), time(clock) if clock else "", f"{zone[:3]}:{zone[3:]}" if zone else ""]
    return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry (PS3.3 8): what it means to people, and its value in a coding scheme."""

    value: str
    scheme: str
    meaning: str
    version: str = ""

    @property
    def text(self) -> str:
        """What people read."""
        return self.meaning or self.value

    def plain(self) -> dict[str, str]:
        """The code as JSON."""
        told = {"value": self.value, "scheme": self.scheme, "version": self.version, "meaning": self.meaning}
        return {name: part for name, part in told.items() if part}


def code(dataset: DicomJson, tag: str) -> Code | None:
    """The first item of a code sequence, None where it is empty; the long and the URN form of a value count (PS3.3 8.1)."""
    found = item(dataset, tag)
    value = text(found, "00080100") or text(found, "00080119") or text(found, "00080120")
    meaning = text(found, "00080104")
    if not value and not meaning:
        return None
    return Code(value, text(found, "00080102"), meaning, text(found, "00080103"))
