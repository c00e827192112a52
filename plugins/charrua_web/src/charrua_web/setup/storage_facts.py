"""What is to be told of volumes, spool, database and jobs. Nothing here counts millions of rows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrua_core.archive.check import job as checking

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.storage import Volume

MOST_SPOOLED = 10_000


async def volumes_of(app: App) -> list[dict[str, Any]]:
    """Give the volumes, oldest first: path, room, how much of it the archive's objects take."""
    held = await _held(app)
    return [await _volume(app, one, held.get(one.id, (0, 0))) for one in app.volumes.all()]


async def _volume(app: App, volume: Volume, held: tuple[int, int]) -> dict[str, Any]:
    health = await volume.health()
    current = volume is app.volumes.current
    spooled, spooled_bytes = await asyncio.to_thread(_spooled, volume.root / "spool")
    used = health.total_bytes - health.free_bytes
    return {
        "id": volume.id,
        "path": str(volume.root),
        "current": current,
        "works": health.works or (not current and not health.detail),
        "detail": health.detail,
        "free_bytes": health.free_bytes,
        "total_bytes": health.total_bytes,
        "used_share": round(used / health.total_bytes, 4) if health.total_bytes else 0.0,
        "objects": held[0],
        "object_bytes": held[1],
        "spooled": spooled,
        "spooled_bytes": spooled_bytes,
        "lasts": _lasts(app, volume, health.free_bytes) if current else None,
    }


def _lasts(app: App, volume: Volume, free_bytes: int) -> float | None:
    """Days until it is full, at the pace that was seen."""

    room = free_bytes - app.settings["storage_reserve_bytes"]
    lasts = app.health.forecasts[volume.id].lasts(time.monotonic(), room)
    return None if lasts is None else lasts.total_seconds() / 86400


def _spooled(folder: Path) -> tuple[int, int]:
    """How many files are on their way in, and their size."""
    number = size = 0
    try:
        for path in folder.rglob("*"):
            if path.is_file() and (length := path.stat().st_size):  # locks are empty
                number, size = number + 1, size + length
            if number >= MOST_SPOOLED:
                break
    except OSError:  # they come and go while we look
        pass
    return number, size


async def database_of(app: App) -> dict[str, Any]:
    """Give what is told of the database."""
    async with app.db.driver(reading=True) as connection:
        row = await connection.fetchrow(_DATABASE)
        tables = await connection.fetch(_TABLES)
        revisions = await connection.fetch(_VERSION_TABLES)
        heads = [(one["schema"], await connection.fetchval(_HEAD % one["schema"])) for one in revisions]
    given = bool(app.settings["database_url"])
    return {**dict(row), "own": not given, "tables": [dict(one) for one in tables], "revisions": heads}


async def jobs_of(app: App) -> list[tuple[str, dict[str, int]]]:
    """Give the jobs that are not done, by kind and state."""
    found: dict[str, dict[str, int]] = {}
    for (kind, state), number in (await app.jobs.unfinished()).items():
        found.setdefault(kind, {})[state] = number
    return sorted(found.items())


async def check_of(app: App) -> checking.Checked | None:
    """Give the last check of the archive."""
    return await checking.latest(app)


async def _held(app: App) -> dict[int, tuple[int, int]]:
    """Objects and bytes of each volume: exact for few objects, by a sample of the index for many."""
    async with app.db.driver(reading=True) as connection:
        rows_there = await connection.fetchval(_ROWS)
        share = min(100.0, 100 * _SAMPLE / max(rows_there, 1))
        rows = await connection.fetch(_HELD if share >= 100 else _SAMPLED % share)
    scale = 100 / share
    return {row["volume_id"]: (round(row["n"] * scale), round(row["bytes"] * scale)) for row in rows}


_SAMPLE = 100_000

_ROWS = """
SELECT greatest(reltuples, n_live_tup, 0)::bigint
FROM pg_class JOIN pg_stat_user_tables AS stat ON stat.relid = pg_class.oid
WHERE schemaname = 'core' AND pg_class.relname = 'instance'
"""

_HELD = "SELECT volume_id, count(*) AS n, sum(size_bytes)::bigint AS bytes FROM core.instance GROUP BY volume_id"

_SAMPLED = (
    "SELECT volume_id, count(*) AS n, sum(size_bytes)::bigint AS bytes "
    "FROM core.instance TABLESAMPLE SYSTEM (%.6f) GROUP BY volume_id"
)

_DATABASE = """
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size_bytes,
    current_setting('max_connections')::int AS most_connections,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
    pg_postmaster_start_time() AS since
"""

_TABLES = """
SELECT schemaname || '.' || relname AS name, pg_total_relation_size(relid) AS size_bytes, n_live_tup AS rows
FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC LIMIT 8
"""

_VERSION_TABLES = """
SELECT table_schema AS schema FROM information_schema.tables WHERE table_name = 'alembic_version'
ORDER BY table_schema <> 'core', table_schema
"""

_HEAD = "SELECT string_agg(version_num, ' ') FROM \"%s\".alembic_version"
