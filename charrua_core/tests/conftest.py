"""An archive in this process, and the way into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from charrua_core.app import App
from charrua_core.archive.ingest.ingest import Spool, Stored
from charrua_core.testing.devices import received_of
from charrua_core.types import Origin


class Intake:
    """Brings objects into an archive as a modality's association would; looks at what the archive then has."""

    def __init__(self, app: App) -> None:
        self.app = app

    def spool(self, image: Dataset, association: str = "one") -> Spool:
        """The object written to its file, and not yet stored."""
        sent = received_of(image)
        origin = Origin("dimse", "MODALITY", "CHARRUA", "127.0.0.1", association)
        spool = self.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
        spool.write(memoryview(sent.data_set))
        return spool

    async def __call__(self, image: Dataset, association: str = "one") -> Stored:
        """The object stored."""
        return await self.app.ingest.store(self.spool(image, association))

    async def rows(self, table: str, order: str = "id") -> list[dict[str, Any]]:
        """The rows of a table of the core."""
        async with self.app.db.driver(reading=True) as connection:
            return [dict(row) for row in await connection.fetch(f"SELECT * FROM core.{table} ORDER BY {order}")]

    async def run(self, statement: str) -> None:
        """Change the index behind the archive's back."""
        async with self.app.db.driver() as connection:
            await connection.execute(statement)

    @property
    def root(self) -> Path:
        """The folder of the current volume."""
        return self.app.volumes.current.root

    def files(self) -> list[Path]:
        """The objects' files on the volume."""
        return sorted(self.root.glob("2*/**/*.dcm"))

    def spooled(self) -> list[Path]:
        """The files that have no place yet."""
        return [path for path in self.root.glob("spool/*/*") if path.is_file()]


@pytest.fixture
def intake(archive_in_process: App) -> Intake:
    """The way into a fresh archive."""
    return Intake(archive_in_process)


@pytest.fixture
def intake_of(open_archive: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens the way into a fresh archive with other settings or plugins."""

    async def intake_of(**options: Any) -> Intake:
        return Intake(await open_archive(**options))

    return intake_of
