"""What the index is told of a received object: the rows of study, series and instance as the SQL of ingest takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import orjson

from charrua_core.archive.datasets.header import Header
from charrua_core.archive.edit.effective import laid
from charrua_core.archive.edit.record import Record
from charrua_core.archive.index.levels import attributes_at, column_values
from charrua_core.types import Arrival, DicomJson, Level, Origin

_SMALLINT = 1 << 15


@dataclass(frozen=True, slots=True)
class Filed:
    """An object that has its place on a volume, with all that the index keeps of it.

    `records` are the coercions whose sum `overlay` is.
    `seen` is the identity of its study that the judge saw (`core.identity_of`), None for a study that was not there. Of the
    file's `size_bytes`, the data set begins at `dataset_offset`.
    """

    header: Header
    transfer_syntax_uid: str
    arrival: Arrival
    seen: str | None
    overlay: DicomJson | None
    volume_id: int
    path: str
    size_bytes: int
    dataset_offset: int
    meta_digest: bytes
    dataset_digest: bytes
    records: tuple[Record, ...] = ()


def instance_row(filed: Filed) -> dict[str, Any]:
    """The instance as `core.store_objects` takes it, the change that tells of it included; header and frames go beside it."""
    header, arrival = filed.header, filed.arrival
    bits = header.bits_allocated
    return {
        "study_uid": header.study_instance_uid,
        "series_uid": header.series_instance_uid,
        "seen": filed.seen,
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": filed.transfer_syntax_uid,
        **_image_columns(filed),
        "rows": header.rows,
        "columns": header.columns,
        "bits_allocated": bits if bits is not None and bits < _SMALLINT else None,
        "number_of_frames": header.number_of_frames,
        "volume_id": filed.volume_id,
        "path": filed.path,
        "size_bytes": filed.size_bytes,
        "dataset_offset": filed.dataset_offset,
        "meta_digest": filed.meta_digest.hex(),
        "dataset_digest": filed.dataset_digest.hex(),
        "pixel_data_offset": header.pixel_data_offset,
        "unparsed": header.unparsed,
        "arrival_id": arrival.arrival_id,
        "received_at": arrival.received_at,
        "origin": origin_json(arrival.origin),
        "overlay": filed.overlay,
        "change": _change(filed),
        **_as_received(filed.arrival),
    }


def _as_received(arrival: Arrival) -> dict[str, Any]:
    given = arrival.as_received
    if given is None:
        return {}
    return {
        "received_syntax_uid": given.transfer_syntax_uid,
        "received_digest": given.dataset_digest.hex(),
        "transcoded_at": given.transcoded_at,
    }


def _image_columns(filed: Filed) -> dict[str, str]:
    header = filed.header
    if filed.overlay:
        return column_values(Level.IMAGE, _attributes(filed))
    return {
        "instance_number": header.value("00200013"),
        "content_date": header.value("00080023").replace(".", ""),
        "content_time": header.value("00080033").replace(":", ""),
    }


def _change(filed: Filed) -> dict[str, Any]:
    """The `StoredObject` of the change feed."""
    header = filed.header
    return {
        "study_uid": header.study_instance_uid,
        "series_uid": header.series_instance_uid,
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": filed.transfer_syntax_uid,
        "modality": header.value("00080060"),
        "size_bytes": filed.size_bytes,
        "received_at": filed.arrival.received_at,
        "origin": origin_json(filed.arrival.origin),
        "version": 1,
    }


@lru_cache(maxsize=4096)
def origin_json(origin: Origin) -> dict[str, str]:
    """The origin without what is empty."""
    return {name: value for name, value in asdict(origin).items() if value}


def parent_rows(filed: Filed) -> dict[str, dict[str, Any]]:
    """The rows of a study and a series whose first object this is, as `study_row` and `series_row`."""
    attributes = _attributes(filed)
    of_study, of_series = attributes_at(Level.STUDY, attributes), attributes_at(Level.SERIES, attributes)
    received_at = filed.arrival.received_at
    study_uid = filed.header.study_instance_uid
    return {
        "study_row": {
            "study_uid": study_uid,
            "attributes": of_study,
            "first_received_at": received_at,
            **column_values(Level.STUDY, of_study),
        },
        "series_row": {
            "received_study_uid": study_uid,
            "series_uid": filed.header.series_instance_uid,
            "attributes": of_series,
            "first_received_at": received_at,
            **column_values(Level.SERIES, of_series),
        },
    }


def _attributes(filed: Filed) -> DicomJson:
    return laid(filed.overlay or {}, orjson.loads(filed.header.json))


def dumped(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as JSON that PostgreSQL takes: text there holds no NUL."""
    text = orjson.dumps(rows).decode()
    if "\\u0000" in text:
        text = orjson.dumps(_without_nul(rows)).decode()
    return text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, Mapping):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_without_nul(item) for item in value]
    return value
