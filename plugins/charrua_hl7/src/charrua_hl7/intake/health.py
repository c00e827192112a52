"""Whether the HL7 listener of the running server is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from charrua_core.types import Finding
from charrua_hl7.intake.listener import SOCKET
from charrua_hl7.intake.senders import is_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App

ANSWERS_WITHIN_S = 1.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_MEND = "charrua restart; the log says why it has ended"


async def listener_health(app: App) -> Sequence[Finding]:
    """Tell whether the listener of a running server takes connections.

    Where this machine is none of `hl7_senders`, only where it listens.
    """
    if not {"dicom", "web"} & set(app.roles):
        return []
    host, port = app.settings["hl7_host"], app.settings["hl7_port"]
    listening = app.sockets.get(SOCKET)
    if listening is not None and listening.fileno() >= 0:
        host, port = listening.getsockname()[:2]
    near, allowed = _LOOPBACK.get(host, host), app.settings["hl7_senders"]
    if allowed and not is_among(near, allowed):
        return [Finding("hl7", True, f"listens at {host} port {port}")]
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            _, writer = await asyncio.open_connection(near, port)
    except TimeoutError:
        return [Finding("hl7", False, f"port {port}: no answer within {ANSWERS_WITHIN_S:g} s", _MEND)]
    except OSError as error:
        return [Finding("hl7", False, f"port {port}: {error.strerror or error}", _MEND)]
    writer.close()
    return [Finding("hl7", True, f"listens at {host} port {port}")]
