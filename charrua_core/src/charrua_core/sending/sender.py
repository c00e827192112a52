"""The job that sends: one association for many objects, each marked as it is taken, the rest tried again later."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from charrua_core import audit, errors, metrics
from charrua_core.archive.index.levels import SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from charrua_core.archive.outgoing import Opener
from charrua_core.archive.search import InstanceRecord, OneOf, Query, instances
from charrua_core.dicom import Association, ContextNotAccepted, ProposedContext
from charrua_core.dicom.configured import associate_as
from charrua_core.errors import CharruaError, StudyNotFound
from charrua_core.imaging.transcode import PIXEL_FAILURES
from charrua_core.jobs import GiveUp, JobType
from charrua_core.sending import delivered
from charrua_core.sending.contexts import carried, in_associations
from charrua_core.sending.queue import KIND, identity_kept, retries_s
from charrua_core.types import SYSTEM, Level, Origin, Peer

if TYPE_CHECKING:
    from charrua_core.app import App

MARKED_EVERY = 25
OPTIONS = frozenset({"transfer_syntaxes"})
"""What can be asked of a sending to a DICOM peer: what is not known is not left out, as it may be what protects the patient."""
_OUT_OF_RESOURCES = 0xA7  # the first byte of statuses that pass with time (PS3.4 B.2.3)

_ITS_OWN = (ContextNotAccepted, errors.HeaderDamaged, errors.StorageFailed, *PIXEL_FAILURES)
"""What keeps one object from being sent, and no other."""

_OBJECTS = metrics.counter(
    "charrua_objects_sent_total",
    "Objects that jobs have sent, by destination and whether the peer took them.",
    peer=metrics.Bound.PEERS,
    outcome=("taken", "refused"),
)

log = logging.getLogger(__name__)


class SendFailed(CharruaError):
    """The peer did not take all objects."""


@dataclass(slots=True)
class _Batch:
    """The objects of one job, and what became of them."""

    id: str
    destination: str
    preferred: Sequence[str]
    waiting: list[list[Any]]
    sent: list[list[Any]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    taken_since_marked: list[str] = field(default_factory=list)

    def taken(self, uid: str) -> None:
        """Note that an object is over there."""
        self.taken_since_marked.append(uid)
        self.done_with(uid)

    def done_with(self, uid: str) -> None:
        """Note that nothing is left to send of an object: it is over there, or gone from here."""
        self.sent += [one for one in self.waiting if one[0] == uid]
        self.waiting = [one for one in self.waiting if one[0] != uid]


def send_job(app: App) -> JobType:
    """The kind of jobs that sends objects to a peer, with its schedule of retries."""

    async def run(payload: dict[str, Any]) -> None:
        await send(app, payload)

    return JobType(KIND, run, retry_after=retries_s(app.settings["send_retries"]))


async def send(app: App, payload: Mapping[str, Any]) -> None:
    """Send what the payload names; raises SendFailed, or why there is no association, when something is left to send."""
    peer = app.peers.get(payload["destination"])
    if strange := payload.get("options", {}).keys() - OPTIONS:
        raise GiveUp(f"{peer.aet} is a DICOM peer, to which nothing is sent with {', '.join(sorted(strange))}")
    batch = await _batch(app, payload)
    if "asked_by" not in payload:
        await _leave_out_what_it_had(app, batch)
    records = await _records(app, batch)
    for gone in {uid for uid, _ in batch.waiting} - {record.sop_instance_uid for record in records}:
        batch.done_with(gone)
    try:
        kinds = [(record.sop_class_uid, record.transfer_syntax_uid) for record in records]
        lossy, preferred = app.settings["send_lossy"], batch.preferred
        for together, contexts in in_associations(kinds, lossy=lossy, preferred=preferred):
            part = [record for record, kind in zip(records, kinds, strict=True) if kind in together]
            await _send_together(app, peer, part, contexts, batch)
    finally:
        await _mark(app, batch)
    if batch.refused:
        uid, why = next(iter(batch.refused.items()))
        raise SendFailed(f"{peer.aet} did not take {len(batch.refused)} objects; {uid}: {why}")


async def _leave_out_what_it_had(app: App, batch: _Batch) -> None:
    """What a route sends goes to a place once; what a person sends goes as often as it is asked for."""
    found = await delivered.had(app.db, batch.destination, {uid for uid, _ in batch.waiting})
    for uid in found:
        batch.done_with(uid)
    if circling := [uid for uid, in_a_circle in found.items() if in_a_circle]:
        fields = {"action": "not routed", "peer": batch.destination, "objects": circling[:10]}
        log.warning("objects come round changed again and again, and are routed no more", extra=fields)


async def _batch(app: App, payload: Mapping[str, Any]) -> _Batch:
    about = (payload["batch"], payload["destination"], payload.get("options", {}).get("transfer_syntaxes", ()))
    if "objects" in payload:
        return _Batch(*about, list(payload["objects"]), list(payload.get("sent", ())))
    query = Query(Level.STUDY, keys={STUDY_INSTANCE_UID: OneOf("UI", (payload["study_uid"],))})
    found = [[record.sop_instance_uid, 0] async for record in instances(app, query, identity_kept(payload["asked_by"]))]
    return _Batch(*about, found)


async def _records(app: App, batch: _Batch) -> list[InstanceRecord]:
    if not batch.waiting:
        return []
    uids = tuple(dict.fromkeys(uid for uid, _ in batch.waiting))
    query = Query(Level.IMAGE, keys={SOP_INSTANCE_UID: OneOf("UI", uids)}, relational=True)
    return [record async for record in instances(app, query, SYSTEM)]


async def _send_together(
    app: App, peer: Peer, records: Sequence[InstanceRecord], proposed: Sequence[ProposedContext], batch: _Batch
) -> None:
    studies = sorted({record.study_uid for record in records})
    try:
        async with await associate_as(app.settings, peer, proposed) as association:
            async for record, why in _send_each(app, association, records, batch.preferred):
                _OBJECTS.labels(peer.aet, "refused" if why else "taken").inc()
                if why:
                    batch.refused[record.sop_instance_uid] = why
                else:
                    batch.taken(record.sop_instance_uid)
                if batch.sent and len(batch.sent) % MARKED_EVERY == 0:
                    await _mark(app, batch)
    finally:
        _tell(app, peer, studies, batch)


async def _send_each(
    app: App, association: Association, records: Sequence[InstanceRecord], preferred: Sequence[str]
) -> AsyncIterator[tuple[InstanceRecord, str]]:
    """Each object with why it was not taken, "" where it was; ends early when the peer has no room."""
    opener = Opener(app)
    for record in records:
        try:
            status = await _store(app, association, opener, record, preferred)
        except StudyNotFound:  # removed while we were sending
            status = 0x0000
        except _ITS_OWN as error:
            yield record, str(error)
            continue
        if status >> 8 == _OUT_OF_RESOURCES:
            raise SendFailed(f"the peer is out of resources ({status:04X}H)")
        yield record, "" if status == 0 or status >> 12 == 0xB else f"status {status:04X}H"


async def _store(
    app: App, association: Association, opener: Opener, record: InstanceRecord, preferred: Sequence[str]
) -> int:
    outgoing = await opener.open(record)
    async with carried(app, association, outgoing, preferred) as (context, leaving):
        response = await association.store(
            context.id, leaving.sop_class_uid, leaving.sop_instance_uid, leaving.segments
        )
    return response.status or 0


def _tell(app: App, peer: Peer, studies: Sequence[str], batch: _Batch) -> None:
    done = not batch.refused and not batch.waiting
    fields = {"action": "sent", "peer": peer.aet, "objects": len(batch.sent), "refused": len(batch.refused)}
    log.info("sent", extra=fields)
    app.audit.later(
        audit.Event.INSTANCES_TRANSFERRED,
        "R",
        SYSTEM.name,
        Origin("job", called_aet=peer.aet, address=peer.host),
        succeeded=done,
        study_uids=studies,
        objects=len(batch.sent),
    )


async def _mark(app: App, batch: _Batch) -> None:
    """Keep in the job what is still to be sent, so that another try sends nothing twice."""
    state = {"objects": batch.waiting, "sent": batch.sent}
    taken, batch.taken_since_marked = batch.taken_since_marked, []
    async with app.db.transaction() as tx:
        await delivered.note(tx, batch.destination, taken)
        await tx.execute(_MARK, {"batch": batch.id, "state": orjson.dumps(state).decode()})


_MARK = text("""
    UPDATE core.job SET payload = payload || CAST(:state AS jsonb)
    WHERE kind = 'send' AND state = 'running' AND payload ->> 'batch' = :batch
""")
