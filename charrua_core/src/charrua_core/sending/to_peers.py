"""Sending to DICOM peers: one association for many objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from charrua_core.archive.search import InstanceRecord
from charrua_core.dicom import Association, ContextNotAccepted, ProposedContext
from charrua_core.dicom.configured import associate_as, echo_peer
from charrua_core.errors import StudyNotFound
from charrua_core.sending.contexts import carried, in_associations
from charrua_core.sending.destinations import DICOM
from charrua_core.sending.kinds import ITS_OWN, NEVER, DestinationKind, Outcome, SendFailed, Sending
from charrua_core.sending.on_the_way import ON_THE_WAY, TRANSFER_SYNTAXES
from charrua_core.types import Destination

if TYPE_CHECKING:
    from charrua_core.app import App

_OUT_OF_RESOURCES = 0xA7  # the first byte of statuses that pass with time (PS3.4 B.2.3)


def peer_kind() -> DestinationKind:
    """Give the kind of destinations that the peers are."""
    return DestinationKind(DICOM, "A DICOM peer, by C-STORE: `charrua peer add`.", send, probe, heeds=ON_THE_WAY)


async def probe(app: App, destination: Destination) -> str:
    """Ask the peer whether it is there (C-ECHO). Raises PeerUnreachable and its kin."""
    peer = app.peers.get(destination.name)
    seconds = await echo_peer(app.settings, peer)
    return f"{peer.aet} at {peer.host}:{peer.port} answers in {seconds * 1000:.1f} ms"


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Store the objects over as few associations as carry them; raises why there is none, or room for none."""
    lossy, preferred = sending.app.settings["send_lossy"], sending.options.get(TRANSFER_SYNTAXES, ())
    kinds = [(record.sop_class_uid, record.transfer_syntax_uid) for record in sending.records]
    for together, contexts in in_associations(kinds, lossy=lossy, preferred=preferred):
        part = [record for record, kind in zip(sending.records, kinds, strict=True) if kind in together]
        async with aclosing(_send_together(sending, part, contexts)) as outcomes:
            async for outcome in outcomes:
                yield outcome


async def _send_together(
    sending: Sending, records: Sequence[InstanceRecord], proposed: Sequence[ProposedContext]
) -> AsyncGenerator[Outcome, None]:
    peer = sending.app.peers.get(sending.destination.name)
    async with await associate_as(sending.app.settings, peer, proposed) as association:
        for record in records:
            try:
                status = await _store(sending, association, record)
            except StudyNotFound:  # removed while we were sending
                yield Outcome(record, "passed over", "it was removed meanwhile")
                continue
            except NEVER as error:
                yield Outcome(record, "refused", str(error))
                continue
            except (ContextNotAccepted, *ITS_OWN) as error:
                yield Outcome(record, "failed", str(error))
                continue
            if status >> 8 == _OUT_OF_RESOURCES:
                raise SendFailed(f"the peer is out of resources ({status:04X}H)")
            taken = status == 0 or status >> 12 == 0xB
            yield Outcome(record) if taken else Outcome(record, "failed", f"status {status:04X}H")


async def _store(sending: Sending, association: Association, record: InstanceRecord) -> int:
    outgoing = await sending.prepared(record)
    preferred = sending.options.get(TRANSFER_SYNTAXES, ())
    async with carried(sending.app, association, outgoing, preferred) as (context, leaving):
        response = await association.store(
            context.id, leaving.sop_class_uid, leaving.sop_instance_uid, leaving.segments
        )
    return response.status or 0
