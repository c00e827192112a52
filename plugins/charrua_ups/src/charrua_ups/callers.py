"""Who asks: on an association, and on the web."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.dicom import Association
from charrua_core.types import Origin
from charrua_ups.model import Caller

if TYPE_CHECKING:
    from charrua_core.app import App


def caller_of(app: App, association: Association) -> Caller:
    """Give who asks on an association."""
    identity = app.identity_of(association)
    user = identity.name if identity.kind == "user" else ""
    calling, called = association.calling_aet, association.called_aet
    origin = Origin("dimse", calling, called, association.address[0], association.id, user)
    return Caller(identity, origin, calling)
