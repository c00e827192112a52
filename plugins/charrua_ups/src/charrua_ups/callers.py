"""Who asks: on an association, and on the web."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.dicom import Association
from charrua_ups.model import Caller
from charrua_ups.subscriptions import receiver

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.web import Request


def caller_of(app: App, association: Association) -> Caller:
    """Give who asks on an association."""
    return Caller(app.identity_of(association), app.origin_of(association), association.calling_aet)


def web_caller(request: Request) -> Caller:
    """Give who asks over the web: under the AE title that the path names as requester, else under the user's name."""
    named = request.parameters.get("requester")
    return Caller(request.identity, request.origin, receiver(named) if named else _as_aet(request.identity.name))


def _as_aet(name: str) -> str:
    """Give a name as far as an AE title can say it."""
    printable = "".join(character for character in name if " " <= character <= "~" and character != "\\")
    return printable[:16].strip() or "WEB"
