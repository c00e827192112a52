"""The first page of Set-up: what this archive is called and where, what works, what failed lately, and what is still to do."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from charrua_core.accounts.accounts import FIRST_NAME
from charrua_core.services.lock import ServerLock
from charrua_core.services.sockets import PLAIN
from charrua_core.web import Request, Shown
from charrua_web import certificates
from charrua_web.choices import is_here
from charrua_web.setup.saying import N_, Said
from charrua_web.setup.storage_facts import volumes_of
from charrua_web.setup.trouble_words import told

if TYPE_CHECKING:
    from charrua_core.app import App

LATEST = 6
_ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 -- what a host of the settings means
_ELSEWHERE = ("192.0.2.1", 9)
"""An address of documents (RFC 5737): the way there tells which own address others see; nothing is sent."""


@dataclass(frozen=True, slots=True)
class Step:
    """One point of the list for a new archive."""

    done: bool
    title: Said
    text: Said
    path: str = ""
    link: Said | None = None


async def show(request: Request) -> Shown:
    """Give what the page shows."""
    app = request.app
    report = await app.health.report()
    troubles = [one for one in await app.troubles.all(200) if one.is_new][:LATEST]
    here = await asyncio.to_thread(_place, app)
    steps = await _steps(app, here)
    return {
        "here": here,
        "web": request.base or "/",
        "report": report,
        "findings": sorted(report.findings, key=lambda one: (one.works, not one.vital)),
        "volumes": await volumes_of(app),
        "troubles": [(one, told(app, one)) for one in troubles],
        "steps": steps,
        "open_steps": sum(not step.done for step in steps),
        "since": _since(app),
    }


def _since(app: App) -> datetime | None:
    with suppress(OSError):
        return ServerLock(app.data_dir).since()
    return None


def _place(app: App) -> dict[str, Any]:
    """What modalities have to be told: AE title, addresses, port."""
    host, port = app.settings["dicom_host"], app.settings["dicom_port"]
    if PLAIN in app.sockets:
        port = app.sockets[PLAIN].getsockname()[1]
    addresses = _own_addresses() if host in _ANYWHERE else [host]
    return {"aet": app.settings["dicom_aet"], "port": port, "addresses": addresses, "local": is_here(host)}


def _own_addresses() -> list[str]:
    """The address of this machine that others see first, and its name."""
    found: list[str] = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)
        found.append(str(probe.getsockname()[0]))
    return [*found, socket.gethostname()]


async def _steps(app: App, here: dict[str, Any]) -> list[Step]:
    accounts = await app.accounts.all()
    changed = not any(one.name == FIRST_NAME and one.must_change_password for one in accounts)
    has_tls = certificates.in_force.get(app) is not None or str(app.settings["web_url"]).startswith("https:")
    is_backed_up = any(one.name == "backup" for one in app.hooks.plugins())
    return [
        Step(
            not here["local"],
            N_("Let the modalities reach this archive"),
            N_("Give them AE title, address and port above. dicom_host is %(host)s.", host=app.settings["dicom_host"]),
            "/setup/settings?q=dicom_",
            N_("Settings of DICOM"),
        ),
        Step(
            await _has_studies(app),
            N_("Send a first study"),
            N_("Have a modality verify the connection (C-ECHO) and send a study; should it fail, Troubles says why."),
            "/setup/troubles",
            N_("Troubles"),
        ),
        Step(
            bool(app.peers.all()),
            N_("Add the remote servers"),
            N_("Workstations and archives that search here, or that studies are sent to."),
            "/setup/peers",
            N_("Remote servers"),
        ),
        Step(
            changed and len(accounts) > 1,
            N_("Add the people"),
            N_("Each with a role of their own; the first user admin gets a password of yours."),
            "/people",
            N_("People"),
        ),
        Step(
            has_tls,
            N_("Encrypt the pages"),
            N_("A certificate for https, or a reverse proxy that has one: passwords and images go over the network."),
            "/setup/certificates",
            N_("Certificates"),
        ),
        Step(
            is_backed_up,
            N_("Back the archive up"),
            N_(
                "To other disks: the volumes, and the database or its regeneration from them. No plugin does it yet here."
            )
            if not is_backed_up
            else N_("The backup plugin is installed."),
        ),
    ]


async def _has_studies(app: App) -> bool:
    async with app.db.driver(reading=True) as connection:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM core.study)"))
