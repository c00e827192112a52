"""Uploads that nobody goes on with: forgotten after a while, and their bytes removed."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_web.uploads import rows

if TYPE_CHECKING:
    from charrua_core.app import App

EVERY_S = 600.0
log = logging.getLogger(__name__)


async def sweep(app: App) -> None:
    """Remove uploads that nobody goes on with, what is told of finished ones, and files that belong to none."""
    before = datetime.now(UTC) - app.settings["upload_kept"]
    old = await rows.stale(app.db, before)
    if old:
        await rows.remove(app.db, [upload.id for upload in old])
        log.info("uploads removed", extra={"action": "uploads removed", "uploads": len(old)})
    for folder in [volume.upload_path("x").parent for volume in app.volumes.all()]:
        names = await asyncio.to_thread(_older, folder, before.timestamp())
        needed = await rows.known(app.db, names) if names else set()
        await asyncio.to_thread(_remove, [folder / name for name in names if name not in needed])


def _older(folder: Path, before: float) -> list[str]:
    with suppress(FileNotFoundError):
        return [path.name for path in folder.iterdir() if path.stat().st_mtime < before and _is_ours(path.name)]
    return []


def _is_ours(name: str) -> bool:
    with suppress(ValueError):
        return uuid.UUID(name).hex == name
    return False


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def sweeper(app: App) -> Callable[[], Awaitable[None]]:
    """Give the coroutine function of the service that sweeps."""

    async def run() -> None:
        while True:
            await sweep(app)
            await asyncio.sleep(EVERY_S)

    return run
