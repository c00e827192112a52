"""Users who say who they are when an association is opened (PS3.7 D.3.3.7): name and passcode, checked as any log-in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from charrua_core.accounts.accounts import is_local
from charrua_core.dicom.acceptor import AssociationRequest, UserConfirmed
from charrua_core.dicom.association import VERIFICATION
from charrua_core.dicom.pdu import UserIdentity
from charrua_core.errors import NotPermitted
from charrua_core.peers import PEER_PERMISSIONS
from charrua_core.types import Identity

if TYPE_CHECKING:
    from charrua_core.app import App

NAME_AND_PASSCODE = 2
"""The one type that proves anything here; a name alone (1) does not, nor what we cannot check (3 to 5)."""


async def user_of(app: App, request: AssociationRequest, ae: Identity) -> Identity | UserConfirmed:
    """Give the user who asks, from the AE that was admitted, or that AE where there is no user to look at.

    Raises NotPermitted, with why the association cannot be.
    """
    mode, given = app.settings["dicom_user_identity"], request.user_identity
    if mode == "off":
        return ae
    if given is None or given.type != NAME_AND_PASSCODE:
        if mode == "required" and not _asks_whether_we_answer(app, request):
            raise NotPermitted("the name and passcode of a user are needed here (dicom_user_identity)")
        return ae
    if not request.tls and not app.settings["dicom_user_identity_without_tls"]:
        raise NotPermitted("a passcode came without TLS (dicom_user_identity_without_tls)")
    return UserConfirmed(_from_ae(await _log_in(app, request, given), ae))


def _asks_whether_we_answer(app: App, request: AssociationRequest) -> bool:
    """Whether it is `charrua status` of this machine."""
    verifies = {context.abstract_syntax for context in request.contexts} == {VERIFICATION}
    return verifies and request.calling_aet == app.settings["dicom_aet"] and is_local(request.address[0])


async def _log_in(app: App, request: AssociationRequest, given: UserIdentity) -> Identity:
    name, password = (one.decode("utf-8", "replace").strip("\0 ") for one in (given.primary, given.secondary))
    if not name or not password:
        raise NotPermitted("the name or the passcode of the user is empty")
    credentials = {"scheme": "password", "name": name, "password": password, "address": request.address[0]}
    return await app.log_in({**credentials, "aet": request.calling_aet})


def _from_ae(user: Identity, ae: Identity) -> Identity:
    """What the user may and sees from there: no more than a known AE itself, and who can log in may verify."""
    known = "unknown" not in ae.roles
    permissions = {one for one in PEER_PERMISSIONS if one == "echo" or user.may(one)}
    allowed = frozenset(one for one in permissions if not known or ae.may(one))
    return replace(user, permissions=allowed, row_filters=ae.row_filters + user.row_filters)
