"""The journal of edits, beside the objects on their volume: with it, the index can be built from the volumes alone.

`<volume>/journal/YYYY-MM.jsonl` holds one JSON line per record, on disk before the transaction of the edit commits. When
that commit fails, a marker that names the record follows; a record without its row and without a marker is what a crash
left, and `reconcile` marks it at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.edit.record import Record, insert, lock_journal
from charrua_core.errors import CharruaError, StorageFailed, StorageFull
from charrua_core.storage.volume import look_for_mark

if TYPE_CHECKING:
    from charrua_core.db import Database
    from charrua_core.storage import Volume

__all__ = ["Aborted", "Damaged", "JournalAhead", "Record", "append", "files", "insert", "read", "reconcile", "settle"]

log = logging.getLogger(__name__)

FOLDER = "journal"
RECONCILED_BYTES = 64 << 20
"""What is read of the end of a journal file at start: far more than can be in flight when a process dies."""

MOST_CUT_OFF = 3
"""Edits are made one after another: a crash cuts off one of them."""
_NOT_ONE_BY_ONE = frozenset({"coerce", "keep"})


class JournalAhead(CharruaError):
    """The journal has edits that the database lost: marking them as never made would lose them for good."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The transaction of this record was not committed."""

    id: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that is no record: torn by a full disk or a power cut."""

    path: Path
    number: int


async def append(volume: Volume, records: Sequence[Record]) -> None:
    """Put the records on disk, before the transaction that makes them commits; raises StorageFull or StorageFailed."""
    if records:
        await _write(volume.root, b"".join(record.line() for record in records))


async def settle(db: Database, volume: Volume, records: Sequence[Record]) -> bool:
    """After a commit that failed, or whose outcome is unknown: mark the records that have no row as aborted.

    Gives whether all of them have one: they were committed after all. Where the database does not answer, `reconcile`
    marks them at the next start.
    """
    if not records:
        return False
    try:
        async with db.transaction() as tx:
            await lock_journal(tx)
            return not await _mark_missing(tx, volume.root, [record.id for record in records])
    except (CharruaError, OSError) as error:
        log.error("journal not settled", extra={"action": "journal", "records": len(records)}, exc_info=error)
        return False


async def reconcile(db: Database, volumes: Iterable[Volume]) -> int:
    """Mark what a crash left in the journals without its row; call it once per start. Gives the number of marks.

    Records from before this database knew the volume are left alone: their rows are missing because the index is new, and
    `charrua archive regenerate` reads them. Raises JournalAhead where the database is older than the journal.
    """
    marked = 0
    async with db.transaction() as tx:
        await lock_journal(tx)
        for volume in volumes:
            opened_at = await tx.scalar(select(tables.volume.c.opened_at).where(tables.volume.c.id == volume.id))
            made = await asyncio.to_thread(_unmarked, volume.root, opened_at or datetime.now(UTC))
            _refuse_if_ahead(made, await _missing(tx, list(made)))
            marked += await _mark_missing(tx, volume.root, list(made))
    return marked


def _refuse_if_ahead(made: Mapping[str, str], missing: Collection[str]) -> None:
    """Raise JournalAhead where the last edits are missing, and more of them than a crash can have cut off."""
    edits = [identifier for identifier, kind in made.items() if kind not in _NOT_ONE_BY_ONE]
    ahead = len(list(takewhile(frozenset(missing).__contains__, reversed(edits))))
    if ahead > MOST_CUT_OFF:
        raise JournalAhead(
            f"the last {ahead} edits in the journal are not in the database: was that restored from a backup? "
            "Run `charrua archive regenerate`"
        )


def files(root: Path) -> list[Path]:
    """The journal's files on the volume, oldest first."""
    return sorted((root / FOLDER).glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"))


def read(path: Path, from_end: int | None = None) -> Iterator[Record | Aborted | Damaged]:
    """The lines of a journal file in their order, or of its last `from_end` bytes only."""
    with path.open("rb") as file:
        if from_end is not None and file.seek(0, os.SEEK_END) > from_end:
            file.seek(-from_end, os.SEEK_END)
            file.readline()
        else:
            file.seek(0)
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parse(line, path, number)


def _parse(line: bytes, path: Path, number: int) -> Record | Aborted | Damaged:
    try:
        content = orjson.loads(line)
        return Aborted(content["aborts"]) if "aborts" in content else Record.from_json(content)
    except (KeyError, TypeError, ValueError):
        return Damaged(path, number)


def _unmarked(root: Path, since: datetime) -> dict[str, str]:
    """The records made since then that no marker names, with their kinds, of the end of the two newest files."""
    made: dict[str, str] = {}
    for path in files(root)[-2:]:
        for line in read(path, RECONCILED_BYTES):
            if isinstance(line, Record) and line.made_at >= since:
                made[line.id] = line.kind
            elif isinstance(line, Aborted):
                made.pop(line.id, None)
    return made


async def _mark_missing(tx: AsyncConnection, root: Path, ids: Sequence[str]) -> int:
    missing = await _missing(tx, ids)
    if missing:
        await _write(root, b"".join(orjson.dumps({"aborts": identifier}) + b"\n" for identifier in missing))
        log.warning("edits that were not committed are marked", extra={"action": "journal", "records": len(missing)})
    return len(missing)


async def _missing(tx: AsyncConnection, ids: Sequence[str]) -> list[str]:
    missing: list[str] = []
    for start in range(0, len(ids), 10_000):
        part = ids[start : start + 10_000]
        found = await tx.scalars(select(tables.edit.c.id).where(tables.edit.c.id.in_(part)))
        known = {str(identifier) for identifier in found}
        missing += [identifier for identifier in part if identifier not in known]
    return missing


async def _write(root: Path, lines: bytes) -> None:
    """One write at the end of this month's file, then fdatasync; the caller's cancellation does not tear it."""
    try:
        await asyncio.shield(asyncio.to_thread(_write_durably, root / FOLDER, lines))
    except OSError as error:
        raise StorageFailed(f"the journal of {root} takes no line: {error.strerror}") from error


def _write_durably(folder: Path, lines: bytes) -> None:
    path = folder / f"{datetime.now(UTC):%Y-%m}.jsonl"
    descriptor, made = _open(path)
    try:
        written = os.write(descriptor, _mend(descriptor) + lines)
        if written < len(lines):
            raise StorageFull("the journal's disk is full")
        _sync_data(descriptor)
    finally:
        os.close(descriptor)
    if made:
        _sync_folder(folder)


def _open(path: Path) -> tuple[int, bool]:
    """The file, open for appending, and whether it was made just now."""
    if not path.parent.is_dir():
        look_for_mark(path.parent.parent)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(path.parent.parent)
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDWR | os.O_APPEND), False
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), True


def _mend(descriptor: int) -> bytes:
    """A line break where the last write was torn, so that the next line stands by itself."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return b""
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"


def _sync_data(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the folder's entries durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
