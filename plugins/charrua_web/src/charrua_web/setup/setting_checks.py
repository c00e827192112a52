"""Whether the archive would start with a setting changed: what a declaration cannot see, asked before it is written."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from charrua_core.dicom.certificates import tls_context
from charrua_core.errors import EditInvalid, SettingInvalid
from charrua_core.peers import check_aet
from charrua_core.sending.queue import retries_s
from charrua_web.choices import check_anonymous
from charrua_web.networks import Networks

if TYPE_CHECKING:
    from charrua_core.settings import Settings


class Candidate:
    """The settings as they would be at the next start."""

    def __init__(self, settings: Settings, name: str, value: Any) -> None:
        self.settings = settings
        self.name = name
        self.value = value

    def __getitem__(self, name: str) -> Any:
        return self.value if name == self.name else self.settings.found(name)[0]


Check = Callable[[Candidate], Awaitable[None]]


async def check_start(settings: Settings, name: str, value: Any) -> None:
    """Raise SettingInvalid, saying why, where the archive would not start with this value."""
    if check := _CHECKS.get(name):
        await check(Candidate(settings, name, value))


async def _anonymous(candidate: Candidate) -> None:
    check_anonymous(cast("Settings", candidate))
    await _networks(candidate)


async def _networks(candidate: Candidate) -> None:
    if candidate.name in _NETWORKS:
        Networks.of(cast("Settings", candidate), candidate.name)


async def _tls(candidate: Candidate) -> None:
    await tls_context(cast("Settings", candidate))


async def _retries(candidate: Candidate) -> None:
    retries_s(candidate.value)


async def _aets(candidate: Candidate) -> None:
    titles = candidate.value if isinstance(candidate.value, tuple) else (candidate.value,)
    try:
        for title in titles:
            check_aet(title)
    except EditInvalid as error:
        raise SettingInvalid(str(error)) from error


async def _port(candidate: Candidate) -> None:
    if candidate.value and candidate.value != candidate.settings[candidate.name]:
        await asyncio.to_thread(_can_listen, candidate["dicom_host"], candidate.value)


def _can_listen(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, port))
    except OSError as error:
        raise SettingInvalid(f"port {port} cannot be had: {os.strerror(error.errno or 0)}") from error


async def _volume(candidate: Candidate) -> None:
    if candidate.value is not None:
        await asyncio.to_thread(_can_be_made, Path(candidate["data_dir"], candidate.value))


def _can_be_made(folder: Path) -> None:
    folder = folder.absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise SettingInvalid(f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SettingInvalid(f"the archive may not write to {there}")


_NETWORKS = frozenset({"web_trusted_proxies", "anonymous_networks", "metrics_from"})
_CHECKS: Mapping[str, Check] = {
    "rest_authentication": _anonymous,
    "web_authentication": _anonymous,
    "anonymous_role": _anonymous,
    "anonymous_networks": _anonymous,
    "web_trusted_proxies": _networks,
    "metrics_from": _networks,
    "dicom_tls": _tls,
    "dicom_port": _port,
    "dicom_tls_port": _port,
    "dicom_aet": _aets,
    "dicom_other_aets": _aets,
    "send_retries": _retries,
    "volume": _volume,
}
