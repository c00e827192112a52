"""What works and what does not, and whether all work is done: for `charrua status`, `settled` and the page `/health`."""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import text

from charrua_core.changes import follower_states
from charrua_core.dicom.configured import echo_peer
from charrua_core.errors import CharruaError
from charrua_core.services.breaches import breaches
from charrua_core.types import Peer

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

Finding = tuple[str, bool, str]
"""Name, whether it works, a sentence."""


async def health_of(app: App) -> list[Finding]:
    """Give the findings of core and of every plugin; one that cannot tell counts as not working."""
    findings: list[Finding] = []
    for one in app.hooks.implementations("health"):
        try:
            findings += [
                (str(name), bool(works), str(said))
                for name, works, said in one.listed(await one.call_async({"app": app}))
            ]
        except (CharruaError, ValueError) as error:
            log.exception("health cannot be told", extra={"plugin": one.plugin})
            findings.append((one.plugin, False, str(error)))
    return findings


async def core_health(app: App) -> Sequence[Finding]:
    """Tell of database, volumes, followers, jobs, and plugins that take too long."""
    return [await _database(app), *_volumes(app), *await _followers(app), await _jobs(app), *_plugins(app)]


async def _database(app: App) -> Finding:
    began = time.monotonic()
    async with app.db.reading() as connection:
        version = (await connection.execute(text("SHOW server_version"))).scalar()
    own = "own" if not app.settings["database_url"] else "given"
    return "database", True, f"PostgreSQL {version} ({own}) answers in {(time.monotonic() - began) * 1000:.1f} ms"


def _volumes(app: App) -> list[Finding]:
    findings = []
    for volume in app.volumes.all():
        name = f"volume {volume.id}"
        try:
            free = shutil.disk_usage(volume.root).free
        except OSError as error:
            findings.append((name, False, f"{volume.root} cannot be reached: {error.strerror}"))
            continue
        room = free > app.settings["storage_reserve_bytes"] or volume is not app.volumes.current
        now = ", takes new images" if volume is app.volumes.current else ""
        findings.append((name, room, f"{volume.root}{now}, {free / 1e9:.1f} GB free"))
    return findings


async def _followers(app: App) -> list[Finding]:
    findings = []
    for state in await follower_states(app.db):
        told = f"{state.name}: {state.waiting} changes wait"
        told += f", {state.set_aside} set aside" if state.set_aside else ""
        told += f", failing: {state.last_error}" if state.failures else ""
        findings.append(("follower", not state.failures, told))
    return findings


async def _jobs(app: App) -> Finding:
    totals: Counter[str] = Counter()
    for (_, state), count in (await app.jobs.counts()).items():
        totals[state] += count
    told = ", ".join(f"{totals[state]} {state}" for state in ("due", "running", "dead") if totals[state])
    return "jobs", not totals["dead"], told or "nothing to do"


def _plugins(app: App) -> list[Finding]:
    return [
        (
            "plugin",
            not one.late,
            f"{one.plugin}: {one.hook} took too long {one.slow} times, {one.longest_s:.3g} s at most",
        )
        for one in breaches(app.data_dir)
    ]


async def lag_of_followers(app: App) -> dict[str, str]:
    """Give what each follower of the change feed has before it, by name."""
    found = {}
    for state in await follower_states(app.db):
        parts = [f"{state.waiting} wait"] + ([f"{state.set_aside} set aside"] if state.set_aside else [])
        found[state.name] = ", ".join(parts)
    return found


async def listener_answers(app: App) -> Finding:
    """Whether the DICOM listener of the running server answers a C-ECHO."""
    settings = app.settings
    host, tls = settings["dicom_host"], settings["dicom_tls"] != "off" and settings["dicom_tls_port"] is None
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    own = Peer(settings["dicom_aet"], address, settings["dicom_port"], "encrypt" if tls else "off")
    try:
        seconds = await echo_peer(settings, own)
    except CharruaError as error:
        return "dicom", False, f"port {own.port}: {error}"
    return "dicom", True, f"{own.aet} at port {own.port} answers a C-ECHO in {seconds * 1000:.1f} ms"
