"""Steps passed on to other peers, as the setting `mpps_forward_to` names them: in order, and until a peer has taken them.

Each peer has a line of its own. Who writes into it, or takes from it, holds the line's lock until the transaction ends, so
that the numbers of a line's rows are in the order in which they become visible. What a peer cannot take for now holds up
what follows of the same step, and no other step.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import delete, func, insert, select

from charrua_core.archive.datasets.identifier import encode_identifier
from charrua_core.db import lock_key
from charrua_core.dicom import UNCOMPRESSED, Association, ProposedContext
from charrua_core.dicom.configured import associate_as
from charrua_core.errors import CharruaError, PeerUnknown
from charrua_core.jobs import GiveUp, JobType
from charrua_core.types import DicomJson, Peer
from charrua_hl7.performed.linking import add_notes
from charrua_hl7.performed.model import MPPS, Caller
from charrua_hl7.performed.notes import Note
from charrua_hl7.performed.rights import passes
from charrua_hl7.tables import performed, performed_forward

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

Operation = Literal["N-CREATE", "N-SET"]

KIND = "hl7.forward_step"
BATCH = 100
_DAY_S = 24 * 3600.0
RETRY_AFTER_S = (2.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0, *[_DAY_S] * 6)
KEEP_TRYING = timedelta(days=7)
"""After that, what a peer does not take for now counts as refused, so that it holds up nothing for ever."""

_HAD_BEFORE: dict[Operation, int] = {"N-CREATE": 0x0111, "N-SET": 0x0110}
"""The peer has got it already: the answer was lost, or it gets them from the modality as well."""
_FOR_NOW = frozenset({0x0122, 0x0124, 0x0210, 0x0211, 0x0213})
"""What an administrator or the peer's own mending ends: not this SOP class, not for us, busy."""
_NO_LONGER = 0xA710

log = logging.getLogger(__name__)


class NotTaken(CharruaError):
    """The peer could not take all of it for now."""


class _Outcome(Enum):
    DONE = "done"
    LATER = "later"
    REFUSED = "refused"


async def pass_on(
    app: App, tx: AsyncConnection, caller: Caller, number: int, operation: Operation, told: DicomJson, step: DicomJson
) -> None:
    """Put an operation on a step, with what it tells, into the lines of the peers that get it and may see the step.

    Whoever has sent it is left out.
    """
    for aet in sorted(set(app.settings["mpps_forward_to"]) - {caller.aet}):  # in the order of their locks
        if not passes(app.peers.filters(aet), step):
            continue
        await _lock_line(tx, aet)
        row = {"aet": aet, "performed_id": number, "operation": operation, "attributes": told}
        await tx.execute(insert(performed_forward).values(row))
        await _have_emptied(app, tx, aet)


async def _lock_line(tx: AsyncConnection, aet: str) -> None:
    await tx.execute(select(func.pg_advisory_xact_lock(lock_key(f"charrua hl7 forward {aet}"))))


async def _have_emptied(app: App, tx: AsyncConnection, aet: str) -> None:
    """Queue the job that empties the line, unless one is waiting or at it.

    It is known by the oldest row: a job that has just found the line empty is another one.
    """
    oldest = await tx.scalar(select(func.min(performed_forward.c.id)).where(performed_forward.c.aet == aet))
    await app.jobs.enqueue(KIND, {"peer": aet}, lane=f"{KIND} {aet}", dedup_key=f"{aet} {oldest}", tx=tx)


def forward_job(app: App) -> JobType:
    """The kind of jobs that empties a peer's line."""

    async def run(payload: dict[str, Any]) -> None:
        await empty_line(app, payload["peer"])

    return JobType(KIND, run, retry_after=RETRY_AFTER_S)


async def empty_line(app: App, aet: str) -> None:
    """Tell a peer all that is in its line. Raises why it could not be told, GiveUp where it is no peer."""
    rows = await _waiting(app, aet, 0)
    if not rows:
        return
    try:
        peer = await app.peers.resolve(aet)
    except PeerUnknown as error:
        raise GiveUp(f"{aet}, which steps are to be forwarded to, is no peer") from error
    held: set[int] = set()
    async with await associate_as(app.settings, peer, [ProposedContext(MPPS, UNCOMPRESSED)]) as association:
        while rows:
            for row in rows:
                if row.performed_id not in held and not await _tell(app, association, peer, row):
                    held.add(row.performed_id)
            rows = await _waiting(app, aet, rows[-1].id)
    if held:
        raise NotTaken(f"{aet} does not take {len(held)} steps for now")


async def _waiting(app: App, aet: str, after: int) -> list[Any]:
    """Give the next of a line, once whoever is writing into it has ended."""
    step = performed.c.sop_instance_uid
    joined = select(performed_forward, step).join(performed, performed.c.id == performed_forward.c.performed_id)
    chosen = joined.where(performed_forward.c.aet == aet, performed_forward.c.id > after)
    async with app.db.transaction() as tx:
        await _lock_line(tx, aet)
        return list((await tx.execute(chosen.order_by(performed_forward.c.id).limit(BATCH))).all())


async def _tell(app: App, association: Association, peer: Peer, row: Any) -> bool:
    """Tell one; false where it is to be told again later."""
    ask = association.create if row.operation == "N-CREATE" else association.set
    syntax = association.context_for(MPPS).transfer_syntax
    answer = await ask(
        MPPS,
        row.sop_instance_uid,
        encode_identifier(row.attributes, syntax, "", peer.character_set),
        timeout_s=peer.timeout_s,
    )
    status = answer.status or 0
    outcome = _outcome(row.operation, status, answer.error_id)
    if status:
        told = {"peer": peer.aet, "performed": row.sop_instance_uid, "status": f"{status:04X}"}
        log.warning("%s: %s", row.operation, outcome.value, extra={"action": "forwarded", **told})
    if outcome is _Outcome.LATER and datetime.now(UTC) - row.created_at < KEEP_TRYING:
        return False
    async with app.db.transaction() as tx:
        await tx.execute(delete(performed_forward).where(performed_forward.c.id == row.id))
        if outcome is not _Outcome.DONE:
            await add_notes(tx, row.performed_id, [Note("forward_refused", (peer.aet, row.operation, f"{status:04X}"))])
    return True


def _outcome(operation: Operation, status: int, error_id: int | None) -> _Outcome:
    """Give what an answer means: warnings have been taken; what is refused as it is would be so again."""
    if status in (0x0000, 0x0001, 0x0107, 0x0116) or 0xB000 <= status < 0xC000:
        return _Outcome.DONE
    if status == _HAD_BEFORE[operation] and (operation == "N-CREATE" or error_id == _NO_LONGER):
        return _Outcome.DONE
    temporary = status in _FOR_NOW or status == 0x0110 or 0xA700 <= status < 0xA800
    return _Outcome.LATER if temporary else _Outcome.REFUSED
