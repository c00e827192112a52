"""Numbered objects made from one encoded template by overwriting a few bytes, so that making one costs microseconds."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks import templates, wire

_SURNAMES = (
    "SURNAMEA",
    "FERREIRA",
    "RODRIGUE",
    "MARTINEZ",
    "GONZALEZ",
    "PEREYRAS",
    "ALVAREZS",
    "BENITEZS",
    "CASTILLO",
    "DOMINGUE",
)
_GIVEN = ("MARIA ", "JOSE  ", "ANA   ", "LUIS  ", "CARLA ", "PABLO ", "LUCIA ")


@dataclass(frozen=True)
class Numbered:
    """Which object: `run` keeps one benchmark's objects apart from another's."""

    run: int
    study: int
    series: int
    instance: int

    def uid(self, level: int) -> str:
        """The UID of its study (1), series (2) or instance (3); 36 characters."""
        number = (self.study, self.series, self.instance)[level - 1]
        return f"2.25.1{level}{self.run:010d}{number:019d}"

    def values(self) -> dict[str, str]:
        """What stands in the place of each of `templates.PLACEHOLDERS`, of the same length."""
        day = datetime.date(2015, 1, 1) + datetime.timedelta(days=self.study % 3650)
        return {
            "study": self.uid(1),
            "series": self.uid(2),
            "instance": self.uid(3),
            "patient": f"P{self.run % 10**4:04d}{self.study:07d}",
            "accession": f"A{self.run % 10**4:04d}{self.study:07d}",
            "name": f"{_SURNAMES[self.study % 10]}^{_GIVEN[self.study % 7]}",
            "date": f"{day:%Y%m%d}",
        }


def numbered(run: int, count: int, first: int = 0, per_series: int = 50, per_study: int = 200) -> Iterator[Numbered]:
    """`count` objects from number `first` on, in series of `per_series` and studies of `per_study`."""
    for number in range(first, first + count):
        yield Numbered(run, number // per_study, number // per_series, number)


class Patchable:
    """Encoded bytes in which the placeholders are overwritten in place."""

    def __init__(self, encoded: bytes, header_bytes: int) -> None:
        self._bytes = bytearray(encoded)
        self._slots = [
            (name, at)
            for name, text in templates.PLACEHOLDERS.items()
            for at in _occurrences(encoded[:header_bytes], text.encode())
        ]

    def of(self, which: Numbered) -> bytearray:
        """The bytes of this object; the same buffer is overwritten by the next call."""
        values = {name: text.encode() for name, text in which.values().items()}
        for name, at in self._slots:
            self._bytes[at : at + len(values[name])] = values[name]
        return self._bytes


def _occurrences(where: bytes, text: bytes) -> Iterator[int]:
    at = where.find(text)
    while at >= 0:
        yield at
        at = where.find(text, at + 1)


@dataclass(frozen=True)
class Template:
    """One kind of object, encoded once."""

    sop_class: str
    header: bytes
    pixels: bytes

    @property
    def dataset(self) -> bytes:
        """The encoded data set with placeholders."""
        return self.header + self.pixels

    def data(self) -> Patchable:
        """The data set alone, as it is stored and digested."""
        return Patchable(self.dataset, len(self.header))

    def file(self) -> Patchable:
        """A Part 10 file."""
        meta = templates.file_meta(self.sop_class, templates.PLACEHOLDERS["instance"])
        return Patchable(meta + self.dataset, len(meta) + len(self.header))

    def store_request(self, context: int, max_pdu: int) -> Patchable:
        """A whole C-STORE-RQ cut into PDUs for a peer that takes `max_pdu`."""
        command: wire.Command = {
            wire.AFFECTED_CLASS: self.sop_class.encode(),
            wire.COMMAND: 0x0001,
            wire.MESSAGE_ID: 1,
            wire.PRIORITY: 0,
            wire.AFFECTED_INSTANCE: templates.PLACEHOLDERS["instance"].encode(),
        }
        framed = wire.message(context, command, self.dataset, max_pdu)
        return Patchable(framed, len(self.header) + 1024)


@cache
def ct() -> Template:
    """The CT slice of 0.54 MB."""
    pixels = templates.ct_pixels()
    head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels))
    return Template(templates.CT_CLASS, templates.encode(templates.ct_dataset()) + head, pixels)


@cache
def sr() -> Template:
    """The structured report of about 3 KB."""
    return Template(templates.SR_CLASS, templates.encode(templates.sr_dataset()), b"")


def write_files(template: Template, which: Iterator[Numbered], folder: Path) -> list[Path]:
    """Write each object as a Part 10 file into `folder` and return the paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    patchable, paths = template.file(), []
    for one in which:
        path = folder / f"{one.instance:07d}.dcm"
        path.write_bytes(patchable.of(one))
        paths.append(path)
    return paths
