"""What core reads for a scrape: jobs, followers, volumes, the size of the index. Nothing here counts millions of rows."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from charrua_core import metrics
from charrua_core.budgets import TookTooLong, within
from charrua_core.changes import follower_states
from charrua_core.errors import CharruaError
from charrua_core.metrics import Bound, Read
from charrua_core.services.core import follower_names

if TYPE_CHECKING:
    from charrua_core.app import App

READ_WITHIN_S = 2.0

log = logging.getLogger(__name__)

_JOBS = metrics.reading(
    "charrua_jobs", "Jobs that wait, run, or were given up.", kind=Bound.JOBS, state=("due", "running", "dead")
)
_WAITING = metrics.reading(
    "charrua_follower_waiting_changes",
    "Changes that a follower has not been told, counted up to 1,000.",
    follower=Bound.FOLLOWERS,
)
_LAG = metrics.reading(
    "charrua_follower_lag_seconds",
    "Age of the oldest change that a follower has not been told.",
    follower=Bound.FOLLOWERS,
)
_SET_ASIDE = metrics.reading(
    "charrua_follower_set_aside_changes", "Changes that a follower could not take.", follower=Bound.FOLLOWERS
)
_FREE = metrics.reading("charrua_volume_free_bytes", "Room on the disk of a volume.", volume=Bound.VOLUMES)
_SIZE = metrics.reading("charrua_volume_size_bytes", "Size of the disk of a volume.", volume=Bound.VOLUMES)
_WORKS = metrics.reading(
    "charrua_volume_works", "1 where objects can be written to the volume, else 0.", volume=Bound.VOLUMES
)
_INDEX = metrics.reading(
    "charrua_index_rows",
    "Studies, series and objects in the index, as the database estimates them; deleted ones until they are removed for good.",
    level=("study", "series", "instance"),
)
_DATABASE = metrics.reading("charrua_database_size_bytes", "Size of the database on its disk.")
_BUILD = metrics.reading(
    "charrua_build_info",
    "1; the versions are its labels.",
    version=Bound.RELEASES,
    python=Bound.RELEASES,
    postgresql=Bound.RELEASES,
)
_PLUGIN = metrics.reading(
    "charrua_plugin_info", "1 for each plugin; its version is a label.", plugin=Bound.PLUGINS, version=Bound.RELEASES
)


async def core_readings(app: App) -> Sequence[Read]:
    """Give core's; what cannot be read is left out, and told in the log."""
    parts = await asyncio.gather(*(_within(part, app) for part in _PARTS))
    return [read for reads in parts for read in reads]


async def _within(part: Callable[[App], Coroutine[Any, Any, list[Read]]], app: App) -> list[Read]:
    try:
        read: list[Read] = await within(READ_WITHIN_S, asyncio.ensure_future(part(app)))
    except (CharruaError, TookTooLong) as error:
        log.warning("cannot be read for a scrape: %s", error, extra={"reading": part.__name__})
        return []
    return read


async def _volumes(app: App) -> list[Read]:
    reads = []
    for volume in app.volumes.all():
        health, number = await volume.health(), str(volume.id)
        reads.append(_WORKS.of(health.works, volume=number))
        if health.total_bytes:
            reads += [_FREE.of(health.free_bytes, volume=number), _SIZE.of(health.total_bytes, volume=number)]
    return reads


async def _jobs(app: App) -> list[Read]:
    return [_JOBS.of(number, kind=kind, state=state) for (kind, state), number in (await app.jobs.unfinished()).items()]


async def _followers(app: App) -> list[Read]:
    installed = set(follower_names(app))
    return [
        read
        for state in await follower_states(app.db)
        if state.name in installed
        for read in (
            _WAITING.of(state.waiting, follower=state.name),
            _LAG.of(state.behind_s, follower=state.name),
            _SET_ASIDE.of(state.set_aside, follower=state.name),
        )
    ]


async def _index(app: App) -> list[Read]:
    async with app.db.driver(reading=True) as connection:
        rows = await connection.fetch(_ROWS_SQL)
        size, postgresql = await connection.fetchrow(_DATABASE_SQL)
    running = {"version": version("charrua-core"), "python": sys.version.split()[0], "postgresql": postgresql}
    return [
        *(_INDEX.of(row["n"], level=row["level"]) for row in rows),
        _DATABASE.of(size),
        _BUILD.of(1, **running),
        *(_PLUGIN.of(1, plugin=one.name, version=one.version) for one in app.hooks.plugins()),
    ]


_PARTS: tuple[Callable[[App], Coroutine[Any, Any, list[Read]]], ...] = (_volumes, _jobs, _followers, _index)

# What the last analysis has found, or what was added since the statistics began: they begin anew after a crash.
_ROWS_SQL = """
SELECT pg_class.relname AS level, greatest(reltuples, n_live_tup, 0)::bigint AS n
FROM pg_class JOIN pg_stat_user_tables AS stat ON stat.relid = pg_class.oid
WHERE schemaname = 'core' AND pg_class.relname IN ('study', 'series', 'instance')
"""

_DATABASE_SQL = "SELECT pg_database_size(current_database()), current_setting('server_version')"
