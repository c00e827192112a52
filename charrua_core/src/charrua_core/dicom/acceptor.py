"""The acceptor of associations: a listener, its limits, and the ACSE's part of PS3.8 (Sta2, Sta3, Sta13)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from charrua_core.dicom import measured, pdu, refused
from charrua_core.dicom.association import Association
from charrua_core.dicom.connection import LINGER_S
from charrua_core.dicom.dispatch import Dispatcher
from charrua_core.dicom.exchange import AssociationStats
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.message import Message
from charrua_core.dicom.negotiate import SMALLEST_MAX_PDU, acceptance
from charrua_core.dicom.pdu import (
    APPLICATION_CONTEXT_NOT_SUPPORTED,
    CALLED_AE_NOT_RECOGNIZED,
    CALLING_AE_NOT_RECOGNIZED,
    LOCAL_LIMIT_EXCEEDED,
    PROTOCOL_VERSION_NOT_SUPPORTED,
    TEMPORARY_CONGESTION,
    AbortReason,
    AssociateRQ,
    ProposedContext,
    ProtocolViolation,
    Rejection,
    UserIdentity,
)
from charrua_core.dicom.waiting import WaitingRoom
from charrua_core.types import Identity

log = logging.getLogger("charrua_core.dicom")

_EXPECTED = frozenset({pdu.ASSOCIATE_RQ, pdu.ABORT})
_ADMITTING = "the association is not yet admitted"
_OUT_OF_DESCRIPTORS_S = 1.0


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """Who asks for an association, and for what: what `admit` judges."""

    calling_aet: str
    called_aet: str
    address: tuple[str, int]
    contexts: tuple[ProposedContext, ...]
    user_identity: UserIdentity | None = None
    implementation_uid: str = ""
    implementation_version: str = ""
    tls: bool = False
    peer_certificate: Mapping[str, Any] | None = None
    """As `ssl.SSLSocket.getpeercert` gives it; None without TLS, or if the peer sent none."""
    certificate_names: frozenset[str] = frozenset()
    """By what its owner may be known."""


@dataclass(frozen=True, slots=True)
class UserConfirmed:
    """An identity that was proven by the request's user identity, which the answer confirms (PS3.7 D.3.3.7.2)."""

    identity: Identity


Admit = Callable[[AssociationRequest], Awaitable[Rejection | Identity | UserConfirmed | None]]
OnEnd = Callable[[Association, AssociationStats], None]
OnTrouble = Callable[..., None]
"""Is told as `charrua_core.trouble.Troubles.note` is."""


def _tell_nobody(_kind: str, _who: str, _address: str, _reason: str = "", **_facts: str) -> None:
    pass


async def _admit_all(_: AssociationRequest) -> None:
    return None


