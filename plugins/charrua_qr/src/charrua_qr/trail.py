"""What retrievals leave in the audit trail: their begin and their end, or refusal (PS3.15 A.5.3.3, A.5.3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.audit import Event
from charrua_core.dicom import Association, Message
from charrua_core.dicom.finding import SUCCESS
from charrua_core.errors import CharruaError
from charrua_qr.selection import Selection
from charrua_qr.suboperations import Counts

if TYPE_CHECKING:
    from charrua_core.app import App


def begin(app: App, association: Association, destination: str, selection: Selection) -> None:
    """Write that objects are about to be sent."""
    app.audit.later(
        Event.BEGIN_TRANSFERRING,
        "E",
        app.identity_of(association).name,
        app.origin_of(association),
        study_uids=selection.study_uids,
        destination=destination,
        objects=selection.total,
    )


def end(
    app: App, association: Association, destination: str, selection: Selection, counts: Counts, status: int
) -> None:
    """Write what became of it."""
    app.audit.later(
        Event.INSTANCES_TRANSFERRED,
        "R",
        app.identity_of(association).name,
        app.origin_of(association),
        succeeded=status == SUCCESS,
        study_uids=selection.study_uids,
        destination=destination,
        sent=counts.sent,
        failed=counts.failed,
        status=f"{status:04X}",
    )


def refused(app: App, association: Association, message: Message, error: CharruaError) -> None:
    """Write that objects were asked for and none were sent."""
    app.audit.later(
        Event.INSTANCES_TRANSFERRED,
        "R",
        app.identity_of(association).name,
        app.origin_of(association),
        succeeded=False,
        destination=message.command.move_destination or association.calling_aet,
        refused=type(error).__name__,
        status=f"{error.dimse_status:04X}",
    )
