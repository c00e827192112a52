"""What is kept of the worklist in the audit trail (PS3.15 A.5.3.8 Order Record, A.5.3.10 Query)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from charrua_core import audit
from charrua_core.archive.index.levels import STUDY_INSTANCE_UID
from charrua_core.types import SYSTEM, Identity, Origin
from charrua_hl7.worklist.entries import Entry, value

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.web import Request


@dataclass(frozen=True, slots=True)
class By:
    """Whose deed something is, and from where."""

    identity: Identity
    origin: Origin

    @classmethod
    def of(cls, request: Request) -> By:
        """Give who asks."""
        return cls(request.identity, request.origin)


ITSELF = By(SYSTEM, Origin("job"))
"""The archive."""


async def record(tx: AsyncConnection, by: By, action: audit.Action, entry: Entry, **detail: Any) -> None:
    """Write what was done to an entry, in its transaction."""
    uids = studies_of(entry)
    event = audit.Event.ORDER_RECORD
    await audit.record(tx, event, action, by.identity.name, by.origin, study_uids=uids, entry=entry.id, **detail)


def looked_at(request: Request, entry: Entry) -> None:
    """Write that an entry was looked at."""
    event = audit.Event.ORDER_RECORD
    who, uids = request.identity.name, studies_of(entry)
    request.app.audit.later(event, "R", who, request.origin, study_uids=uids, entry=entry.id)


def searched(request: Request, matches: int, **detail: Any) -> None:
    """Write that entries were looked for, and how many were told."""
    event, who = audit.Event.QUERY, request.identity.name
    request.app.audit.later(event, "E", who, request.origin, level="WORKLIST", matches=matches, **detail)


def studies_of(entry: Entry) -> list[str]:
    """Name the studies of an entry: the scheduled one, and the one that came where that is another."""
    uids = {value(entry.attributes, STUDY_INSTANCE_UID), entry.arrived_study_uid}
    return sorted(uids - {""})
