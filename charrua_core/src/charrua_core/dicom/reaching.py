"""Whether a remote AE can be reached, step by step: its name, its port, TLS, its answer, and what it takes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from charrua_core.addresses import ANYWHERE
from charrua_core.dicom.association import VERIFICATION, Association
from charrua_core.dicom.configured import associate_as
from charrua_core.dicom.dispatch import UNCOMPRESSED
from charrua_core.dicom.pdu import ProposedContext
from charrua_core.dicom.requestor import PeerRejected
from charrua_core.errors import AssociationAborted, CharruaError, DimseTimeout, PeerUnreachable
from charrua_core.settings import Settings
from charrua_core.types import Peer

Step = Literal["address", "name", "connection", "tls", "association", "echo", "done"]
"""How far it went: there is no address; the name, the port, TLS, the association or the C-ECHO fails; or all is well."""

_ROOT = "1.2.840.10008.5.1.4"
SERVICES: Mapping[str, str] = {
    VERIFICATION: "C-ECHO",
    f"{_ROOT}.1.1.2": "CT",
    f"{_ROOT}.1.1.4": "MR",
    f"{_ROOT}.1.1.1": "CR",
    f"{_ROOT}.1.1.1.1": "DX",
    f"{_ROOT}.1.1.6.1": "US",
    f"{_ROOT}.1.1.7": "SC",
    f"{_ROOT}.1.1.88.33": "SR",
    f"{_ROOT}.1.1.104.1": "PDF",
    f"{_ROOT}.1.2.2.1": "C-FIND",
    f"{_ROOT}.1.2.2.2": "C-MOVE",
    f"{_ROOT}.1.2.2.3": "C-GET",
    f"{_ROOT}.31": "Worklist",
    "1.2.840.10008.1.20.1": "Commitment",
}
"""What is proposed to see what the peer takes, by SOP class."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a try to reach a peer went, and what stopped it."""

    step: Step
    why: str = ""
    """What the machine or the peer said, where something failed."""
    reason: tuple[int, int, int] | None = None
    """Result, source and reason of a rejection (PS3.8 9.3.4)."""
    address: str = ""
    seconds: float = 0.0
    """From the first step to the answer."""
    implementation: str = ""
    takes: Sequence[str] = field(default_factory=tuple)
    """Of `SERVICES`, those that the peer accepts."""
    refuses: Sequence[str] = field(default_factory=tuple)

    @property
    def works(self) -> bool:
        """Whether the peer answers a C-ECHO."""
        return self.step == "done"


async def reach(settings: Settings, peer: Peer) -> Reached:
    """Try to reach a peer as this archive would; never raises for what is wrong with the peer or the way to it."""
    began = time.monotonic()
    if peer.host == ANYWHERE:
        return Reached("address")
    try:
        async with asyncio.timeout(peer.timeout_s):
            found = await asyncio.get_running_loop().getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Reached("name", "no answer")
    except OSError as error:
        return Reached("name", error.strerror or str(error))
    address = str(found[0][4][0])
    proposed = [ProposedContext(uid, UNCOMPRESSED) for uid in SERVICES]
    try:
        async with await associate_as(settings, peer, proposed) as association:
            return await _asked(peer, association, address, began)
    except CharruaError as error:
        return _failed(error, address)


async def _asked(peer: Peer, association: Association, address: str, began: float) -> Reached:
    takes = {context.abstract_syntax for context in association.accepted.values()}
    facts: dict[str, Any] = {
        "address": address,
        "implementation": association.peer_implementation_version or association.peer_implementation_uid,
        "takes": [name for uid, name in SERVICES.items() if uid in takes],
        "refuses": [name for uid, name in SERVICES.items() if uid not in takes],
    }
    if VERIFICATION not in takes:
        return Reached("echo", "it accepts no context for the C-ECHO", **facts)
    try:
        answer = await association.echo(timeout_s=peer.timeout_s)
    except (AssociationAborted, DimseTimeout) as error:
        return Reached("echo", str(error), **facts)
    if answer.status:
        return Reached("echo", f"status {answer.status:04X}H", **facts)
    return Reached("done", seconds=time.monotonic() - began, **facts)


def _failed(error: CharruaError, address: str) -> Reached:
    cause = error.__cause__
    if isinstance(error, PeerRejected):
        given = error.rejection
        return Reached("association", str(error), (given.result, given.source, given.reason), address)
    if isinstance(cause, ssl.SSLError) or (isinstance(cause, ValueError) and not isinstance(error, PeerUnreachable)):
        return Reached("tls", str(error), address=address)
    if isinstance(error, PeerUnreachable):
        step: Step = "association" if isinstance(cause, EOFError) else "connection"
        return Reached(step, "no answer" if isinstance(cause, TimeoutError) else str(error), address=address)
    return Reached("association", str(error), address=address)
