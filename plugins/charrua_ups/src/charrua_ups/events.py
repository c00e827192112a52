"""Events of workitems: what is told of them, written for each subscriber in the transaction of the fact (PS3.4 CC.2.4).

Each AE has a line of its own. Who writes into it, or takes from it, holds the line's lock until the transaction ends, so
that the numbers of a line's events are in the order in which they become visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from charrua_core.archive.index.levels import tag_of
from charrua_core.db import lock_key
from charrua_core.types import DicomJson
from charrua_ups.model import (
    PERFORMERS,
    PROGRESS,
    READINESS,
    REASON,
    REASON_CODE,
    STATE,
    STATION_NAME,
    EventType,
    element,
    selected,
    values,
)
from charrua_ups.rights import Kept, kept, passes
from charrua_ups.tables import event, subscription

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

CHANNEL = "charrua_ups_event"
"""The PostgreSQL channel on which an AE title is told whose line has something new."""
KIND = "ups.report"
_ASSIGNED_TO = (tag_of("HumanPerformerCodeSequence"), tag_of("HumanPerformerOrganization"))


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a workitem; `information` is that of PS3.4 table CC.2.4-1."""

    type: EventType
    information: DicomJson


def state_report(attributes: DicomJson) -> Event:
    """The state of a workitem, with why it was cancelled."""
    information = {tag: attributes.get(tag, element("CS")) for tag in (STATE, READINESS)}
    for item in values(attributes, PROGRESS)[:1]:
        information |= selected(item, REASON, REASON_CODE)
    return Event(EventType.STATE_REPORT, information)


def progress_report(attributes: DicomJson) -> Event:
    """How far its performer is."""
    return Event(EventType.PROGRESS_REPORT, {PROGRESS: attributes.get(PROGRESS, element("SQ"))})


def assigned(attributes: DicomJson) -> list[Event]:
    """To which station and to whom it is assigned: an event for each human performer, or one for the station."""
    station = {STATION_NAME: attributes.get(STATION_NAME, element("SQ"))}
    people = [selected(item, *_ASSIGNED_TO) for item in values(attributes, PERFORMERS)]
    if not people and not values(attributes, STATION_NAME):
        return []
    return [Event(EventType.ASSIGNED, station | person) for person in people or [{}]]


def changes(before: DicomJson, after: DicomJson) -> list[Event]:
    """What subscribers are told of an update."""
    found = []
    if any(before.get(tag) != after.get(tag) for tag in (STATE, READINESS)):
        found.append(state_report(after))
    if before.get(PROGRESS) != after.get(PROGRESS):
        found.append(progress_report(after))
    if any(before.get(tag) != after.get(tag) for tag in (STATION_NAME, PERFORMERS)):
        found += assigned(after)
    return found


async def tell_subscribers(
    app: App, tx: AsyncConnection, number: int, uid: str, attributes: DicomJson, events: Sequence[Event]
) -> int:
    """Tell all who are subscribed to the workitem, and whose filters let them see it; give how many there are."""
    rows = await tx.execute(select(subscription).where(subscription.c.workitem_id == number))
    told = [row.aet for row in rows if receiver_sees(app, row.aet, attributes, row.row_filters)]
    await write(app, tx, {aet: [(uid, one) for one in events] for aet in told})
    return len(told)


def receiver_sees(app: App, aet: str, attributes: DicomJson, row_filters: Sequence[Kept] = ()) -> bool:
    """Whether the workitem passes the filters of who subscribed, and of the peer of this AE title if it is one."""
    return passes(row_filters, attributes) and passes(kept(app.peers.filters(aet)), attributes)


async def write(app: App, tx: AsyncConnection, lines: Mapping[str, Iterable[tuple[str, Event]]]) -> None:
    """Put events of workitems (by their UIDs) into the lines of AEs, and have them reported to those that are peers."""
    for aet in sorted(lines):  # all who take several locks take them in this order
        await lock_line(tx, aet)
        peer = app.peers.find(aet)
        rows = [
            {
                "aet": aet,
                "workitem_uid": uid,
                "event_type": one.type,
                "information": one.information,
                "due": peer is not None,
            }
            for uid, one in lines[aet]
        ]
        if not rows:
            continue
        await tx.execute(insert(event), rows)
        app.db.notify(tx, CHANNEL, aet)
        if peer is not None:
            await _have_reported(app, tx, aet)


async def lock_line(tx: AsyncConnection, aet: str) -> None:
    """Be the only one at the AE's line until the transaction ends."""
    await tx.execute(select(func.pg_advisory_xact_lock(lock_key(f"charrua ups {aet}"))))


async def _have_reported(app: App, tx: AsyncConnection, aet: str) -> None:
    """Queue the job that empties the line, unless one is waiting or at it.

    It is known by the oldest event that is due: a job that has just found the line empty is another one.
    """
    oldest = await tx.scalar(select(func.min(event.c.id)).where(event.c.aet == aet, event.c.due))
    await app.jobs.enqueue(KIND, {"receiver": aet}, lane=f"{KIND} {aet}", dedup_key=f"{aet} {oldest}", tx=tx)
