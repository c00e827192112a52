"""What `charrua status` and /health say of the web server: its certificate, and who need not log in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.errors import SettingInvalid
from charrua_core.types import Finding
from charrua_web import certificates
from charrua_web.choices import open_settings

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.settings import Settings

NAME = "web certificate"
_MEND = "put a certificate in force, with its key, into the files of web_tls_certificate and web_tls_key"


async def web_health(app: App) -> Sequence[Finding]:
    """Give the findings."""
    return [*await _certificate(app), *_anonymous(app.settings)]


async def _certificate(app: App) -> list[Finding]:
    try:
        # In another process than the server's, as it would be read at a start.
        certificate = certificates.in_force.get(app) or await certificates.Certificate.of(app.settings)
    except SettingInvalid as error:
        return [Finding(NAME, False, str(error), _MEND)]
    if certificate is None:
        return []
    if certificate.problem:
        return [Finding(NAME, False, certificate.problem, _MEND)]
    ends = await asyncio.to_thread(_ends, certificate.path)
    left = ends - datetime.now(UTC)
    said = f"{certificate.path} is good until {ends:%Y-%m-%d}: {left.days} days"
    return [Finding(NAME, left.total_seconds() > 0, said, _MEND)]


def _ends(path: Path) -> datetime:
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _anonymous(settings: Settings) -> list[Finding]:
    opened = " and ".join(open_settings(settings))
    if not opened:
        return []
    networks = " ".join(settings["anonymous_networks"]) or "this machine"
    said = f"{opened} off: who comes from {networks} needs no log-in to act as {settings['anonymous_role']}"
    return [Finding("web log-in", True, said)]
