"""All volumes: the current one takes objects, the earlier ones stay readable."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core import tables
from charrua_core.db import Database, Values
from charrua_core.errors import StorageFailed
from charrua_core.settings import Setting
from charrua_core.storage.volume import MARKER, Volume, look_for_mark

CHANNEL = "charrua_volume"
MARKER_TEXT = "A volume of a Charrua archive. The archive writes to this folder only while this file is in it.\n"

SETTINGS = (
    Setting(
        "storage_sync_threads",
        int,
        8,
        minimum=1,
        maximum=64,
        help="How many files each process flushes to the disk at the same time",
        since="0.1",
        local=True,
    ),
)

logger = logging.getLogger(__name__)


class Volumes:
    """The volumes of an archive; open them with `Volumes.open`, close them with `close`."""

    def __init__(self, db: Database, settings: Values) -> None:
        self._db = db
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings["storage_sync_threads"], thread_name_prefix="storage")
        self._volumes: dict[int, Volume] = {}
        self._stop_listening: Callable[[], None] = lambda: None
        self._loading: asyncio.Task[None] | None = None
        self.current: Volume

    @classmethod
    async def open(cls, db: Database, settings: Values) -> Volumes:
        """Open the volume that the setting `volume` names, registering a new one, and know the earlier ones.

        Raises StorageFailed where its folder cannot be written, or is not the one it was (a disk that is not mounted).
        """
        volumes = cls(db, settings)
        try:
            await volumes._open(volumes._absolute(settings["volume"] or "volume-1"))
        except BaseException:
            await volumes.close()
            raise
        return volumes

    async def _open(self, root: Path) -> None:
        number, new = await self._register(root)
        _mark(root, new)
        await self._load()
        self.current = self.by_id(number)
        await self.current.open()
        self._stop_listening = await self._db.listen(CHANNEL, self._reload)

    async def close(self) -> None:
        """Close the volumes, leaving nothing of this process in the spool."""
        self._stop_listening()
        for volume in self._volumes.values():
            await volume.close()
        self._threads.shutdown(wait=True)

    async def know(self, root: Path) -> None:
        """Know one more volume, written before this database was made: what is on it can be read, nothing is added to it.

        Raises StorageFailed where the folder is no volume.
        """
        root = self._absolute(root)
        _mark(root, new=False)
        async with self._db.transaction() as tx:
            await tx.execute(insert(tables.volume).values(path=self._kept(root)).on_conflict_do_nothing())
            self._db.notify(tx, CHANNEL)
        await self._load()

    def by_id(self, number: int) -> Volume:
        """Give the volume of this number; StorageFailed where there is none."""
        if number not in self._volumes:
            raise StorageFailed(f"there is no volume {number}")
        return self._volumes[number]

    def all(self) -> list[Volume]:
        """Give all volumes, oldest first."""
        return [self._volumes[number] for number in sorted(self._volumes)]

    async def _register(self, root: Path) -> tuple[int, bool]:
        """Make the volume at this root the current one; gives its number and whether it is new."""
        table, path = tables.volume, self._kept(root)
        added = insert(table).values(path=path).on_conflict_do_nothing().returning(table.c.id)
        async with self._db.transaction() as tx:
            new = (await tx.execute(added)).scalar()
            number = new or (await tx.execute(select(table.c.id).where(table.c.path == path))).scalar_one()
            await tx.execute(
                update(table)
                .where(table.c.current.is_distinct_from(table.c.id == number))
                .values(current=table.c.id == number)
            )
            if new:
                self._db.notify(tx, CHANNEL)
        return number, new is not None

    def _reload(self, _payload: str) -> None:
        """Know the volume that another process has registered, too."""
        self._loading = asyncio.create_task(self._load(), name="load volumes")

    async def _load(self) -> None:
        async with self._db.reading() as connection:
            rows = (await connection.execute(select(tables.volume.c.id, tables.volume.c.path))).all()
        for number, path in rows:
            if number not in self._volumes:
                root = self._absolute(path)
                self._volumes[number] = Volume(number, root, self._threads, self._reserve_bytes)

    def _absolute(self, path: str | Path) -> Path:
        return Path(self._settings["data_dir"], path).absolute()

    def _kept(self, root: Path) -> str:
        """Give the path as the table has it: relative below the data folder, so that this can be moved as a whole."""
        data_dir = self._absolute("")
        return str(root.relative_to(data_dir)) if root.is_relative_to(data_dir) else str(root)

    def _reserve_bytes(self) -> int:
        return int(self._settings["storage_reserve_bytes"])


def _mark(root: Path, new: bool) -> None:
    """Leave a mark in a new volume's folder, and look for it in one that was used before."""
    marker = root / MARKER
    try:
        if new:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600)
            with open(descriptor, "w") as file:
                file.write(MARKER_TEXT)
        else:
            look_for_mark(root)
    except OSError as error:
        raise StorageFailed(f"the volume {root} cannot be written: {error.strerror}") from error
