"""C-MOVE: sending to a known peer what another asks for (PS3.4 C.4.2)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from charrua_core.archive.recode import NATIVE, TARGETS
from charrua_core.archive.search import InstanceRecord
from charrua_core.dicom import Association, CommandField, Message, ProposedContext, ServiceClass
from charrua_core.dicom.configured import associate_as
from charrua_core.errors import AssociationAborted, CharruaError, PeerUnknown, PeerUnreachable
from charrua_core.types import Peer
from charrua_qr import trail
from charrua_qr.cancelling import Cancelled, until_cancelled
from charrua_qr.models import MOVE, RETRIEVE_STATUSES, answer_retrieve
from charrua_qr.refusing import comment_of, refuse
from charrua_qr.selection import Selection, require_retrieve, selected
from charrua_qr.suboperations import Suboperations

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

CANCEL_GRACE_S = 1.0
"""Time for the object that is being sent when the peer cancels."""
_TAKES_IMAGES = frozenset({"store", "retrieve"})
"""A peer that may do neither here is no destination: nobody has it sent what it may not fetch."""
MOST_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2)."""


def move_service(app: App) -> ServiceClass:
    """Give the C-MOVE SCP."""
    return ServiceClass(
        "Retrieve (C-MOVE)",
        MOVE,
        MoveScp(app).handle,
        frozenset({CommandField.C_MOVE}),
        extended=answer_retrieve,
        statuses=RETRIEVE_STATUSES,
    )


class MoveScp:
    """Answers C-MOVE requests.

    0xFF00: under way; 0x0000: all sent; 0xB000: some failed, or were taken with a warning; 0xA702: none could be sent, or
    more than `retrieve_results` were asked for; 0xA801: the destination is no known peer, or this archive itself; 0xA900:
    the identifier breaks a rule of its level; 0xC000: it cannot be read; 0xFE00: cancelled; 0x0124: the AE may not
    retrieve.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._turns = asyncio.Semaphore(app.settings["retrievals_at_once"])

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        try:
            require_retrieve(self._app, association)
            peer = await self._destination(message)
            selection = await selected(self._app, association, message, self._app.peers.filters(peer.aet))
        except AssociationAborted:
            raise
        except CharruaError as error:
            await refuse(association, message, error)
            return
        await self._retrieve(association, message, peer, selection)

    async def _retrieve(self, association: Association, message: Message, peer: Peer, selection: Selection) -> None:
        operations = Suboperations(self._app, association, message, len(selection.objects))
        trail.begin(self._app, association, peer.aet, selection)
        comment = None
        try:
            async with self._turns:
                sending = self._send(association, message, peer, selection, operations)
                await until_cancelled(message, sending, CANCEL_GRACE_S)
        except Cancelled:
            log.info("retrieval cancelled", extra={"action": "cancelled", "peer": association.calling_aet})
        except CharruaError as error:
            log.warning("retrieval broken off: %s", error, extra={"action": "broken off", "peer": peer.aet})
            comment = comment_of(error)
            operations.fail(selection.objects[-operations.counts.remaining :])
        status = await operations.end(cut=selection.cut, comment=comment)
        trail.end(self._app, association, peer.aet, selection, operations.counts, status)

    async def _destination(self, message: Message) -> Peer:
        aet = (message.command.move_destination or "").strip()
        if aet == self._app.settings["dicom_aet"]:
            raise PeerUnknown("the archive does not send to itself")
        peer = await self._app.peers.resolve(aet)
        if peer.permissions.isdisjoint(_TAKES_IMAGES):
            raise PeerUnknown(f"{aet} is not known as one who may have images")
        return peer

    async def _send(
        self, association: Association, message: Message, peer: Peer, selection: Selection, operations: Suboperations
    ) -> None:
        originator = (association.calling_aet, message.command.message_id or 0)
        for records, contexts in in_associations(selection.objects):
            left: Sequence[InstanceRecord] = records
            while left:
                sent_before = operations.counts.sent
                async with await associate_as(self._app.settings, peer, contexts) as destination:
                    left = await operations.send(left, destination, originator)
                if left and operations.counts.sent == sent_before:
                    raise PeerUnreachable(f"{peer.aet} ends every association")


def in_associations(
    records: Sequence[InstanceRecord],
) -> Iterator[tuple[list[InstanceRecord], list[ProposedContext]]]:
    """Give the objects in runs that one association can carry, with its contexts."""
    run: list[InstanceRecord] = []
    kinds: dict[str, dict[str, None]] = {}
    for record in records:
        sop_class, syntax = record.sop_class_uid, record.transfer_syntax_uid
        if syntax not in kinds.get(sop_class, ()) and len(_contexts(kinds)) + 2 > MOST_CONTEXTS:
            yield run, _contexts(kinds)
            run, kinds = [], {}
        kinds.setdefault(sop_class, {})[syntax] = None
        run.append(record)
    if run:
        yield run, _contexts(kinds)


def _contexts(kinds: Mapping[str, Mapping[str, None]]) -> list[ProposedContext]:
    """Each SOP class in each transfer syntax of its objects; native ones can also be sent in another native one."""
    contexts = []
    for sop_class, syntaxes in kinds.items():
        contexts += [ProposedContext(sop_class, (syntax,)) for syntax in syntaxes]
        others = tuple(syntax for syntax in TARGETS if syntax not in syntaxes)
        if others and not NATIVE.isdisjoint(syntaxes):
            contexts.append(ProposedContext(sop_class, others))
    return contexts
