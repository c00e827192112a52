"""The requestor of associations: `async with associate(peer, contexts) as association`."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from charrua_core import errors
from charrua_core.dicom import pdu
from charrua_core.dicom.association import Association
from charrua_core.dicom.dispatch import Dispatcher
from charrua_core.dicom.exchange import Handler
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.measured import REQUESTED
from charrua_core.dicom.negotiate import SMALLEST_MAX_PDU, accepted_contexts, request_for
from charrua_core.dicom.pdu import (
    AbortReason,
    AssociateRQ,
    ProposedContext,
    ProtocolViolation,
    Rejection,
    UserIdentity,
    UserInformation,
)
from charrua_core.dicom.tls import client_context
from charrua_core.types import Peer

_EXPECTED = frozenset({pdu.ASSOCIATE_AC, pdu.ASSOCIATE_RJ, pdu.ABORT})


class PeerRejected(errors.AssociationRejected):
    """The peer rejected the association."""

    def __init__(self, rejection: Rejection) -> None:
        words = pdu.REJECTIONS.get((0, rejection.source), {}).get(rejection.reason, f"reason {rejection.reason}")
        super().__init__(f"{'permanently' if rejection.result == 1 else 'for now'}: {words}")
        self.rejection = rejection


class _Requested(Association):
    """An association from the requestor's side, from the connection on."""

    def __init__(self, limits: Limits, request: AssociateRQ, handler: Handler | None) -> None:
        super().__init__(limits, _EXPECTED, handler, is_requestor=True)
        self.calling_aet, self.called_aet = request.calling_aet, request.called_aet
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request

    def on_connected(self) -> None:
        """Ask."""
        super().on_connected()
        self.connection.write(pdu.encode_associate_rq(self._request))

    def on_pdu(self, kind: int, body: bytes) -> None:
        """The answer; later, the end."""
        if kind == pdu.ASSOCIATE_AC:
            self._on_accept(pdu.decode_associate_ac(body))
        elif kind == pdu.ASSOCIATE_RJ:
            REQUESTED.labels("rejected").inc()
            self._answer(PeerRejected(Rejection(*body[1:4])))
            self._end("rejected")
            self.connection.close()
        else:
            super().on_pdu(kind, body)

    def _on_accept(self, accept: pdu.AssociateAC) -> None:
        self.accepted = accepted_contexts(self._request, accept)
        self.peer_max_pdu = accept.user.max_pdu
        if 0 < self.peer_max_pdu < SMALLEST_MAX_PDU:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the maximum length is too small for messages")
        self.peer_implementation_uid = accept.user.implementation_uid
        self.peer_implementation_version = accept.user.implementation_version
        self.extended = dict(accept.user.extended)
        self.open()
        REQUESTED.labels("accepted").inc()
        self._answer(None)

    def _answer(self, error: Exception | None) -> None:
        if self.answered.done():
            return
        if error is None:
            self.answered.set_result(None)
        else:
            self.answered.set_exception(error)
            self.answered.exception()  # nobody may be waiting any more

    def _end(self, how: str) -> None:
        super()._end(how)
        self._answer(errors.AssociationAborted(f"the association has ended: {how}"))


async def open_association(
    peer: Peer,
    contexts: Sequence[ProposedContext],
    *,
    calling_aet: str,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    dispatcher: Dispatcher | None = None,
    user_identity: UserIdentity | None = None,
    extended: Mapping[str, bytes] | None = None,
) -> Association:
    """An association that the caller releases. Arguments and errors as of `associate`."""
    limits = limits or Limits()
    user = UserInformation(limits.max_pdu, identity=user_identity, extended=extended or {})
    request = request_for(calling_aet, peer.aet, contexts, user)
    association = _Requested(limits, request, None if dispatcher is None else dispatcher.serve)
    if tls is None and peer.tls_mode != "off":
        tls = client_context(peer.tls_mode)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(peer.timeout_s):
            await loop.create_connection(
                lambda: association.connection,
                peer.host,
                peer.port,
                ssl=tls,
                server_hostname=peer.host if tls else None,
                ssl_handshake_timeout=peer.timeout_s if tls else None,
            )
            await association.answered
    except TimeoutError as error:
        REQUESTED.labels("unreachable").inc()
        association.connection.cut()
        raise errors.PeerUnreachable("no answer to the request for an association") from error
    except (OSError, EOFError) as error:
        REQUESTED.labels("unreachable").inc()
        raise errors.PeerUnreachable(_why(error)) from error
    except asyncio.CancelledError:
        association.connection.cut()
        raise
    return association


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    if not isinstance(error, OSError):
        return type(error).__name__
    if error.errno and not isinstance(error, socket.gaierror):  # each event loop has words of its own
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


@asynccontextmanager
async def associate(
    peer: Peer,
    contexts: Sequence[ProposedContext],
    *,
    calling_aet: str = "CHARRUA",
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    dispatcher: Dispatcher | None = None,
    user_identity: UserIdentity | None = None,
    extended: Mapping[str, bytes] | None = None,
) -> AsyncIterator[Association]:
    """An association with the peer, released at the end of the block, aborted if the block raises.

    Up to 128 contexts; they are numbered here. Without `tls`, a peer whose `tls_mode` is "encrypt" gets a context that
    encrypts and checks nothing. `dispatcher` answers requests that the peer sends on this association, such as
    N-EVENT-REPORT. Raises PeerUnreachable, AssociationRejected (`PeerRejected`, with its `rejection`), AssociationAborted.
    """
    association = await open_association(
        peer,
        contexts,
        calling_aet=calling_aet,
        limits=limits,
        tls=tls,
        dispatcher=dispatcher,
        user_identity=user_identity,
        extended=extended,
    )
    try:
        yield association
    except BaseException:
        await association.abort()
        raise
    await association.release()
