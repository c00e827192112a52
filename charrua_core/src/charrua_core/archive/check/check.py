"""Whether index and volumes agree: objects without their file, files without an object, bytes that are not what came.

It may run while the archive serves: what looks wrong is looked at again after a while, so that objects on their way in or
out are not told of. Nothing is written.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import RowMapping, Text, cast, exists, select

from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.edit import journal
from charrua_core.archive.edit.journal import Damaged
from charrua_core.archive.index.replace_file import to_be_discarded
from charrua_core.archive.regenerate.files import digests
from charrua_core.errors import HeaderDamaged, StorageFailed
from charrua_core.tables import edit, instance

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.db import Database
    from charrua_core.storage import Volume

GRACE_S = 5.0
_AT_ONCE = 500
_OBJECT_NAME = re.compile(r"([0-9.]{1,64})(?:-\d+)?\.dcm")

Kind = Literal["missing", "damaged", "stray", "spool", "journal"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; the path is below the volume's folder."""

    kind: Kind
    volume_id: int
    path: str
    detail: str


@dataclass(slots=True)
class Check:
    """What was looked at and what was found."""

    objects: int = 0
    files: int = 0
    size_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0


Progress = Callable[[Check], None]


async def check(
    app: App, *, quick: bool = False, grace_s: float = GRACE_S, progress: Progress = lambda _: None
) -> Check:
    """Compare index and volumes; `quick` leaves the digests out, so that no file is read."""
    done = Check()
    suspects: list[tuple[Finding, int]] = []
    with ThreadPoolExecutor(os.cpu_count()) as readers:
        async for rows in _rows(app.db):
            suspects += await _look_at_rows(app, rows, quick, readers)
            done.objects += len(rows)
            done.size_bytes += 0 if quick else sum(row["size_bytes"] for row in rows)
            progress(done)
    strays = []
    for volume in app.volumes.all():
        strays += await _strays_on(app.db, volume, done)
        done.findings += await asyncio.to_thread(_beside_the_objects, volume)
    done.seconds = time.monotonic() - done.started
    if suspects or strays:
        await asyncio.sleep(grace_s)
        done.findings += [one for one, row_id in suspects if await _still_wrong(app, one, row_id)]
        done.findings += [one for one in strays if await _still_stray(app, one)]
    return done


async def _rows(db: Database) -> AsyncIterator[Sequence[RowMapping]]:
    """All objects in portions, but those whose files are being removed for good."""
    last = 0
    while True:
        async with db.reading() as connection:
            purged = edit.c.targets["edit"].astext == cast(instance.c.deleted_by, Text)
            being_purged = exists().where(edit.c.kind == "purge", purged)
            statement = select(instance).with_only_columns(*_COLUMNS).where(instance.c.id > last)
            kept = statement.where(instance.c.deleted_by.is_(None) | ~being_purged)
            rows = (await connection.execute(kept.order_by(instance.c.id).limit(_AT_ONCE))).mappings().all()
        if not rows:
            return
        yield rows
        last = rows[-1]["id"]


_COLUMNS = (
    instance.c.id,
    instance.c.volume_id,
    instance.c.path,
    instance.c.size_bytes,
    instance.c.dataset_offset,
    instance.c.meta_digest,
    instance.c.dataset_digest,
)


async def _look_at_rows(
    app: App, rows: Sequence[RowMapping], quick: bool, readers: ThreadPoolExecutor
) -> list[tuple[Finding, int]]:
    loop = asyncio.get_running_loop()
    found = await asyncio.gather(*(loop.run_in_executor(readers, _look_at, app, row, quick) for row in rows))
    return [(one, row["id"]) for one, row in zip(found, rows, strict=True) if one is not None]


def _look_at(app: App, row: RowMapping, quick: bool) -> Finding | None:
    """What is wrong with an object's file; blocks."""
    try:
        path = app.volumes.by_id(row["volume_id"]).path(row["path"])
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return Finding("missing", row["volume_id"], row["path"], "the file is not there")
    except (OSError, StorageFailed) as error:
        return Finding("missing", row["volume_id"], row["path"], str(error))
    try:
        why = _damage(descriptor, row, quick)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
    return Finding("damaged", row["volume_id"], row["path"], why) if why else None


