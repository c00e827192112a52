"""What is kept of the worklist in the audit trail (PS3.15 A.5.3.11 Procedure Record, A.5.3.10 Query)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from charrua_core import audit
from charrua_core.errors import CharruaError
from charrua_core.types import DicomJson
from charrua_ups.model import INPUT, REQUESTS, STUDY_UID, Caller, text, values

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

_EVENT = audit.Event.PROCEDURE_RECORD


async def record(
    tx: AsyncConnection, caller: Caller, action: audit.Action, uid: str, attributes: DicomJson, **detail: Any
) -> None:
    """Write a change of a workitem, in its transaction."""
    studies = studies_of(attributes)
    await audit.record(
        tx, _EVENT, action, caller.identity.name, caller.origin, study_uids=studies, workitem=uid, **detail
    )


def read(app: App, caller: Caller, uid: str, attributes: DicomJson) -> None:
    """Write that a workitem was looked at."""
    studies = studies_of(attributes)
    app.audit.later(_EVENT, "R", caller.identity.name, caller.origin, study_uids=studies, workitem=uid)


def refused(app: App, caller: Caller, action: audit.Action, uid: str, error: CharruaError) -> None:
    """Write that something was not done."""
    app.audit.later(
        _EVENT,
        action,
        caller.identity.name,
        caller.origin,
        succeeded=False,
        workitem=uid,
        refused=type(error).__name__,
        status=f"{error.dimse_status:04X}",
    )


def searched(app: App, caller: Caller, keys: Collection[str], matches: int, *, succeeded: bool = True) -> None:
    """Write a search: which keys it had, not their values."""
    app.audit.later(
        audit.Event.QUERY,
        "E",
        caller.identity.name,
        caller.origin,
        succeeded=succeeded,
        level="WORKITEM",
        keys=sorted(keys),
        matches=matches,
    )


def studies_of(attributes: DicomJson) -> list[str]:
    """Name the studies that a workitem is about."""
    datasets = (attributes, *values(attributes, REQUESTS), *values(attributes, INPUT))
    return sorted({uid for dataset in datasets if (uid := text(dataset, STUDY_UID))})


def watching(app: App, caller: Caller, aet: str) -> None:
    """Write that somebody listens to an AE's events."""
    app.audit.later(_EVENT, "R", caller.identity.name, caller.origin, notifications=aet)
