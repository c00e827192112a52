"""C-MOVE: sending to a known peer what another asks for (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.dicom import Association, CommandField, Message, ServiceClass
from charrua_core.dicom.cancelling import until_cancelled
from charrua_core.dicom.configured import associate_as
from charrua_core.errors import PeerUnknown, PeerUnreachable
from charrua_core.types import Peer, RowFilter
from charrua_qr.models import MOVE, RETRIEVE_STATUSES, answer_retrieve
from charrua_qr.parts import Part
from charrua_qr.retrieve import RetrieveScp
from charrua_qr.suboperations import Suboperations

if TYPE_CHECKING:
    from charrua_core.app import App

CANCEL_GRACE_S = 1.0
"""Time for the object that is being sent when the peer cancels."""
_TAKES_IMAGES = frozenset({"store", "retrieve"})
"""A peer that may do neither here is no destination: nobody has it sent what it may not fetch."""


def move_service(app: App) -> ServiceClass:
    """Give the C-MOVE SCP."""

    async def find(association: Association, message: Message) -> _KnownPeer:
        return _KnownPeer(app, association, message, await _peer(app, message))

    return ServiceClass(
        "Retrieve (C-MOVE)",
        MOVE,
        RetrieveScp(app, find).handle,
        frozenset({CommandField.C_MOVE}),
        extended=answer_retrieve,
        statuses=RETRIEVE_STATUSES,
    )


async def _peer(app: App, message: Message) -> Peer:
    """Give the move destination. Raises PeerUnknown."""
    aet = (message.command.move_destination or "").strip()
    if aet == app.settings["dicom_aet"]:
        raise PeerUnknown("the archive does not send to itself")
    peer = await app.peers.resolve(aet)
    if peer.permissions.isdisjoint(_TAKES_IMAGES):
        raise PeerUnknown(f"{aet} is not known as one who may have images")
    return peer


class _KnownPeer:
    """A peer as the destination."""

    def __init__(self, app: App, association: Association, message: Message, peer: Peer) -> None:
        self._app, self._message, self._peer = app, message, peer
        self._originator = (association.calling_aet, message.command.message_id or 0)

    @property
    def aet(self) -> str:
        """Its AE title."""
        return self._peer.aet

    @property
    def filters(self) -> tuple[RowFilter, ...]:
        """What it may see itself."""
        return self._app.peers.filters(self._peer.aet)

    async def take(self, operations: Suboperations, parts: Sequence[Part]) -> None:
        """Send each part over an association of its own, over another one if the peer ends it."""
        for part in parts:
            await until_cancelled(self._message, self._send(operations, part), CANCEL_GRACE_S)

    async def _send(self, operations: Suboperations, part: Part) -> None:
        while part.left and not self._message.cancelled:
            sent_before = operations.counts.sent
            async with await associate_as(self._app.settings, self._peer, part.contexts) as destination:
                await operations.send(part, destination, self._originator)
            if part.left and operations.counts.sent == sent_before and not self._message.cancelled:
                raise PeerUnreachable(f"{self._peer.aet} ends every association")
