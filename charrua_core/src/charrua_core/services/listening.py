"""Whether the DICOM listener of the running server is there."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING

from charrua_core.dicom.configured import EchoRefused, echo_peer
from charrua_core.errors import AssociationAborted, AssociationRejected, CharruaError
from charrua_core.services.sockets import PLAIN
from charrua_core.types import Finding, Peer

if TYPE_CHECKING:
    from charrua_core.app import App

ASKED_EVERY_S = 10.0  # each time costs the log two lines
ANSWERS_WITHIN_S = 1.0
BELIEVED_S = 30.0
"""A listener that is slow to answer is as it was, for so long."""

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class Listening:
    """Asks the listener now and then, and tells how it was last."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._asking: asyncio.Task[Finding] | None = None
        self._last: Finding | None = None
        self._last_at = 0.0

    async def finding(self) -> Finding:
        """Give whether it answers, in little more than a second."""
        if self._last is not None and self._last.works and time.monotonic() - self._last_at < ASKED_EVERY_S:
            return self._last
        self._asking = self._asking or asyncio.create_task(listener_answers(self._app), name="ask the DICOM listener")
        await asyncio.wait({self._asking}, timeout=ANSWERS_WITHIN_S)
        if self._asking.done():
            self._last, self._last_at, self._asking = self._asking.result(), time.monotonic(), None
            return self._last
        if self._last is not None and self._last.works and time.monotonic() - self._last_at < BELIEVED_S:
            return self._last
        return _dead(f"no answer within {ANSWERS_WITHIN_S:g} s")

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()


async def listener_answers(app: App) -> Finding:
    """Whether the listener answers a C-ECHO; one that takes none from us, for want of a user or certificate, is there, too."""
    settings = app.settings
    if settings["dicom_user_identity"] == "required":
        return await _is_there(*_address(app))
    tls = settings["dicom_tls"] != "off" and settings["dicom_tls_port"] is None
    own = Peer(settings["dicom_aet"], *_address(app), "encrypt" if tls else "off")
    try:
        seconds = await echo_peer(settings, own)
    except (AssociationRejected, AssociationAborted, EchoRefused) as error:
        return Finding("dicom", True, f"port {own.port} is there, and takes no C-ECHO: {error}", vital=True)
    except CharruaError as error:
        if isinstance(error.__cause__, ssl.SSLError):
            return Finding("dicom", True, f"port {own.port} is there, and takes no C-ECHO: {error}", vital=True)
        return _dead(f"port {own.port}: {error}")
    return Finding(
        "dicom", True, f"{own.aet} at port {own.port} answers a C-ECHO in {seconds * 1000:.1f} ms", vital=True
    )


def _address(app: App) -> tuple[str, int]:
    """Where it listens: at the port that it has found, where any was asked for."""
    host, port = app.settings["dicom_host"], app.settings["dicom_port"]
    if PLAIN in app.sockets:
        host, port = app.sockets[PLAIN].getsockname()[:2]
    return _LOOPBACK.get(host, host), port


async def _is_there(host: str, port: int) -> Finding:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return _dead(f"port {port}: {error.strerror}")
    writer.close()
    return Finding("dicom", True, f"port {port} takes connections", vital=True)


def _dead(why: str) -> Finding:
    return Finding("dicom", False, why, "charrua restart; the log says why it has ended", vital=True)
