"""Headers of stored objects as they were parsed last, for the next frame that is asked for: so much of them, and no more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from charrua_core import metrics
from charrua_core.archive.datasets.header import inflated_json
from charrua_core.errors import ImageInvalid
from charrua_core.imaging.pixels import PixelFormat
from charrua_core.types import DicomJson

_MOST_BYTES = 4 << 20
"""Of headers as JSON, which parsed take several times as much."""
_ASKED = metrics.counter(
    "charrua_header_cache_requests_total",
    "Parsed headers that were asked for, by whether they were kept or had to be made.",
    found=("kept", "made"),
)
_PIXELS = ("7FE00010", "7FE00008", "7FE00009")


@dataclass(frozen=True)
class ParsedHeader:
    """What the index holds of an object's data set, without edits. Nobody may change it."""

    version: str
    transfer_syntax_uid: str
    json: DicomJson
    size_bytes: int
    lacks_pixels: bool
    """The object has pixels, and its header was too large to be read as far."""
    frame_offsets: bytes | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ParsedHeader:
        """Parse a row of the index."""
        json, offsets = inflated_json(row["header"]), row["frame_offsets"]
        return cls(
            version=row["version"],
            transfer_syntax_uid=row["transfer_syntax_uid"],
            json=orjson.loads(json),
            size_bytes=len(json) + len(offsets or b""),
            lacks_pixels=row["unparsed"] and row["pixel_data_offset"] is not None,
            frame_offsets=offsets,
        )

    # Edits touch nothing of how pixels are laid out, and coercions should not.
    @cached_property
    def pixel_format(self) -> PixelFormat:
        """How the pixels are laid out. Raises ImageInvalid, FrameTooLarge."""
        return PixelFormat.from_json(self.json, self.transfer_syntax_uid)

    @cached_property
    def pixels(self) -> tuple[int, int]:
        """Offset and length of the pixel data. Raises ImageInvalid where there is none, or none that can be found."""
        found = pixel_data_range(self.json)
        if found is None and self.lacks_pixels:
            raise ImageInvalid("the object's header is too large to tell how its pixels are laid out")
        if found is None:
            raise ImageInvalid("the object has no pixels")
        return found


class ParsedHeaders:
    """Headers by the object's number in the index; the least recently used are given up first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[int, ParsedHeader] = OrderedDict()
        self.size_bytes = 0

    def get(self, instance_id: int) -> ParsedHeader | None:
        """Give the header that is kept; whether it is still that of the index, its version says."""
        kept = self._kept.get(instance_id)
        _ASKED.labels("made" if kept is None else "kept").inc()
        if kept is not None:
            self._kept.move_to_end(instance_id)
        return kept

    def keep(self, instance_id: int, parsed: ParsedHeader) -> None:
        """Keep a header instead of the one that was kept."""
        former = self._kept.pop(instance_id, None)
        self.size_bytes -= former.size_bytes if former else 0
        if parsed.size_bytes > self._most_bytes:
            return
        self._kept[instance_id] = parsed
        self.size_bytes += parsed.size_bytes
        while self.size_bytes > self._most_bytes:
            _, given_up = self._kept.popitem(last=False)
            self.size_bytes -= given_up.size_bytes


def pixel_data_range(header: DicomJson) -> tuple[int, int] | None:
    """Give offset and length of the pixel data's value, as the index has them; None where there are no pixels."""
    for tag in _PIXELS:
        uri = header.get(tag, {}).get("BulkDataURI")
        if uri:
            return bulk_range(uri)
    return None


def bulk_range(uri: str) -> tuple[int, int]:
    """Give the offset and length that a BulkDataURI of the index tells (`archive.datasets.jsonmodel.bulk_json`)."""
    start, _, length = uri.rpartition("&length=")
    return int(start.rpartition("=")[2]), int(length)
