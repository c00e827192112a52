"""Files on a volume as rows of the index: read in processes of their own, many at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from blake3 import blake3

from charrua_core.archive.datasets.header import pack_json, scan
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.index.rows import Filed, dumped, instance_row
from charrua_core.errors import HeaderDamaged
from charrua_core.types import Arrival, Origin

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """An object in a file, as its row and what stands beside it."""

    path: str
    row: dict[str, Any]
    header: bytes
    frame_offsets: bytes | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is no object: it stays where it is."""

    path: str
    reason: str


def read_files(root: str, volume_id: int, paths: Sequence[str]) -> list[Found | Unreadable]:
    """The objects in these files of a volume; blocks, and belongs into a worker process."""
    return [_read_or_tell(Path(root), volume_id, path) for path in paths]


def _read_or_tell(root: Path, volume_id: int, path: str) -> Found | Unreadable:
    try:
        return _read(root, volume_id, path)
    except (HeaderDamaged, OSError) as error:
        return Unreadable(path, str(error))


def _read(root: Path, volume_id: int, path: str) -> Found:
    descriptor = os.open(root / path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    try:
        stat = os.fstat(descriptor)
        meta = read_file_meta(descriptor)
        meta_digest, dataset_digest = digests(descriptor, meta.dataset_offset)
        header = scan(descriptor, meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset, size=stat.st_size)
    finally:
        os.close(descriptor)
    filed = Filed(
        header=header,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        arrival=meta.arrival or _foreign(stat.st_mtime_ns, dataset_digest),
        seen=None,
        overlay=None,
        volume_id=volume_id,
        path=path,
        size_bytes=stat.st_size,
        dataset_offset=meta.dataset_offset,
        meta_digest=meta_digest,
        dataset_digest=dataset_digest,
    )
    return Found(path, instance_row(filed), pack_json(header.json), header.frame_offsets)


def digests(descriptor: int, dataset_offset: int) -> tuple[bytes, bytes]:
    """BLAKE3 of what stands before the data set of an open file, and of the data set; blocks."""
    meta = blake3(os.pread(descriptor, dataset_offset, 0)).digest()
    dataset, offset = blake3(), dataset_offset
    while chunk := os.pread(descriptor, _CHUNK, offset):
        dataset.update(chunk)
        offset += len(chunk)
    return meta, dataset.digest()


def _foreign(modified_ns: int, dataset_digest: bytes) -> Arrival:
    """The arrival of a file that somebody else wrote: when it was written; the same each time that it is read."""
    random = int.from_bytes(dataset_digest[:10], "big")
    milliseconds = max(modified_ns, 0) // 1_000_000
    number = milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return Arrival(f"{number:032x}", datetime.fromtimestamp(modified_ns // 1000 / 1e6, UTC), Origin("import"))


# The tables grow while nobody has counted their rows: without this, whole ones would be read for each batch.
_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_STUDIES = """
    INSERT INTO core.study (study_uid)
    SELECT DISTINCT study_uid FROM jsonb_to_recordset($1::text::jsonb) o(study_uid text COLLATE "C") ORDER BY 1
    ON CONFLICT DO NOTHING
"""
_SERIES = """
    INSERT INTO core.series (study_id, received_study_uid, series_uid)
    SELECT DISTINCT coalesce(t.merged_into, t.id), o.study_uid, o.series_uid
    FROM jsonb_to_recordset($1::text::jsonb) o(study_uid text COLLATE "C", series_uid text COLLATE "C")
    JOIN core.study t ON t.study_uid = o.study_uid
    ON CONFLICT DO NOTHING
"""
# The versions are counted as they come; `settle_versions` puts them into the order of arrival.
_INSTANCES = """
    INSERT INTO core.instance (
        series_id, sop_instance_uid, version, current, sop_class_uid, transfer_syntax_uid, instance_number, "rows",
        "columns", bits_allocated, number_of_frames, content_date, content_time, volume_id, path, size_bytes,
        dataset_offset, meta_digest, dataset_digest, header, pixel_data_offset, frame_offsets, unparsed, arrival_id,
        received_at, origin, received_syntax_uid, received_digest, transcoded_at
    )
    SELECT s.id, o.sop_instance_uid, numbered.version, numbered.version = 1, o.sop_class_uid, o.transfer_syntax_uid,
        o.instance_number, o."rows", o."columns", o.bits_allocated, o.number_of_frames, o.content_date, o.content_time,
        o.volume_id, o.path, o.size_bytes, o.dataset_offset, decode(o.meta_digest, 'hex'),
        decode(o.dataset_digest, 'hex'), ($2::bytea[])[o.n + 1], o.pixel_data_offset, ($3::bytea[])[o.n + 1],
        o.unparsed, o.arrival_id, o.received_at, o.origin, o.received_syntax_uid, decode(o.received_digest, 'hex'),
        o.transcoded_at
    FROM jsonb_to_recordset($1::text::jsonb) AS o(
        n integer, nth integer, study_uid text COLLATE "C", series_uid text COLLATE "C",
        sop_instance_uid text COLLATE "C", sop_class_uid text, transfer_syntax_uid text, instance_number text,
        "rows" integer, "columns" integer, bits_allocated smallint, number_of_frames integer, content_date text,
        content_time text, volume_id smallint, path text, size_bytes bigint, dataset_offset integer, meta_digest text,
        dataset_digest text, pixel_data_offset bigint, unparsed boolean, arrival_id uuid, received_at timestamptz,
        origin jsonb, received_syntax_uid text, received_digest text, transcoded_at timestamptz
    )
    JOIN core.series s ON s.received_study_uid = o.study_uid AND s.series_uid = o.series_uid
    CROSS JOIN LATERAL (
        SELECT (SELECT coalesce(max(i.version), 0) FROM core.instance i WHERE i.sop_instance_uid = o.sop_instance_uid)
            + o.nth AS version
    ) numbered
"""


async def index_files(connection: asyncpg.Connection, found: Sequence[Found]) -> None:
    """Insert the objects, and bare rows of their studies and series; the caller's transaction, and `refresh`, do the rest."""
    if not found:
        return
    seen: dict[str, int] = {}
    rows = []
    for number, one in enumerate(found):
        uid = one.row["sop_instance_uid"]
        seen[uid] = seen.get(uid, 0) + 1
        rows.append({**one.row, "n": number, "nth": seen[uid], "overlay": None})
    given = dumped(rows)
    await connection.execute(_BY_INDEX)
    await connection.execute(_STUDIES, given)
    await connection.execute(_SERIES, given)
    await connection.execute(_INSTANCES, given, [one.header for one in found], [one.frame_offsets for one in found])
