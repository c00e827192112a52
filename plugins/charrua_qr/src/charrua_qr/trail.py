"""What retrievals leave in the audit trail: their begin and their end, or refusal (PS3.15 A.5.3.3, A.5.3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.audit import Event
from charrua_core.dicom import Association, Message
from charrua_core.errors import CharruaError
from charrua_core.types import Origin
from charrua_qr.models import SUCCESS
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
        origin_of(app, association),
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
        origin_of(app, association),
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
        origin_of(app, association),
        succeeded=False,
        destination=message.command.move_destination or association.calling_aet,
        refused=type(error).__name__,
        status=f"{error.dimse_status:04X}",
    )


def origin_of(app: App, association: Association) -> Origin:
    """Give where the requests of an association come from, with the user who has logged in on it."""
    identity, address = app.identity_of(association), association.address[0]
    user = identity.name if identity.kind == "user" else ""
    return Origin("dimse", association.calling_aet, association.called_aet, address, association.id, user)
