"""What a row of the study list says: texts for people, the same in the page, in what scripts ask for, in PDF and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from charrua_core.archive.search import Found
from charrua_core.types import DicomJson
from charrua_web.rendering.words import N_

UID = "0020000D"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the list."""

    name: str
    label: str
    """English: `_(…)` translates it where it is shown."""
    tags: tuple[str, ...] = ()
    """The attributes that it tells."""
    order: str = ""
    """What the list is sorted by at its head."""
    shown: bool = True
    """Whether it is there before anybody chose."""
    number: bool = False


COLUMNS = (
    Column("patient", N_("Patient"), ("00100010", "00100040", "00100030", "00101010"), "patient"),
    Column("status", N_("Status"), (), "status"),
    Column("date", N_("Date"), ("00080020", "00080030"), "date"),
    Column("modalities", N_("Mod."), ("00080061",), "modality"),
    Column("description", N_("Description"), ("00081030",), "description"),
    Column("images", N_("Images"), ("00201208",), "images", number=True),
    Column("patient_id", N_("ID"), ("00100020", "00100021"), "patient_id"),
    Column("accession", N_("Accession"), ("00080050",), "accession"),
    Column("referring", N_("Referring"), ("00080090",), "referring"),
    Column("birth_date", N_("Born"), ("00100030",), "birth_date", shown=False),
    Column("series", N_("Series"), ("00201206",), "series", shown=False, number=True),
    Column("received", N_("Received"), (), "received", shown=False),
    Column("size", N_("Size"), (), "size", shown=False, number=True),
    Column("study_id", N_("Study ID"), ("00200010",), shown=False),
    Column("institution", N_("Institution"), ("00080080",), shown=False),
    Column("issuer", N_("Issuer of ID"), ("00100021",), shown=False),
)
BY_NAME = {column.name: column for column in COLUMNS}
TOLD = frozenset({UID, *(tag for column in COLUMNS for tag in column.tags)})
"""What is asked of the archive for a row."""


def row_of(found: Found) -> dict[str, Any]:
    """Give a row: its study, the text of each column, and what is drawn rather than written."""
    study = found.attributes
    return {
        "uid": text(study, UID),
        "cells": {column.name: _CELLS[column.name](study, found) for column in COLUMNS},
        "about": about_patient(study),
        "modalities": [str(one) for one in study.get("00080061", {}).get("Value", ())],
        "status": found.status.lower(),
        "last": found.facts.last_received_at.isoformat() if found.facts else "",
    }


def text(study: DicomJson, tag: str) -> str:
    """Give the values of an attribute as one text."""
    values = study.get(tag, {}).get("Value", ())
    return ", ".join(str(value) for value in values if value not in (None, ""))


def person(study: Mapping[str, Any], tag: str) -> str:
    """Give a person's name as family, given; in brackets the ideographic one where there are both."""
    value = next(iter(study.get(tag, {}).get("Value", ())), None)
    groups = value if isinstance(value, Mapping) else {"Alphabetic": str(value or "")}
    names = [_one_name(str(groups.get(group, ""))) for group in ("Alphabetic", "Ideographic", "Phonetic")]
    first, *others = [name for name in names if name] or [""]
    return f"{first} ({others[0]})" if others else first


def _one_name(group: str) -> str:
    family, given, middle, prefix, suffix = (*(part.strip() for part in group.split("^")), *[""] * 5)[:5]
    behind = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, behind, suffix) if part)


def day(value: str) -> str:
    """Give a DA as 2026-11-23; what is none as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) == 8 and value.isdigit() else value


def moment(study: DicomJson, date_tag: str, time_tag: str) -> str:
    """Give date and time to the minute."""
    time = text(study, time_tag).replace(":", "")
    clock = f" {time[:2]}:{time[2:4]}" if time[:4].isdigit() and len(time) >= 4 else ""
    return day(text(study, date_tag)) + clock


def about_patient(study: DicomJson) -> str:
    """Give sex and age at the study: F · 54 y."""
    return " · ".join(part for part in (text(study, "00100040"), age(study)) if part)


def age(study: DicomJson) -> str:
    """Give the age as the modality wrote it, or else from the date of birth: 54 y, 7 m, 3 d."""
    written = text(study, "00101010").strip()
    if len(written) == 4 and written[:3].isdigit() and written[3] in "YMWD":
        return f"{int(written[:3])} {written[3].lower()}"
    born, here = _date(text(study, "00100030")), _date(text(study, "00080020"))
    if born is None or here is None or born > here:
        return ""
    years = here.year - born.year - ((here.month, here.day) < (born.month, born.day))
    months = (here.year - born.year) * 12 + here.month - born.month - (here.day < born.day)
    if years >= 2:
        return f"{years} y"
    return f"{months} m" if months >= 1 else f"{(here - born).days} d"


def _date(value: str) -> date | None:
    try:
        return datetime.strptime(value, "%Y%m%d").date()
    except ValueError:
        return None


def size(number: int) -> str:
    """Give a number of bytes for people."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number} B"


_CELLS: dict[str, Any] = {
    "patient": lambda study, _: person(study, "00100010"),
    "status": lambda _, found: found.status.lower(),
    "date": lambda study, _: moment(study, "00080020", "00080030"),
    "modalities": lambda study, _: text(study, "00080061"),
    "description": lambda study, _: text(study, "00081030"),
    "images": lambda study, _: f"{int(text(study, '00201208') or 0):,}",
    "patient_id": lambda study, _: text(study, "00100020"),
    "accession": lambda study, _: text(study, "00080050"),
    "referring": lambda study, _: person(study, "00080090"),
    "birth_date": lambda study, _: day(text(study, "00100030")),
    "series": lambda study, _: text(study, "00201206"),
    "received": lambda _, found: f"{found.facts.first_received_at.astimezone():%Y-%m-%d %H:%M}" if found.facts else "",
    "size": lambda _, found: size(found.facts.size_bytes) if found.facts else "",
    "study_id": lambda study, _: text(study, "00200010"),
    "institution": lambda study, _: text(study, "00080080"),
    "issuer": lambda study, _: text(study, "00100021"),
}
