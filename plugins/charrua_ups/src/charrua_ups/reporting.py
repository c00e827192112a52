"""N-EVENT-REPORT: the job that empties an AE's line of events, in order, over one association (PS3.4 CC.2.4.3)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from charrua_core.archive.datasets.identifier import encode_identifier
from charrua_core.dicom import UNCOMPRESSED, Association, ProposedContext
from charrua_core.dicom.configured import associate_as
from charrua_core.errors import PeerUnknown
from charrua_core.jobs import GiveUp, JobType
from charrua_core.types import Peer
from charrua_ups.events import KIND, lock_line
from charrua_ups.model import EVENT, PUSH
from charrua_ups.tables import event

if TYPE_CHECKING:
    from charrua_core.app import App

BATCH = 100
_DAY_S = 24 * 3600.0
RETRY_AFTER_S = (2.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0, *[_DAY_S] * 6)
"""A week, for which events are kept."""

log = logging.getLogger(__name__)


def report_job(app: App) -> JobType:
    """The kind of jobs that tells an AE what waits for it."""

    async def run(payload: dict[str, Any]) -> None:
        await report(app, payload["receiver"])

    return JobType(KIND, run, retry_after=RETRY_AFTER_S)


async def report(app: App, aet: str) -> None:
    """Tell the AE all events that are due in its line. Raises why it could not be told, GiveUp where it is no peer."""
    rows = await _after(app, aet, [])
    if not rows:
        return
    try:
        peer = await app.peers.resolve(aet)
    except PeerUnknown as error:
        raise GiveUp(f"{aet} is no peer any more") from error
    proposed = ProposedContext(EVENT, UNCOMPRESSED, scu_role=False, scp_role=True)
    async with await associate_as(app.settings, peer, [proposed]) as association:
        while rows:
            rows = await _tell(app, association, peer, rows)


async def _tell(app: App, association: Association, peer: Peer, rows: list[Any]) -> list[Any]:
    """Tell some events; give those that are due then."""
    told: list[int] = []
    try:
        for row in rows:
            await _report_one(association, peer, row)
            told.append(row.id)
    except BaseException:
        await _after(app, peer.aet, told)
        raise
    return await _after(app, peer.aet, told)


async def _report_one(association: Association, peer: Peer, row: Any) -> None:
    syntax = next((one.transfer_syntax for one in association.accepted.values()), UNCOMPRESSED[0])
    information = encode_identifier(row.information, syntax, "")
    answer = await association.report(
        PUSH, row.workitem_uid, row.event_type, information, negotiated=EVENT, timeout_s=peer.timeout_s
    )
    if answer.status:  # it has heard of it, and telling it again would not make it like it more
        log.warning(
            "event not accepted",
            extra={
                "action": "reported",
                "peer": peer.aet,
                "workitem": row.workitem_uid,
                "status": f"{answer.status:04X}",
            },
        )


async def _after(app: App, aet: str, told: list[int]) -> list[Any]:
    """Note which events were told, and give those that are due, in one turn at the line."""
    due = select(event).where(event.c.aet == aet, event.c.due).order_by(event.c.id).limit(BATCH)
    async with app.db.transaction() as tx:
        await lock_line(tx, aet)
        if told:
            await tx.execute(update(event).where(event.c.id.in_(told)).values(due=False))
        return list((await tx.execute(due)).all())