class Acceptor:
    """Listens, negotiates, and lets the dispatcher's services answer.

    `admit` judges each request: whom it gives an identity has that as `association.identity`. `known` says which requests
    may use the reserved associations. `on_end` is told of every association that was established, when its connection is
    gone; `on_trouble` of what is refused here, but not of what `admit` rejects.
    """

    def __init__(
        self,
        limits: Limits,
        dispatcher: Dispatcher,
        admit: Admit = _admit_all,
        tls: ssl.SSLContext | None = None,
        on_end: OnEnd | None = None,
        known: Callable[[AssociationRequest, Identity | None], bool] | None = None,
        on_trouble: OnTrouble = _tell_nobody,
    ) -> None:
        self.limits = limits
        self.dispatcher = dispatcher
        self.admit = admit
        self.on_end = on_end
        self.known = known
        self.on_trouble = on_trouble
        self.established: set[Accepted] = set()
        self._tls = tls
        self._waiting = WaitingRoom(limits.max_pending_per_ip, limits.max_pending)
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_gone = asyncio.Event()
        self._finishing: set[asyncio.Task[Any]] = set()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._listeners[0].getsockname()[1]
        return port

    @property
    def pending(self) -> int:
        """Connections that are not associations yet."""
        return len(self._waiting)

    async def start(self, host: str = "127.0.0.1", port: int = 0, sock: socket.socket | None = None) -> None:
        """Listen on each address of the host, or on a socket that is bound; OSError if the port is taken."""
        self._listeners = [sock] if sock is not None else await _bound(host, port)
        for listener in self._listeners:
            listener.setblocking(False)
            listener.listen(self.limits.backlog)
            self._spawn(self._accept_from(listener))

    async def stop(self, grace_s: float = 10.0) -> None:
        """Close the listener, let running operations finish for `grace_s`, then abort every association."""
        listening, self._tasks = self._tasks, set()
        for task in listening:
            task.cancel()
        for listener in self._listeners:
            listener.close()
        self._waiting.cut_all()
        await asyncio.gather(*(self._end(association, grace_s) for association in self.established))
        self._all_gone.clear()
        if self.established:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._all_gone.wait()
        for association in list(self.established):
            association.connection.cut()
        await asyncio.gather(*listening, return_exceptions=True)
        if self._finishing:
            await asyncio.wait(self._finishing, timeout=grace_s)

    async def _end(self, association: Accepted, grace_s: float) -> None:
        if (task := association.task) is not None:
            await asyncio.wait([task], timeout=grace_s)
        await association.abort()
        if (task := association.task) is not None:
            task.cancel()
            await asyncio.wait([task])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept_from(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptors left, most of all: others must end first
                log.error("cannot accept: %s", error, extra={"action": "not accepted"})
                await asyncio.sleep(_OUT_OF_DESCRIPTORS_S)
                continue
            association = Accepted(self, sock)
            if self._waiting.enter(address[0], association.cut):
                log.warning("too many silent connections", extra={"action": "cut", "address": address[0]})
            self._spawn(self._connect(sock, association, address[0]))
            await asyncio.sleep(0)  # a burst of connections must not hold up the associations

    async def _connect(self, sock: socket.socket, association: Accepted, address: str) -> None:
        """The TLS handshake, if there is one, is here: nobody waits for it but the one who is slow."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: association.connection,
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=self.limits.artim_s if self._tls else None,
            )
        except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            log.info("no connection: %s", type(error).__name__, extra={"action": "cut"})
            if isinstance(error, ssl.SSLError):
                self.on_trouble("tls", "", address, error.reason or type(error).__name__)
            sock.close()
        finally:
            if not association.connected:
                self.left(association)

    def left(self, association: Accepted) -> None:
        """The connection waits no more: it is an association, or gone."""
        self._waiting.leave(association.cut)

    def rejection_for_lack_of_room(self, request: AssociationRequest, identity: Identity | None) -> Rejection | None:
        """Whether the limit of associations is reached for this request."""
        room = self.limits.max_associations - len(self.established)
        if room > self.limits.reserved_associations:
            return None
        return None if room > 0 and self.known is not None and self.known(request, identity) else LOCAL_LIMIT_EXCEEDED

    def ended(self, association: Accepted) -> None:
        """The connection of an association is gone."""
        self.left(association)
        if association in self.established:
            self.established.discard(association)
            if (task := association.task) is not None and not task.done():
                # The peer is gone, but not who served it: what it did is still to be written down.
                self._finishing.add(task)
                task.add_done_callback(self._finishing.discard)
            measured.ended(association.stats.end)
            if not self.established:
                self._all_gone.set()
            if self.on_end is not None:
                self.on_end(association, association.stats)


async def _bound(host: str, port: int) -> list[socket.socket]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listeners = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        listener = socket.socket(family, kind, protocol)
        listeners.append(listener)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind(address)
        except OSError:
            for opened in listeners:
                opened.close()
            raise
    return listeners


class Accepted(Association):
    """An association from the acceptor's side, from the connection on."""

    def __init__(self, acceptor: Acceptor, sock: socket.socket) -> None:
        super().__init__(acceptor.limits, _EXPECTED, acceptor.dispatcher.serve, is_requestor=False)
        self.connected = False
        self._acceptor = acceptor
        self._socket = sock
        self._admission: asyncio.Task[None] | None = None

    def cut(self) -> None:
        """End a connection that is no association yet."""
        if self.connected:
            self.connection.cut()
        else:
            with suppress(OSError):  # within the TLS handshake the socket is the loop's: this ends its read
                self._socket.shutdown(socket.SHUT_RDWR)

    def on_connected(self) -> None:
        """The connection (and its TLS) stands."""
        self.connected = True
        super().on_connected()

    def on_pdu(self, kind: int, body: bytes) -> None:
        """The request; later, the end."""
        if kind != pdu.ASSOCIATE_RQ:
            super().on_pdu(kind, body)
            return
        request = pdu.decode_associate_rq(body, self.limits.max_contexts)
        if 0 < request.user.max_pdu < SMALLEST_MAX_PDU:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the maximum length is too small for messages")
        self.connection.hold(_ADMITTING)
        self._admission = asyncio.get_running_loop().create_task(self._admit(request))

    async def _admit(self, request: AssociateRQ) -> None:
        self._take_facts(request)
        asked = self._request(request)
        try:
            malformed = _malformed(request)
            verdict = malformed or await self._acceptor.admit(asked)
            if isinstance(verdict, UserConfirmed):
                self.user_confirmed, verdict = True, verdict.identity
            if isinstance(verdict, Identity):
                self.identity, verdict = verdict, None
            own = malformed or (None if verdict else self._acceptor.rejection_for_lack_of_room(asked, self.identity))
            if own is not None:
                self._tell(*refused.rejection(own))
            if (rejection := verdict or own) is not None:
                self._reject(rejection)
            else:
                self._accept(request)
        except Exception:
            log.exception("no admission", extra={"action": "failed", "association": self.id})
            self._reject(TEMPORARY_CONGESTION)
        self.connection.proceed(_ADMITTING)

    def _take_facts(self, request: AssociateRQ) -> None:
        self.calling_aet, self.called_aet = request.calling_aet, request.called_aet
        self.peer_max_pdu = request.user.max_pdu
        self.peer_implementation_uid = request.user.implementation_uid
        self.peer_implementation_version = request.user.implementation_version
        self.user_identity = request.user.identity

    def _request(self, request: AssociateRQ) -> AssociationRequest:
        return AssociationRequest(
            request.calling_aet,
            request.called_aet,
            self.address,
            request.contexts,
            request.user.identity,
            request.user.implementation_uid,
            request.user.implementation_version,
            self.tls is not None,
            (self.tls.peer_certificate or None) if self.tls else None,
            self.tls.certificate_names if self.tls else frozenset(),
        )

    def _reject(self, rejection: Rejection) -> None:
        reason = (rejection.result, rejection.source, rejection.reason)
        log.info("association rejected", extra={"action": "rejected", "peer": self.calling_aet, "reason": reason})
        measured.rejected(rejection)
        self._end("rejected")
        self.connection.write(pdu.encode_associate_rj(rejection))
        self.connection.close_soon()

    def _accept(self, request: AssociateRQ) -> None:
        answer = acceptance(request, self._acceptor.dispatcher, self, self.limits.max_pdu)
        self._acceptor.left(self)
        self._acceptor.established.add(self)
        measured.OPEN.inc()
        measured.ACCEPTED.inc()
        self.connection.write(pdu.encode_associate_ac(answer))
        self.open()
        if facts := refused.contexts(request, answer):
            self._tell("contexts", "", **facts)

    def _tell(self, kind: str, reason: str, **facts: str) -> None:
        self._acceptor.on_trouble(kind, self.calling_aet.strip(), self.address[0], reason, **facts)

    def _served(self, message: Message) -> None:
        if facts := refused.operation(message):
            self._tell("operation", message.comment, **facts)

    def on_violation(self, violation: ProtocolViolation | None) -> None:
        """The connection is aborting."""
        if violation is not None:
            self._tell("protocol", str(violation))
        super().on_violation(violation)

    def _end(self, how: str) -> None:
        super()._end(how)
        if self._admission is not None and self._admission is not asyncio.current_task():
            self._admission.cancel()

    def on_lost(self) -> None:
        """The connection is gone."""
        super().on_lost()
        self._acceptor.ended(self)


def _malformed(request: AssociateRQ) -> Rejection | None:
    """What the ACSE itself refuses (PS3.8 table 9-21)."""
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION_NOT_SUPPORTED
    if request.application_context != pdu.APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NOT_SUPPORTED
    if not request.calling_aet:
        return CALLING_AE_NOT_RECOGNIZED
    return None if request.called_aet else CALLED_AE_NOT_RECOGNIZED
