"""An association as services and senders see it: what was negotiated, and the operations that we ask of the peer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from charrua_core.dicom.command import Command, CommandField, encode_command
from charrua_core.dicom.exchange import Exchange, Handler, is_pending
from charrua_core.dicom.fragments import COMMAND, Segment, framed, segments_size, send_segments
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.measured import Asking
from charrua_core.dicom.message import Message, PresentationContext
from charrua_core.dicom.pdu import UserIdentity
from charrua_core.dicom.tls import certificate_names
from charrua_core.errors import AssociationAborted, CharruaError, DimseTimeout
from charrua_core.types import Identity

VERIFICATION = "1.2.840.10008.1.1"
MEDIUM_PRIORITY = 0


class ContextNotAccepted(CharruaError):
    """The peer has accepted no presentation context for this SOP class."""

    dimse_status = 0x0122
    http_status = 502


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """What TLS has settled; the certificate is the peer's as `ssl.SSLSocket.getpeercert` gives it, {} if not asked for."""

    version: str
    cipher: str
    peer_certificate: dict[str, Any] = field(default_factory=dict)
    certificate_names: frozenset[str] = frozenset()
    """By what the peer may be known that showed this certificate, and was checked; as `Peer.certificate` has it."""


class Association(Exchange):
    """An association, accepted or requested (`is_requestor`).

    `accepted` maps presentation context identifiers to what was agreed; `address` is (ip, port) of the peer; `id` is short
    and random, for logs and the audit trail. Operations raise AssociationAborted when the association ends under them,
    and DimseTimeout (after which it has ended) when the peer does not answer.
    """

    def __init__(
        self, limits: Limits, expected: frozenset[int], handler: Handler | None, *, is_requestor: bool
    ) -> None:
        super().__init__(limits, expected, handler)
        self.is_requestor = is_requestor
        self.calling_aet = ""
        self.called_aet = ""
        self.address: tuple[str, int] = ("", 0)
        self.peer_implementation_uid = ""
        self.peer_implementation_version = ""
        self.user_identity: UserIdentity | None = None
        self.user_confirmed = False
        self.identity: Identity | None = None
        """Who asks, as `admit` has found; None where it did not say."""
        self.extended: dict[str, bytes] = {}
        """SOP class → what the acceptor answered in SOP Class Extended Negotiation (PS3.7 D.3.3.5)."""
        self.tls: TlsInfo | None = None
        self._operation: tuple[int, int] | None = None

    @property
    def peer_aet(self) -> str:
        """The AE title at the other end."""
        return self.called_aet if self.is_requestor else self.calling_aet

    def on_connected(self) -> None:
        """Note who is at the other end."""
        transport = self.connection.transport
        self.address = (transport.get_extra_info("peername") or ("", 0))[:2]
        if (ssl_object := transport.get_extra_info("ssl_object")) is not None:
            cipher = ssl_object.cipher()
            shown = ssl_object.getpeercert() or {}
            names = certificate_names(shown, ssl_object.getpeercert(True)) if shown else frozenset()
            self.tls = TlsInfo(ssl_object.version() or "", cipher[0] if cipher else "", shown, names)

    # Presentation contexts

    def contexts_for(self, sop_class_uid: str) -> list[PresentationContext]:
        """The contexts in which we may ask for this SOP class, in the order of their identifiers."""
        return [
            context
            for context in self.accepted.values()
            if context.abstract_syntax == sop_class_uid
            and (context.scu_role if self.is_requestor else context.scp_role)
        ]

    def context_for(self, sop_class_uid: str, transfer_syntax_uid: str | None = None) -> PresentationContext:
        """The context for an object of this SOP class and transfer syntax (None: any); ContextNotAccepted if there is none."""
        for context in self.contexts_for(sop_class_uid):
            if transfer_syntax_uid in (None, context.transfer_syntax):
                return context
        raise ContextNotAccepted

    # Operations as SCU

    async def request(
        self,
        context: PresentationContext,
        command: Command,
        dataset: bytes | None = None,
        timeout_s: float | None = None,
    ) -> tuple[Command, bytes]:
        """Send any request that has one response (C-ECHO, N-…); gives the response and its data set."""
        async with aclosing(self._responses(context, command, dataset, timeout_s)) as responses:
            async for response in responses:
                return response
        raise AssociationAborted

    async def report(
        self,
        sop_class_uid: str,
        sop_instance_uid: str,
        event_type_id: int,
        information: bytes,
        *,
        negotiated: str = "",
        timeout_s: float | None = None,
    ) -> Command:
        """N-EVENT-REPORT (PS3.7 10.1.1), by which an SCP tells its SCU of an event; gives the response.

        `negotiated` is the SOP class of the presentation context where it is another than the instance's. A peer that answered
        no role selection is taken at its default role. Raises ContextNotAccepted.
        """
        abstract_syntax = negotiated or sop_class_uid
        context = next((one for one in self.accepted.values() if one.abstract_syntax == abstract_syntax), None)
        if context is None:
            raise ContextNotAccepted
        command = Command(
            CommandField.N_EVENT_REPORT,
            affected_sop_class_uid=sop_class_uid,
            affected_sop_instance_uid=sop_instance_uid,
            event_type_id=event_type_id,
        )
        return (await self.request(context, command, information, timeout_s=timeout_s))[0]

    async def create(
        self, sop_class_uid: str, sop_instance_uid: str, attributes: bytes, *, timeout_s: float | None = None
    ) -> Command:
        """N-CREATE (PS3.7 10.1.5); gives the response, whatever its status. Raises ContextNotAccepted."""
        command = Command(
            CommandField.N_CREATE, affected_sop_class_uid=sop_class_uid, affected_sop_instance_uid=sop_instance_uid
        )
        context = self.context_for(sop_class_uid)
        return (await self.request(context, command, attributes, timeout_s=timeout_s))[0]

    async def set(
        self, sop_class_uid: str, sop_instance_uid: str, changes: bytes, *, timeout_s: float | None = None
    ) -> Command:
        """N-SET (PS3.7 10.1.3); gives the response, whatever its status. Raises ContextNotAccepted."""
        command = Command(
            CommandField.N_SET, requested_sop_class_uid=sop_class_uid, requested_sop_instance_uid=sop_instance_uid
        )
        context = self.context_for(sop_class_uid)
        return (await self.request(context, command, changes, timeout_s=timeout_s))[0]

    async def echo(self, timeout_s: float | None = None) -> Command:
        """C-ECHO (PS3.7 9.1.5); gives the response."""
        command = Command(CommandField.C_ECHO, affected_sop_class_uid=VERIFICATION)
        return (await self.request(self.context_for(VERIFICATION), command, timeout_s=timeout_s))[0]

    async def store(
        self,
        context: int | tuple[str, str],
        sop_class_uid: str,
        sop_instance_uid: str,
        segments: Sequence[Segment],
        *,
        move_originator: tuple[str, int] | None = None,
        priority: int = MEDIUM_PRIORITY,
        timeout_s: float | None = None,
    ) -> Command:
        """C-STORE (PS3.7 9.1.1) of an encoded data set, sent as it is; gives the response, whatever its status.

        `context` is an identifier, or (SOP class, transfer syntax). The segments make up the data set in that transfer
        syntax, without preamble and file meta information. `move_originator` is (AE title, Message ID) of the C-MOVE.
        Raises ContextNotAccepted, and StorageFailed if a file cannot be read to its end (the association is aborted if
        part of the message was sent).
        """
        chosen = self.context_for(*context) if isinstance(context, tuple) else self.accepted[context]
        command = Command(
            CommandField.C_STORE,
            self.next_message_id(),
            affected_sop_class_uid=sop_class_uid,
            affected_sop_instance_uid=sop_instance_uid,
            priority=priority,
            data_set_type=0x0001,
            move_originator_aet=move_originator[0] if move_originator else None,
            move_originator_message_id=move_originator[1] if move_originator else None,
        )
        replies = self.expect_replies(command.message_id or 0)
        try:
            with Asking(CommandField.C_STORE) as asking:
                await self._send_object(chosen.id, command, segments)
                response, _ = await self.reply(replies, timeout_s)
                asking.status = response.status or 0
            return response
        finally:
            self.forget_replies(command.message_id or 0)

    async def _send_object(self, context_id: int, command: Command, segments: Sequence[Segment]) -> None:
        if segments_size(segments) == 0:
            raise ValueError("a data set has at least one element")
        prefix = framed(context_id, COMMAND, encode_command(command), self.send_pdu)
        sent_before = self.connection.bytes_sent
        async with self._sending:
            try:
                await send_segments(prefix, context_id, segments, self.send_pdu, self._write)
            except BaseException:
                if self.connection.bytes_sent != sent_before:  # half a message cannot be taken back
                    await self.abort()
                raise

    async def find(
        self, sop_class_uid: str, identifier: bytes, *, priority: int = MEDIUM_PRIORITY, timeout_s: float | None = None
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """C-FIND (PS3.7 9.1.2): each response's status and identifier, the final one (with b"") included.

        A caller that stops early (inside `contextlib.aclosing`) cancels the query.
        """
        command = Command(CommandField.C_FIND, affected_sop_class_uid=sop_class_uid, priority=priority)
        responses = self._responses(self.context_for(sop_class_uid), command, identifier, timeout_s)
        async with aclosing(responses):
            async for response, data in responses:
                yield response.status or 0, data

    async def move(
        self,
        sop_class_uid: str,
        destination: str,
        identifier: bytes,
        *,
        priority: int = MEDIUM_PRIORITY,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[tuple[Command, bytes], None]:
        """C-MOVE (PS3.7 9.1.4): each response with its counts of sub-operations, and its identifier if it has one."""
        command = Command(
            CommandField.C_MOVE, affected_sop_class_uid=sop_class_uid, priority=priority, move_destination=destination
        )
        responses = self._responses(self.context_for(sop_class_uid), command, identifier, timeout_s)
        async with aclosing(responses):
            async for response in responses:
                yield response

    async def get(
        self,
        sop_class_uid: str,
        identifier: bytes,
        on_store: Callable[[Association, Message], Awaitable[int]],
        *,
        priority: int = MEDIUM_PRIORITY,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[tuple[Command, bytes], None]:
        """C-GET (PS3.7 9.1.3): each response, while `on_store` takes the objects and gives the status of each C-STORE.

        The storage SOP classes must have been proposed with `scp_role=True`.
        """

        async def take(association: Association, message: Message) -> None:
            await association.respond(message, await on_store(association, message))

        handler, self.handler = self.handler, take
        command = Command(CommandField.C_GET, affected_sop_class_uid=sop_class_uid, priority=priority)
        responses = self._responses(self.context_for(sop_class_uid), command, identifier, timeout_s)
        try:
            async with aclosing(responses):
                async for response in responses:
                    yield response
        finally:
            self.handler = handler

    async def cancel(self) -> None:
        """C-CANCEL (PS3.7 9.3.2.3) of the C-FIND, C-MOVE or C-GET that is running; its final response still comes."""
        if self._operation is not None and self.is_open:
            message_id, context_id = self._operation
            command = Command(CommandField.C_CANCEL, message_id_being_responded_to=message_id)
            await self._send(self._framed(context_id, command, None))

    async def _responses(
        self, context: PresentationContext, command: Command, dataset: bytes | None, timeout_s: float | None
    ) -> AsyncGenerator[tuple[Command, bytes], None]:
        command.message_id = self.next_message_id()
        command.data_set_type = 0x0101 if dataset is None else 0x0001
        replies = self.expect_replies(command.message_id)
        self._operation = (command.message_id, context.id)
        is_over = False
        try:
            with Asking(command.command_field) as asking:
                await self._send(self._framed(context.id, command, dataset))
                while not is_over:
                    response = await self.reply(replies, timeout_s)
                    if is_over := not is_pending(response[0].status or 0):
                        asking.status = response[0].status or 0
                    yield response
        finally:
            if not is_over:
                with suppress(AssociationAborted, DimseTimeout):
                    await self.cancel()
                    while is_pending((await self.reply(replies, timeout_s))[0].status or 0):
                        pass
            self._operation = None
            self.forget_replies(command.message_id)
