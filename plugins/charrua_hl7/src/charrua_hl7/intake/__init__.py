"""Messages that come in: the MLLP listener, what is done with each, and their calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.services import Service
    from charrua_core.web import WebRoute


def message_routes() -> Sequence[WebRoute]:
    """Give the calls on messages."""
    from charrua_hl7.intake.calls import ROUTES

    return ROUTES


def intake_services(app: App) -> Sequence[Service]:
    """Give the listener, which starts last and stops first, what processes its messages, and what removes old ones."""
    from charrua_core.services import Background
    from charrua_hl7.intake.intake import Intake
    from charrua_hl7.intake.listener import Listener
    from charrua_hl7.intake.upkeep import finish, forget

    intake = Intake(app)
    return [
        Listener(app, intake),
        Background("HL7 messages", "dicom", intake.run),
        Background("HL7 messages that wait", "jobs", partial(finish, app)),
        Background("HL7 messages that are old", "jobs", partial(forget, app)),
    ]
