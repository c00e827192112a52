"""The DICOM upper layer as the settings have it: its limits, and associations that this archive opens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from charrua_core.addresses import ANYWHERE
from charrua_core.dicom.association import VERIFICATION, Association
from charrua_core.dicom.certificates import peer_tls_context
from charrua_core.dicom.dispatch import UNCOMPRESSED
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.pdu import ProposedContext
from charrua_core.dicom.requestor import associate
from charrua_core.errors import PeerUnreachable
from charrua_core.settings import Settings
from charrua_core.types import Peer

_BY_SETTING = {
    "max_associations": "dicom_max_associations",
    "reserved_associations": "dicom_reserved_associations",
    "max_pending": "dicom_max_pending",
    "max_pending_per_ip": "dicom_max_pending_per_address",
    "max_pdu": "dicom_max_pdu_bytes",
}
_BY_DEADLINE = {
    "artim_s": "dicom_association_timeout",
    "pdu_timeout_s": "dicom_pdu_timeout",
    "idle_timeout_s": "dicom_idle_timeout",
    "dimse_timeout_s": "dicom_message_timeout",
}


class EchoRefused(PeerUnreachable):
    """The peer is there, and answers the C-ECHO with another status than success."""


def limits_of(settings: Settings) -> Limits:
    """Give the limits."""
    numbers = {limit: settings[name] for limit, name in _BY_SETTING.items()}
    times = {limit: settings[name].total_seconds() for limit, name in _BY_DEADLINE.items()}
    return replace(Limits(), **numbers, **times)


async def associate_as(
    settings: Settings, peer: Peer, contexts: Sequence[ProposedContext]
) -> AbstractAsyncContextManager[Association]:
    """Give an association with a peer, by this archive's AE title, limits and certificate: `async with await …`.

    Raises PeerUnreachable for a peer without an address.
    """
    if peer.host == ANYWHERE:
        raise PeerUnreachable(f"{peer.aet} is known without an address: charrua peer add {peer.aet} HOST PORT")
    tls = await peer_tls_context(settings, peer)
    return associate(peer, contexts, calling_aet=settings["dicom_aet"], limits=limits_of(settings), tls=tls)


async def echo_peer(settings: Settings, peer: Peer) -> float:
    """Ask a peer whether it is there (C-ECHO); give the seconds that it took. PeerUnreachable and its kin say why not."""
    started = time.monotonic()
    async with await associate_as(settings, peer, [ProposedContext(VERIFICATION, UNCOMPRESSED)]) as association:
        answer = await association.echo(timeout_s=peer.timeout_s)
    if answer.status:
        raise EchoRefused(f"{peer.aet} answers the C-ECHO with status {answer.status:04X}H")
    return time.monotonic() - started
