"""What retrievals over HTTP leave in the audit trail (PS3.15 A.5.3.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.audit import Event

if TYPE_CHECKING:
    from charrua_core.web import Request


def transferred(request: Request, study_uids: Sequence[str], sent: int, *, succeeded: bool = True) -> None:
    """Write that objects, or parts of them, were sent."""
    _write(request, Event.INSTANCES_TRANSFERRED, study_uids, sent, succeeded=succeeded)


def exported(request: Request, study_uids: Sequence[str], sent: int, *, succeeded: bool = True) -> None:
    """Write that objects were given out as a medium (PS3.15 A.5.3.4)."""
    _write(request, Event.EXPORT, study_uids, sent, succeeded=succeeded)


def accessed(request: Request, study_uids: Sequence[str], shown: int) -> None:
    """Write that objects were shown, or what they say."""
    _write(request, Event.INSTANCES_ACCESSED, study_uids, shown, succeeded=True)


def _write(request: Request, event: Event, study_uids: Sequence[str], objects: int, *, succeeded: bool) -> None:
    request.app.audit.later(
        event,
        "R",
        request.identity.name,
        request.origin,
        succeeded=succeeded,
        study_uids=study_uids,
        objects=objects,
        resource=request.route.path,
    )
