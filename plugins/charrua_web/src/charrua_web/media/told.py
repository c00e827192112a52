"""The objects of a medium before their files are opened: how they are named there, and what is told of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson

from charrua_core.archive.datasets.dicomdir import kept_attributes
from charrua_core.archive.search import InstanceRecord
from charrua_core.types import DicomJson
from charrua_core.web import Request
from charrua_web.dicomweb.wado_metadata import metadata
from charrua_web.dicomweb.wado_selection import Selection

MOST_FRAMES = 100_000


@dataclass(slots=True)
class Told:
    """One object: its attributes, those that a DICOMDIR tells, its file, and its pictures once they are made."""

    attributes: DicomJson
    frames: int
    """0 for what is no image."""
    file_id: tuple[str, ...] = ()
    pictures: list[str] = field(default_factory=list)
    document: str = ""
    video: str = ""
    note: str = ""

    def text(self, tag: str) -> str:
        """Give the first value of an attribute; of a person's name, family and given name as people write them."""
        value = next(iter(self.attributes.get(tag, {}).get("Value") or [""]), "")
        if isinstance(value, dict):
            return ", ".join(part for part in str(value.get("Alphabetic", "")).split("^")[:2] if part)
        return "" if value is None else str(value)

    def number(self, tag: str) -> int:
        """Give the first value as a whole number, 0 where it is none."""
        text = self.text(tag)
        return int(text) if text.lstrip("-").isdigit() and len(text) < 10 else 0


class FileIds:
    """The names of files: PS3.10 8.2, eight capital letters and digits at most. They tell nothing of whose they are."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], str] = {}
        self._numbers: dict[str, int] = {}

    def of(self, patient: str, study: str, series: str) -> tuple[str, ...]:
        """Give the name of the next file of a series."""
        return (
            "DICOM",
            self._name("PAT", 5, (patient,)),
            self._name("ST", 6, (patient, study)),
            self._name("SE", 6, (patient, study, series)),
            self._next("IM", 6),
        )

    def _name(self, prefix: str, digits: int, key: tuple[str, ...]) -> str:
        if key not in self._known:
            self._known[key] = self._next(prefix, digits)
        return self._known[key]

    def _next(self, prefix: str, digits: int) -> str:
        number = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}{number:0{digits}}"


async def told_of(request: Request, chosen: Selection) -> dict[int, Told]:
    """Give what is told of each object, by its number in the index."""
    ids, told = FileIds(), dict[int, Told]()
    several: AsyncGenerator[tuple[InstanceRecord, bytes], None] = metadata(request, chosen.ids)
    async with aclosing(several):
        async for record, json in several:
            attributes: DicomJson = orjson.loads(json)
            one = told[record.instance_id] = Told(kept_attributes(attributes), _frames(attributes))
            one.file_id = ids.of(one.text("00100020"), record.study_uid, record.series_uid)
    return told


def _frames(attributes: DicomJson) -> int:
    def first(tag: str) -> Any:
        return next(iter(attributes.get(tag, {}).get("Value") or [None]), None)

    if not first("00280010") or not first("00280011"):
        return 0
    number = first("00280008")
    return min(int(number), MOST_FRAMES) if str(number or "").isdigit() and int(number) else 1
