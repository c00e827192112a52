"""What the index keeps of a received data set, read with budgets and never past them (reliability D5, D7, D8).

`scan` walks all elements to the end of the data set, so that a truncated object is told from a whole one, and reads no
pixel. It raises `HeaderDamaged` and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from struct import iter_unpack
from types import MappingProxyType

import orjson

from charrua_core.archive.datasets.derived import derived_uids
from charrua_core.archive.datasets.elements import DEFLATED, Memo, layout_of
from charrua_core.archive.datasets.source import BufferSource, Clock, FileSource, InflatedSource, Source
from charrua_core.archive.datasets.walk import Walk
from charrua_core.archive.datasets.walk_state import Budgets
from charrua_core.errors import HeaderDamaged
from charrua_core.types import DicomJson, is_valid_uid

__all__ = ["Budgets", "Header", "Memo", "frame_ranges", "scan", "unpack_json"]

_MEMO = Memo()
_DOES_NOT_MATCH = 0xA900  # Error: data set does not match SOP Class (PS3.4 B.2.3)


@dataclass(frozen=True, slots=True)
class Header:
    """What the index keeps of one object. Offsets count in the file, or in the inflated data set of a deflated one."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    attributes: Mapping[str, str]
    """Tag as 8 upper-case hex digits → decoded value of the attributes in `indexed.INDEXED`; several joined by backslashes."""
    json: bytes = field(repr=False)
    """The data set in the DICOM JSON Model (PS3.18 F), compact; bulk values as `jsonmodel.bulk_json` says."""
    pixel_data_offset: int | None = None
    """Where the value of Pixel Data, Float or Double Float Pixel Data begins."""
    pixel_data_length: int | None = None
    """Its bytes; None where it is encapsulated, or there is none."""
    frame_offsets: bytes | None = field(default=None, repr=False)
    """Encapsulated frames: little endian 64-bit offsets of each frame's first item, and of what follows the last frame."""
    unparsed: bool = False
    """A budget was spent: `json` holds only the elements that were read before."""
    derived: Mapping[str, str] = field(default_factory=dict)
    """The study's and the series' UID, by tag, where the data set lacks them (`archive.datasets.derived`)."""

    def value(self, tag: str) -> str:
        """Give the indexed attribute's value, empty where the object has none."""
        return self.attributes.get(tag, "")

    def values(self, tag: str) -> list[str]:
        """Give the indexed attribute's values, an empty list where the object has none."""
        text = self.attributes.get(tag)
        return text.split("\\") if text else []

    def number(self, tag: str) -> int | None:
        """Give the indexed attribute's value as a number, None where it is none within 0 to 2³¹-1."""
        text = self.value(tag)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 and int(text) < 1 << 31 else None

    @property
    def rows(self) -> int | None:
        """Rows (0028,0010)."""
        return self.number("00280010")

    @property
    def columns(self) -> int | None:
        """Columns (0028,0011)."""
        return self.number("00280011")

    @property
    def bits_allocated(self) -> int | None:
        """Bits Allocated (0028,0100)."""
        return self.number("00280100")

    @property
    def number_of_frames(self) -> int | None:
        """Number of Frames (0028,0008), None where the object does not say it."""
        return self.number("00280008")


def scan(
    source: int | bytes | memoryview,
    transfer_syntax_uid: str,
    *,
    dataset_offset: int = 0,
    size: int | None = None,
    budgets: Budgets | None = None,
    memo: Memo | None = None,
) -> Header:
    """Give what the index keeps of a data set in an open file, a mapping or a buffer; blocks while it reads.

    `dataset_offset` is where the data set begins, `size` where the file ends (needed for a file). Raises HeaderDamaged
    when the data set is cut off or does not hold together (status 0xC000), when a UID of its object is missing, and when
    one of its four UIDs is unsafe (0xA900).
    """
    budgets = budgets or Budgets()
    clock = Clock(budgets.seconds)
    opened: Source
    if isinstance(source, int):
        if size is None:
            raise ValueError("a file is scanned with its size")
        opened = FileSource(source, dataset_offset, size - dataset_offset)
    else:
        opened = BufferSource(memoryview(source)[dataset_offset:size])
    if transfer_syntax_uid in DEFLATED:
        opened, dataset_offset = InflatedSource(opened, budgets.header_bytes, clock), 0
    walk = Walk(opened, layout_of(transfer_syntax_uid), dataset_offset, budgets, clock, memo or _MEMO)
    walk.run()
    return _header(walk)


def _header(walk: Walk) -> Header:
    facts = walk.facts
    # Of an object that was not read to its end, they may stand where nobody has looked.
    derived = {} if walk.unparsed else derived_uids(facts)
    whole = facts | derived if derived else facts
    return Header(
        sop_class_uid=_uid(facts, "00080016", "SOP Class UID"),
        sop_instance_uid=_uid(facts, "00080018", "SOP Instance UID"),
        study_instance_uid=_uid(whole, "0020000D", "Study Instance UID"),
        series_instance_uid=_uid(whole, "0020000E", "Series Instance UID"),
        attributes=MappingProxyType(facts),
        json=walk.json(),
        pixel_data_offset=walk.pixel_data_offset,
        pixel_data_length=walk.pixel_data_length,
        frame_offsets=walk.frame_offsets(),
        unparsed=walk.unparsed,
        derived=derived,
    )


def _uid(facts: dict[str, str], tag: str, name: str) -> str:
    uid = facts.get(tag)
    if uid and is_valid_uid(uid):
        return uid
    damage = HeaderDamaged(f"the {name} is no UID" if uid else f"the data set has no {name}")
    damage.dimse_status = _DOES_NOT_MATCH
    raise damage


def frame_ranges(frame_offsets: bytes) -> Iterator[tuple[int, int]]:
    """Give each encapsulated frame's (offset, length): one item or several with their 8-byte headers."""
    offsets = [offset for (offset,) in iter_unpack("<Q", frame_offsets)]
    return ((start, end - start) for start, end in pairwise(offsets))


def pack_json(json: bytes) -> bytes:
    """Give `Header.json` as `core.instance.header` holds it: deflated here, which takes a third of PostgreSQL's time."""
    return zlib.compress(json, 1)


def unpack_json(stored: bytes) -> DicomJson:
    """Give the data set that `core.instance.header` holds."""
    attributes: DicomJson = orjson.loads(inflated_json(stored))
    return attributes


def inflated_json(stored: bytes) -> bytes:
    """Give `Header.json` of what `core.instance.header` holds."""
    return zlib.decompress(stored)
