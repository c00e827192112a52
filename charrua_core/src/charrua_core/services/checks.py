"""What core itself looks at when somebody asks whether the archive works."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from charrua_core.changes import FollowerState, follower_states
from charrua_core.dicom.certificates import listener_expires
from charrua_core.errors import CharruaError
from charrua_core.services.breaches import breaches
from charrua_core.services.core import follower_names
from charrua_core.types import Finding

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.services.health import Check
    from charrua_core.storage import Volume

BEHIND = timedelta(minutes=15)
CLOCKS_APART = timedelta(seconds=5)
MOST_AUDIT_WAITING = 1000
LATE_IS_PAST = timedelta(minutes=15)
"""So long a call of a plugin that took far too long counts against it."""
FULL_IS_FAR, FULL_IS_NEAR = timedelta(days=365), timedelta(days=2)
RENEW_CERTIFICATE = timedelta(days=14)

_MORE_ROOM = "free some of it, or set `volume` to a folder on another disk"


async def core_findings(app: App) -> Sequence[Finding]:
    """Give core's findings, each check within its deadline and beside the others."""
    found = await asyncio.gather(
        *(app.health.checked(name, check, vital=name in _VITAL) for name, check in _CHECKS.items())
    )
    return [one for findings in found for one in findings]


async def _database(app: App) -> list[Finding]:
    began, before = time.monotonic(), datetime.now(UTC)
    async with app.db.reading() as connection:
        asked = await connection.execute(text("SELECT current_setting('server_version'), clock_timestamp()"))
        version, there = asked.one()
    took = timedelta(seconds=time.monotonic() - began)
    own = "own" if not app.settings["database_url"] else "given"
    said = f"PostgreSQL {version} ({own}) answers in {took.total_seconds() * 1000:.1f} ms"
    apart = max(there - (before + took), before - there, timedelta())
    clock = f"the clocks of this machine and of the database are {apart.total_seconds():.1f} s apart"
    return [
        Finding("database", True, said, vital=True),
        Finding("clock", apart < CLOCKS_APART, clock, "let both take their time from one NTP server"),
    ]


async def _volumes(app: App) -> list[Finding]:
    return [await _volume(app, volume) for volume in app.volumes.all()]


async def _volume(app: App, volume: Volume) -> Finding:
    current = volume is app.volumes.current
    name = f"volume {volume.id}"
    try:
        await asyncio.to_thread(volume.look_for_mark)
    except CharruaError as error:
        return Finding(name, False, str(error), f"mount the disk of {volume.root}", vital=current)
    health = await volume.health()
    said = f"{volume.root}{', takes new images' if current else ''}, {health.free_bytes / 1e9:.1f} GB free"
    lasts = _lasts(app, volume, health.free_bytes) if current else None
    if lasts is not None and lasts < FULL_IS_FAR:
        said += f", full in {lasts / timedelta(days=1):.1f} days at the pace of the last day"
    if health.detail:
        said += f", {health.detail}"
    # An older volume may be full.
    works = health.works or not (current or health.detail)
    if works and lasts is not None and lasts < FULL_IS_NEAR:
        return Finding(name, False, said, _MORE_ROOM)
    return Finding(name, works, said, _MORE_ROOM, vital=current)


def _lasts(app: App, volume: Volume, free_bytes: int) -> timedelta | None:
    """For how long objects find room above the reserve."""
    room = free_bytes - app.settings["storage_reserve_bytes"]
    return app.health.forecasts[volume.id].lasts(time.monotonic(), room)


async def _followers(app: App) -> list[Finding]:
    installed = set(follower_names(app))
    return [_follower(state) for state in await follower_states(app.db) if state.name in installed]


def _follower(state: FollowerState) -> Finding:
    behind = timedelta(seconds=round(state.behind_s))
    said = f"{state.waiting} changes wait" if state.waiting < 1000 else "1000 changes or more wait"
    said += f", the oldest for {behind}" if behind > BEHIND else ""
    said += f", {state.set_aside} set aside" if state.set_aside else ""
    said += f", failing: {state.last_error}" if state.failures else ""
    works = not state.failures and behind < BEHIND
    return Finding(f"follower {state.name}", works, said, "the log says what it failed at, if it did")


async def _jobs(app: App) -> list[Finding]:
    totals: Counter[str] = Counter()
    for (_, state), count in (await app.jobs.unfinished()).items():
        totals[state] += count
    told = ", ".join(f"{totals[state]} {state}" for state in ("due", "running", "dead") if totals[state])
    return [Finding("jobs", not totals["dead"], told or "nothing to do", "the log says what they failed at")]


async def _plugins(app: App) -> list[Finding]:
    return [
        Finding(
            f"plugin {one.plugin}",
            time.time() - one.late_at > LATE_IS_PAST.total_seconds(),
            f"{one.hook} took too long {one.slow} times, {one.longest_s:.3g} s at most",
            f"restart with --without {one.plugin} to go on without it",
        )
        for one in breaches(app.data_dir)
    ]


async def _audit(app: App) -> list[Finding]:
    if not app.roles:
        return []
    waiting, lost = await asyncio.gather(
        app.metrics.total("charrua_audit_waiting_records"),
        app.metrics.total("charrua_audit_records_total", outcome="lost"),
    )
    said = f"{waiting:.0f} records wait" + (f", {lost:.0f} were lost" if lost else "")
    return [Finding("audit", waiting <= MOST_AUDIT_WAITING and not lost, said, "see to the database")]


async def _workers(app: App) -> list[Finding]:
    wanted = app.settings["workers"]
    if not app.roles or wanted == 1:
        return []
    running = round(await app.metrics.total("charrua_workers_running"))
    return [
        Finding("workers", running == wanted, f"{running} of {wanted} run", "they are started again; the log says more")
    ]


async def _certificate(app: App) -> list[Finding]:
    expires = await listener_expires(app.settings)
    if expires is None:
        return []
    works = expires - datetime.now(UTC) > RENEW_CERTIFICATE
    said = f"that of DICOM TLS is valid until {expires:%Y-%m-%d %H:%M} UTC"
    return [Finding("certificate", works, said, "put a new one at dicom_tls_certificate, and restart")]


async def _listener(app: App) -> list[Finding]:
    return [await app.health.listening.finding()] if "web" in app.roles or "dicom" in app.roles else []


_VITAL = frozenset({"database", "volumes", "dicom"})
_CHECKS: dict[str, Check] = {
    "database": _database,
    "volumes": _volumes,
    "dicom": _listener,
    "followers": _followers,
    "jobs": _jobs,
    "audit": _audit,
    "workers": _workers,
    "certificate": _certificate,
    "plugins": _plugins,
}
