"""The DICOM listener: the service classes of all plugins behind one or two ports."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from charrua_core.dicom import (
    Acceptor,
    Association,
    AssociationRequest,
    AssociationStats,
    Dispatcher,
    Rejection,
    ServiceClass,
)
from charrua_core.dicom.acceptor import UserConfirmed
from charrua_core.dicom.certificates import tls_context
from charrua_core.dicom.user_identity import user_of
from charrua_core.errors import NotPermitted
from charrua_core.peers import Rejection as Refusal
from charrua_core.services.service import Service
from charrua_core.services.sockets import PLAIN, TLS, Sockets, bind
from charrua_core.types import Identity

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.settings import Settings

log = logging.getLogger(__name__)


def bind_dicom(settings: Settings) -> Sockets:
    """Give the listening sockets that the settings ask for; AddressTaken if one cannot be had."""
    host = settings["dicom_host"]
    sockets = {PLAIN: bind(host, settings["dicom_port"], "the DICOM listener")}
    if settings["dicom_tls"] != "off" and settings["dicom_tls_port"] is not None:
        sockets[TLS] = bind(host, settings["dicom_tls_port"], "the DICOM TLS listener")
    return sockets


class DicomListener(Service):
    """Accepts associations and lets the plugins' service classes answer."""

    name = "DICOM listener"
    role = "dicom"

    def __init__(self, app: App) -> None:
        self._app = app
        self._acceptors: list[Acceptor] = []

    def bind(self) -> Sockets:
        """Bind the ports."""
        return bind_dicom(self._app.settings)

    async def start(self) -> str:
        """Listen; give the AE title and the addresses."""
        app = self._app
        sockets = {name: app.sockets[name] for name in (PLAIN, TLS) if name in app.sockets}
        dispatcher = Dispatcher(app.hooks.gather_of(ServiceClass, "dimse_services", app=app))
        context = await tls_context(app.settings)
        told = []
        for name, listening in sockets.items():
            tls = context if name == TLS or TLS not in sockets else None
            acceptor = Acceptor(app.limits, dispatcher, self._admit, tls, self._ended, self._is_known, self._trouble)
            await acceptor.start(sock=listening)
            self._acceptors.append(acceptor)
            host, port = listening.getsockname()[:2]
            told.append(f"dicom{'+tls' if tls else ''} {app.settings['dicom_aet']} {host}:{port}")
        return ", ".join(told)

    async def stop(self) -> None:
        """Take no more associations; let those that are busy finish what they are at."""
        for acceptor in self._acceptors:
            await acceptor.stop()

    @property
    def associations(self) -> int:
        """How many associations are established."""
        return sum(len(acceptor.established) for acceptor in self._acceptors)

    async def _admit(self, request: AssociationRequest) -> Rejection | Identity | UserConfirmed:
        asked = (request.calling_aet, request.called_aet, request.address[0])
        verdict: Refusal | Identity | UserConfirmed = await self._app.admit(*asked, request.certificate_names)
        try:
            if isinstance(verdict, Identity):
                verdict = await user_of(self._app, request, verdict)
        except NotPermitted as error:
            verdict = await self._app.peers.reject(*asked, str(error))
        if isinstance(verdict, Refusal):
            return Rejection(verdict.result, verdict.source, verdict.reason)
        log.info("association", extra={"peer": request.calling_aet, "address": request.address[0]})
        return verdict

    def _trouble(self, kind: str, who: str, address: str, reason: str = "", **facts: str) -> None:
        if kind == "contexts" and who == self._app.settings["dicom_aet"]:
            return  # an archive that looks what another one offers, or itself
        self._app.troubles.note(kind, who, address, reason, **facts)

    def _is_known(self, _request: AssociationRequest, identity: Identity | None) -> bool:
        return identity is not None and "unknown" not in identity.roles

    def _ended(self, association: Association, stats: AssociationStats) -> None:
        told = {"peer": association.calling_aet, "messages": stats.messages, "end": stats.end}
        log.info("association ended", extra={**told, "seconds": round(stats.duration_s, 3)})