def _damage(descriptor: int, row: RowMapping, quick: bool) -> str:
    size = os.fstat(descriptor).st_size
    if size != row["size_bytes"]:
        return f"{size} bytes instead of {row['size_bytes']}"
    if quick:
        return ""
    meta, dataset = digests(descriptor, row["dataset_offset"])
    if dataset != row["dataset_digest"]:
        return "the data set is not what was received"
    return "" if meta == row["meta_digest"] else "the file meta information is not what was written"


async def _strays_on(db: Database, volume: Volume, done: Check) -> list[Finding]:
    found: list[Finding] = []
    batch: list[str] = []
    async for path in volume.list():
        if not path.parent.parts:  # the volume's own mark
            continue
        batch.append(path.as_posix())
        if len(batch) == _AT_ONCE:
            found += await _strays_in(db, volume, batch)
            done.files += len(batch)
            batch = []
    done.files += len(batch)
    return found + await _strays_in(db, volume, batch)


async def _strays_in(db: Database, volume: Volume, paths: Sequence[str]) -> list[Finding]:
    """The files among these that no row speaks of. Rows are found by the UID in the name, else by the one in the file."""
    by_name = {path: match[1] for path in paths if (match := _OBJECT_NAME.fullmatch(Path(path).name))}
    left = set(paths) - await _indexed(db, volume, by_name)
    by_content = await asyncio.to_thread(_uids_in, volume.root, sorted(left))
    left -= await _indexed(db, volume, by_content)
    left -= await to_be_discarded(db, volume.id, left)
    return [Finding("stray", volume.id, path, "no object of the index") for path in sorted(left)]


async def _indexed(db: Database, volume: Volume, uids: dict[str, str]) -> set[str]:
    of_these = (instance.c.sop_instance_uid.in_(set(uids.values())), instance.c.volume_id == volume.id)
    async with db.reading() as connection:
        return set(await connection.scalars(select(instance.c.path).where(*of_these)))


def _uids_in(root: Path, paths: Sequence[str]) -> dict[str, str]:
    uids = {}
    for path in paths:
        try:
            uids[path] = read_file_meta(root / path).sop_instance_uid
        except (HeaderDamaged, OSError):
            uids[path] = ""
    return uids


def _beside_the_objects(volume: Volume) -> list[Finding]:
    """What is left in the spool by nobody who lives, and journal lines that cannot be read; blocks."""
    spool = volume.root / "spool"
    entries = sorted(spool.iterdir()) if spool.is_dir() else []
    left = [entry for entry in entries if entry.is_dir() and not entry.with_name(f"{entry.name}.lock").exists()]
    found = [Finding("spool", volume.id, f"spool/{entry.name}", "left by a process that is gone") for entry in left]
    for path in journal.files(volume.root):
        lines = [line for line in journal.read(path) if isinstance(line, Damaged)]
        relative = path.relative_to(volume.root).as_posix()
        found += [Finding("journal", volume.id, relative, f"line {line.number} is no record") for line in lines]
    return found


async def _still_wrong(app: App, finding: Finding, row_id: int) -> bool:
    """Whether the object is still in the index and its file still not as it should be."""
    async with app.db.reading() as connection:
        statement = select(instance).with_only_columns(*_COLUMNS).where(instance.c.id == row_id)
        row = (await connection.execute(statement)).mappings().first()
    if row is None:
        return False
    return await asyncio.to_thread(_look_at, app, row, finding.kind == "missing") is not None


async def _still_stray(app: App, finding: Finding) -> bool:
    volume = app.volumes.by_id(finding.volume_id)
    if not await asyncio.to_thread(volume.path(finding.path).exists):
        return False
    return bool(await _strays_in(app.db, volume, [finding.path]))
