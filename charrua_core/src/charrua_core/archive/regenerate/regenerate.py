"""The index built anew from the volumes alone: their files, in the order of arrival, and the journals of edits.

It goes in three steps, and goes on where it stopped when it is started again: a mark in the database says how far it is,
and that nothing else may be done with this index before it has come to its end.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from charrua_core.archive.edit.journal import Damaged
from charrua_core.archive.regenerate.edits import replay
from charrua_core.archive.regenerate.files import Found, Unreadable, index_files, read_files
from charrua_core.archive.regenerate.studies import refresh_all
from charrua_core.errors import CharruaError

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.db import Database
    from charrua_core.storage import Volume

FILES_AT_ONCE = 128
_MARK = "charrua regenerate "


class RegenerationRuns(CharruaError):
    """The index is being built anew by another process."""


@dataclass(slots=True)
class Regeneration:
    """What was found and made, so far and at the end."""

    files: int = 0
    objects: int = 0
    size_bytes: int = 0
    edits: int = 0
    studies: int = 0
    started: float = field(default_factory=time.monotonic)
    unreadable: list[Unreadable] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    """Files with the bytes of another one, by no record a version of it: what a crash left of a store."""
    damaged: list[Damaged] = field(default_factory=list)
    """Lines of the journals that are no record."""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.started


Progress = Callable[[Regeneration], None]


async def regenerate(app: App, progress: Progress = lambda _: None) -> Regeneration:
    """Build the index anew from all volumes that this archive knows, or go on with that.

    Give it an archive that nobody else uses. Raises RegenerationRuns when another process does the same, StorageFailed
    where the disk of a volume is not mounted: its objects would be lost to the index.
    """
    async with app.db.singleton("regenerate") as alone:
        if not alone:
            raise RegenerationRuns
        for volume in app.volumes.all():
            await asyncio.to_thread(volume.look_for_mark)
        done = Regeneration()
        mark = await _begin(app.db)
        if mark.get("step") != "edits":
            await _index_volumes(app, mark, done, progress)
        done.edits, done.damaged, done.duplicates = await replay(app)
        done.studies = await refresh_all(app.db, lambda: progress(done))
        await _end(app.db)
    return done


async def under_way(db: Database) -> bool:
    """Whether a regeneration was begun and has not come to its end: the index is not whole."""
    async with db.driver(reading=True) as connection:
        return await _read_mark(connection) is not None


async def _index_volumes(app: App, mark: dict[str, Any], done: Regeneration, progress: Progress) -> None:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawned) as readers:
        for volume in app.volumes.all():
            last = mark.get("last", {}).get(str(volume.id))
            async for paths, found in _read_volume(volume, last, readers):
                await _index(app.db, volume, paths, found, mark)
                _count(done, found)
                progress(done)
    async with app.db.driver() as connection:
        mark["step"] = "edits"
        await _write_mark(connection, mark)


async def _read_volume(
    volume: Volume, last: str | None, readers: ProcessPoolExecutor
) -> AsyncIterator[tuple[list[str], list[Found | Unreadable]]]:
    """What is in the files after `last`, batch by batch in their order, a few batches read ahead."""
    loop = asyncio.get_running_loop()
    ahead: deque[tuple[list[str], asyncio.Future[list[Found | Unreadable]]]] = deque()
    async for paths in _batches(volume, last):
        ahead.append((paths, loop.run_in_executor(readers, read_files, str(volume.root), volume.id, paths)))
        if len(ahead) > 2 * (os.cpu_count() or 1):
            first, reading = ahead.popleft()
            yield first, await reading
    while ahead:
        first, reading = ahead.popleft()
        yield first, await reading


async def _batches(volume: Volume, last: str | None) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    behind = None if last is None else _place(PurePath(last))
    async for path in volume.list():
        if behind is not None and _place(path) <= behind:
            continue
        if path.parent.parts:  # at the top there is the volume's own mark only
            batch.append(path.as_posix())
        if len(batch) == FILES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _place(path: PurePath) -> list[tuple[bool, str]]:
    """Sorts as `Volume.list` does: the files of a folder before what is in its folders."""
    return [*((True, part) for part in path.parts[:-1]), (False, path.name)]


async def _index(
    db: Database, volume: Volume, paths: Sequence[str], found: Sequence[Found | Unreadable], mark: dict[str, Any]
) -> None:
    async with db.driver() as connection, connection.transaction():
        await index_files(connection, [one for one in found if isinstance(one, Found)])
        mark.setdefault("last", {})[str(volume.id)] = paths[-1]
        await _write_mark(connection, mark)


def _count(done: Regeneration, found: Sequence[Found | Unreadable]) -> None:
    done.files += len(found)
    for one in found:
        if isinstance(one, Unreadable):
            done.unreadable.append(one)
        else:
            done.objects += 1
            done.size_bytes += one.row["size_bytes"]


# The mark is the comment on core.study: written in the transaction of what it tells of, and gone with the database.
async def _begin(db: Database) -> dict[str, Any]:
    """How far an earlier attempt came; else everything is emptied."""
    async with db.driver() as connection, connection.transaction():
        mark = await _read_mark(connection)
        if mark is None:
            mark = {}
            await connection.execute("TRUNCATE core.study, core.series, core.instance, core.edit")
            await _write_mark(connection, mark)
    return mark


async def _end(db: Database) -> None:
    async with db.driver() as connection:
        await connection.execute("UPDATE core.volume SET opened_at = 'epoch'")  # all that is on them is known now
        await connection.execute("COMMENT ON TABLE core.study IS NULL")
        await connection.execute("ANALYZE core.study, core.series, core.instance, core.edit")


async def _read_mark(connection: asyncpg.Connection) -> dict[str, Any] | None:
    comment = await connection.fetchval("SELECT obj_description('core.study'::regclass, 'pg_class')")
    if comment is None or not comment.startswith(_MARK):
        return None
    mark: dict[str, Any] = orjson.loads(comment.removeprefix(_MARK))
    return mark


async def _write_mark(connection: asyncpg.Connection, mark: dict[str, Any]) -> None:
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", _MARK + orjson.dumps(mark).decode())
    await connection.execute(f"COMMENT ON TABLE core.study IS {quoted}")
