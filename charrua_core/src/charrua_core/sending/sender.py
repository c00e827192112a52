"""The job that sends: its objects to one destination, each marked as it is taken, the rest tried again later."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from charrua_core import audit, metrics
from charrua_core.archive.index.levels import SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from charrua_core.archive.search import InstanceRecord, OneOf, Query, instances
from charrua_core.errors import CharruaError, EditInvalid
from charrua_core.jobs import GiveUp, JobType, PutOff
from charrua_core.sending import delivered
from charrua_core.sending.batch import Batch
from charrua_core.sending.kinds import DestinationKind, Outcome, SendFailed, Sending
from charrua_core.sending.on_the_way import ON_THE_WAY, check_on_the_way
from charrua_core.sending.queue import KIND, identity_kept, lane_of, retries_s
from charrua_core.sending.window import opens_at
from charrua_core.types import SYSTEM, Destination, Level, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

MARKED_EVERY = 25
DISABLED_S = 300.0  # until a job looks again whether its destination is enabled

_OBJECTS = metrics.counter(
    "charrua_objects_sent_total",
    "Objects that jobs have sent, by destination and what became of them there.",
    peer=metrics.Bound.PEERS,
    outcome=("done", "failed", "refused", "passed over"),
)

log = logging.getLogger(__name__)


def send_job(app: App) -> JobType:
    """The kind of jobs that sends objects to a destination, with its schedule of retries."""

    async def run(payload: dict[str, Any]) -> None:
        try:
            await send(app, payload)
        except PutOff:
            raise
        except CharruaError as error:
            app.troubles.note("sending", payload["destination"], reason=str(error), error=type(error).__name__)
            raise

    return JobType(
        KIND,
        run,
        retry_after=retries_s(app.settings["send_retries"]),
        from_first_try=True,
        lanes=lambda: {lane_of(name): number for name, number in app.destinations.concurrency().items()},
        most=lambda: int(app.settings["send_concurrency"]),
    )


async def send(app: App, payload: Mapping[str, Any]) -> None:
    """Send what the payload names.

    Raises SendFailed, or why nothing could be sent, when something is left to send; GiveUp where nothing of it ever can
    be; PutOff outside the destination's hours.
    """
    destination = await app.destinations.get(payload["destination"])
    _check_the_time(app, destination)
    kind = app.destinations.kind_of(destination)
    options = _options(kind, destination, payload.get("options", {}))
    batch = await _batch(app, payload)
    if "asked_by" not in payload:
        await _leave_out_what_it_had(app, batch)
    records = await _records(app, batch)
    for gone in batch.uids() - {record.sop_instance_uid for record in records}:
        batch.done_with(gone)
    if records:
        await _send_all(kind, Sending(app, destination, records, options), batch)
    await batch.settle(app)


def _check_the_time(app: App, destination: Destination) -> None:
    now = app.jobs.clock.now()
    if not destination.enabled:
        raise PutOff(now + timedelta(seconds=DISABLED_S), f"{destination.name} is disabled")
    opens = opens_at(destination.window, now)
    if opens > now:
        raise PutOff(opens, f"{destination.name} is sent to at {destination.window}")


def _options(kind: DestinationKind, destination: Destination, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a sending. What a kind does not heed is not left out, as it may be what protects the patient."""
    if strange := asked.keys() - kind.heeds:
        raise GiveUp(f"{destination.name} is of kind {kind.name}, to which nothing is sent with {', '.join(strange)}")
    own = {name: value for name, value in destination.options.items() if name in ON_THE_WAY}
    try:
        return {**own, **check_on_the_way(asked)}
    except EditInvalid as error:
        raise GiveUp(str(error)) from error


async def _leave_out_what_it_had(app: App, batch: Batch) -> None:
    """What a route sends goes to a place once; what a person sends goes as often as it is asked for."""
    found = await delivered.had(app.db, batch.destination, batch.uids())
    for uid in found:
        batch.done_with(uid)
    if circling := [uid for uid, in_a_circle in found.items() if in_a_circle]:
        fields = {"action": "not routed", "peer": batch.destination, "objects": circling[:10]}
        log.warning("objects come round changed again and again, and are routed no more", extra=fields)


async def _batch(app: App, payload: Mapping[str, Any]) -> Batch:
    if "objects" in payload:
        return Batch(payload, list(payload["objects"]), list(payload.get("sent", ())))
    query = Query(Level.STUDY, keys={STUDY_INSTANCE_UID: OneOf("UI", (payload["study_uid"],))})
    found = [[record.sop_instance_uid, 0] async for record in instances(app, query, identity_kept(payload["asked_by"]))]
    return Batch(payload, found)


async def _records(app: App, batch: Batch) -> list[InstanceRecord]:
    if not batch.waiting:
        return []
    query = Query(Level.IMAGE, keys={SOP_INSTANCE_UID: OneOf("UI", tuple(batch.uids()))}, relational=True)
    return [record async for record in instances(app, query, SYSTEM)]


async def _send_all(kind: DestinationKind, sending: Sending, batch: Batch) -> None:
    try:
        async with aclosing(kind.send(sending)) as outcomes:
            async for outcome in outcomes:
                _note(sending.destination, batch, outcome)
                if len(batch.taken_since_marked) >= MARKED_EVERY:
                    await batch.mark(sending.app)
    except GiveUp as error:
        for uid in batch.uids() - batch.failed.keys():
            batch.refused.setdefault(uid, str(error))
    finally:
        await batch.mark(sending.app)
        _tell(sending.app, sending.destination, sending.records, batch)


def _note(destination: Destination, batch: Batch, outcome: Outcome) -> None:
    _OBJECTS.labels(destination.name, outcome.state).inc()
    uid = outcome.record.sop_instance_uid
    if outcome.state == "done":
        batch.taken(uid)
    elif outcome.state == "passed over":
        batch.done_with(uid)
    else:
        (batch.refused if outcome.state == "refused" else batch.failed)[uid] = outcome.why


def _tell(app: App, destination: Destination, records: Sequence[InstanceRecord], batch: Batch) -> None:
    refused = len(batch.refused) + len(batch.failed)
    fields = {"action": "sent", "peer": destination.name, "objects": len(batch.sent), "refused": refused}
    log.info("sent", extra=fields)
    peer = app.peers.find(destination.name)
    app.audit.later(
        audit.Event.INSTANCES_TRANSFERRED,
        "R",
        SYSTEM.name,
        Origin("job", called_aet=destination.name, address=peer.host if peer else ""),
        succeeded=not batch.waiting,
        study_uids=sorted({record.study_uid for record in records}),
        objects=len(batch.sent),
    )


__all__ = ["SendFailed", "send", "send_job"]
