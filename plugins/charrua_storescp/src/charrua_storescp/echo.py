"""C-ECHO: the Verification service class (PS3.4 A)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.dicom import Association, CommandField, Message, ServiceClass

if TYPE_CHECKING:
    from charrua_core.app import App

VERIFICATION = "1.2.840.10008.1.1"
SUCCESS, NOT_AUTHORISED = 0x0000, 0x0124


def echo_service(app: App) -> ServiceClass:
    """Give the Verification SCP: success for who may echo, else 0x0124."""

    async def handle(association: Association, message: Message) -> None:
        allowed = app.identity_of(association).may("echo")
        await association.respond(message, SUCCESS if allowed else NOT_AUTHORISED)

    statuses = {SUCCESS: "here", NOT_AUTHORISED: "the AE may not verify"}
    return ServiceClass("Verification", {VERIFICATION}, handle, frozenset({CommandField.C_ECHO}), statuses=statuses)
