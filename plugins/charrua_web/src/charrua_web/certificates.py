"""The certificate of the web server: read again when its files change, so that a renewed one serves without a restart."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from charrua_core.dicom.certificates import self_signed
from charrua_core.dicom.tls import server_context
from charrua_core.errors import SettingInvalid

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0
in_force: WeakKeyDictionary[App, Certificate] = WeakKeyDictionary()
"""The certificate of a web server that runs in this process."""
_ALPN = ["h2", "http/1.1"]


class Certificate:
    """The certificate in force. `problem` says why the files hold no newer one, "" where they do."""

    def __init__(self, certificate: Path, key: Path | None, *, own: bool) -> None:
        self.path = certificate
        self._files = (certificate, key)
        self.own = own
        """Whether it is self-signed, made here: no browser need insist on it."""
        self.problem = ""
        self._read_at = self._times()
        self._current = self._load()
        self.context = self._load()
        """What listeners use: it shows each new connection the certificate in force."""
        self.context.sni_callback = self._show

    @classmethod
    async def of(cls, settings: Settings) -> Certificate | None:
        """Give the one that the settings ask for, None without TLS. SettingInvalid where its files do not do."""
        certificate: Path | None = settings["web_tls_certificate"]
        own = certificate is None and settings["web_tls"] == "self-signed"
        if certificate is None and not own:
            return None
        try:
            if certificate is not None:
                return cls(certificate, settings["web_tls_key"], own=False)
            return cls(*await asyncio.to_thread(self_signed, Path(settings["data_dir"]) / "tls"), own=True)
        except (OSError, ValueError) as error:
            raise SettingInvalid(f"web_tls_certificate {certificate or ''}: {error}") from error

    async def follow(self) -> None:
        """Look at the files again and again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            times = await asyncio.to_thread(self._times)
            if times != self._read_at:
                await self._renew(times)

    async def _renew(self, times: tuple[int, ...]) -> None:
        self._read_at = times
        try:
            self._current = await asyncio.to_thread(self._load)
        except (OSError, ValueError) as error:
            self.problem = f"the new certificate in {self._files[0]} does not do, the one before serves on: {error}"
            log.error(self.problem)
        else:
            self.problem = ""
            log.info("the web server has a new certificate")

    def _load(self) -> ssl.SSLContext:
        context = server_context("encrypt", *self._files)
        assert context is not None  # noqa: S101 -- only "off" has none
        context.set_alpn_protocols(_ALPN)
        return context

    def _times(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in self._files if file is not None)

    def _show(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current
