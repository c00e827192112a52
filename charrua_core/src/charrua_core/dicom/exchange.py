"""The exchange of DIMSE messages on one association (PS3.7 6.3): fragments into messages, messages to whoever waits.

There is no task while nothing happens: a request starts one for its handler, a response wakes the operation that asked.
One request is handled at a time; a second one waits in the socket, behind nothing but its own command set.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from charrua_core.dicom import measured, pdu
from charrua_core.dicom.command import Command, CommandDamaged, CommandField, decode_command, encode_command
from charrua_core.dicom.connection import Connection
from charrua_core.dicom.deadlines import NEVER
from charrua_core.dicom.fragments import COMMAND, LAST, framed
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.message import DATA_SET, Collector, Message, PresentationContext
from charrua_core.dicom.pdu import AbortReason, ProtocolViolation
from charrua_core.errors import AssociationAborted, CharruaError, DimseTimeout

if TYPE_CHECKING:
    from charrua_core.dicom.association import Association

log = logging.getLogger("charrua_core.dicom")

Handler = Callable[["Association", Message], Awaitable[None]]

PROCESSING_FAILURE = 0x0110
UNRECOGNIZED_OPERATION = 0x0211
"""Statuses of PS3.7 annex C."""

_OPEN = frozenset({pdu.P_DATA_TF, pdu.RELEASE_RQ, pdu.ABORT})
_RELEASING = _OPEN | {pdu.RELEASE_RP}
_REPLIES_KEPT = 64
_REQUEST, _REPLY = "a second request waits", "responses wait"
"""Reasons to read nothing."""
_TURN_S = 0.02
"""Longest stretch of responses without a turn of the event loop: C-CANCEL must be seen meanwhile."""


@dataclass(slots=True)
class AssociationStats:
    """What went over an association."""

    messages: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    duration_s: float = 0.0
    end: str = ""
    """How it ended: "released", "aborted by peer", "aborted", "timeout", "protocol violation" or "lost"."""


@dataclass(slots=True)
class Replies:
    """Responses to one of our requests that the operation has not taken yet."""

    kept: deque[tuple[Command, bytes]] = field(default_factory=deque)
    waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let the operation look."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Exchange:
    """Base of `Association`: its life, what comes in, and what goes out. The methods `on_…` are the connection's."""

    def __init__(self, limits: Limits, expected: frozenset[int], handler: Handler | None) -> None:
        self.id = secrets.token_hex(4)
        self.limits = limits
        self.accepted: dict[int, PresentationContext] = {}
        self.peer_max_pdu = 0
        self.is_open = False
        self.stats = AssociationStats()
        self.connection = Connection(self, limits, expected)
        self.handler = handler
        self._opened_at = time.monotonic()
        self._command = bytearray()
        self._context_id = self._control = 0
        self._incoming: Message | None = None
        self._reply_data: Collector | None = None
        self._current: Message | None = None
        self._next: Message | None = None
        self._task: asyncio.Task[None] | None = None
        self._replies: dict[int, Replies] = {}
        self._message_id = 0
        self._released: asyncio.Future[None] | None = None
        self._sending = asyncio.Lock()
        self._turn_at = 0.0
        self._when_ended: list[Callable[[AssociationStats], None]] = []

    # Life

    def when_ended(self, callback: Callable[[AssociationStats], None]) -> None:
        """Have the callback called, once, when the association has ended, however it did; at once if it has."""
        if self.stats.end:
            callback(self.stats)
        else:
            self._when_ended.append(callback)

    @property
    def busy(self) -> bool:
        """Whether a request of the peer is being handled."""
        return self._current is not None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task of the request that is being handled."""
        return self._task

    def open(self) -> None:
        """The association stands."""
        self.is_open = True
        self.connection.established(_OPEN)

    async def abort(self, source: int = 0, reason: int = 0) -> None:
        """Send A-ABORT (source 0: service user, 2: provider) and end the association."""
        self._end("aborted")
        self.connection.abort(source, reason)

    async def release(self) -> None:
        """End the association in order; returns when the peer has agreed or the DIMSE time-out has passed."""
        if not self.is_open:
            return
        self.is_open = False
        self._released = asyncio.get_running_loop().create_future()
        self.connection.expected = _RELEASING
        self.connection.write(pdu.ENCODED_RELEASE_RQ)
        try:
            async with asyncio.timeout(self.limits.dimse_timeout_s):
                await self._released
        except TimeoutError:
            await self.abort()

    def _end(self, how: str) -> None:
        """The association carries no messages any more: everyone who waits is told, once."""
        self.is_open = False
        if self.stats.end:
            return
        self.stats.end = how
        self.stats.duration_s = time.monotonic() - self._opened_at
        for message in (self._incoming, self._current, self._next):
            if message is not None:
                message.break_off()
        self._incoming = self._next = None
        for replies in self._replies.values():
            replies.wake()
        if self._released is not None and not self._released.done():
            self._released.set_result(None)
        self._tell_end()

    def _tell_end(self) -> None:
        for callback in self._when_ended:
            try:
                callback(self.stats)
            except Exception:
                log.exception("not told of the end", extra={"action": "failed", "association": self.id})

    def _require_open(self) -> None:
        if not self.is_open:
            raise AssociationAborted(f"the association has ended: {self.stats.end or 'released'}")

    def on_connected(self) -> None:
        """The connection stands."""

    def on_pdu(self, kind: int, body: bytes) -> None:  # noqa: ARG002
        """A-RELEASE and A-ABORT (PS3.8 9.2.3)."""
        if kind == pdu.ABORT:
            self._end("aborted by peer")
            self.connection.close()
        elif kind == pdu.RELEASE_RQ:
            self.connection.write(pdu.ENCODED_RELEASE_RP)
            if self._released is None:  # else a release collision: the peer's answer is still to come
                self._end("released")
                self.connection.close_soon()
        elif kind == pdu.RELEASE_RP:
            self._end("released")
            self.connection.close()

    def on_violation(self, violation: ProtocolViolation | None) -> None:
        """The connection is aborting."""
        text = "a deadline has passed" if violation is None else str(violation)
        log.warning("association aborted: %s", text, extra={"action": "aborted", "association": self.id})
        self._end("timeout" if violation is None else "protocol violation")

    def on_lost(self) -> None:
        """The connection is gone."""
        self._end("lost")
        self.stats.bytes_received = self.connection.bytes_received
        self.stats.bytes_sent = self.connection.bytes_sent

    def patience_s(self) -> float:
        """Idle time for an idle association, DIMSE time within a message, any time for our own work."""
        if self._incoming is not None or self._command:
            return self.limits.dimse_timeout_s
        if self._current is not None or self._replies:
            return NEVER
        return self.limits.idle_timeout_s

    # What comes in

    def on_pdv(self, context_id: int, control: int) -> None:
        """A fragment begins."""
        if context_id not in self.accepted:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a fragment is of no accepted presentation context")
        within = self._incoming is not None or bool(self._command)
        if within and context_id != self._context_id:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the presentation context changes within a message")
        if bool(control & COMMAND) == (self._incoming is not None):
            raise ProtocolViolation(AbortReason.UNEXPECTED_PARAMETER, "command and data set are out of order")
        self._context_id, self._control = context_id, control
        if self._incoming is not None and self._incoming.wants_data:
            self.connection.hold(DATA_SET)

    def on_fragment(self, view: memoryview) -> None:
        """A piece of it."""
        if self._incoming is not None:
            self._incoming.take(view)
        elif len(self._command) + len(view) > self.limits.max_command_set:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "the command set is too long")
        else:
            self._command += view

    def on_pdv_end(self) -> None:
        """It is complete."""
        if not self._control & LAST:
            return
        if self._incoming is not None:
            message, self._incoming = self._incoming, None
            message.end_data()
            if message.command.is_response:
                self._on_reply(message)
        else:
            self._on_command()

    def on_fed(self) -> None:
        """All of one read was passed on."""
        if self._incoming is not None:
            self._incoming.flush()

    def _on_command(self) -> None:
        data, self._command = bytes(self._command), bytearray()
        try:
            command = decode_command(data)
        except CommandDamaged as error:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, str(error)) from error
        message = Message(self.connection, self.accepted[self._context_id], command)
        self.stats.messages += 1
        if command.has_data:
            self._incoming = message
        if not self.is_open:  # we are releasing: nothing is begun any more
            message.discard()
        elif command.is_response:
            self._begin_reply(message)
        elif command.command_field == CommandField.C_CANCEL:
            self._on_cancel(command)
        elif self._current is None:
            self._handle(message)
        else:
            self._next = message
            self.connection.hold(_REQUEST)

    def _on_cancel(self, command: Command) -> None:
        if command.has_data:
            raise ProtocolViolation(AbortReason.INVALID_PARAMETER, "a C-CANCEL has no data set")
        if self._current is not None and self._current.command.message_id == command.message_id_being_responded_to:
            self._current.cancel()

    def _begin_reply(self, message: Message) -> None:
        if not message.has_data:
            self._on_reply(message)
            return
        self._reply_data = Collector(self.limits.max_identifier)
        message.attach(self._reply_data)

    def _on_reply(self, message: Message) -> None:
        data, self._reply_data = self._reply_data, None
        if message.failure is not None:
            raise ProtocolViolation(AbortReason.NOT_SPECIFIED, "an identifier is too large")
        replies = self._replies.get(message.command.message_id_being_responded_to or 0)
        if replies is None:
            log.warning("unexpected response", extra={"action": "ignored", "association": self.id})
            return
        replies.kept.append((message.command, bytes(data.data) if data else b""))
        replies.wake()
        if len(replies.kept) >= _REPLIES_KEPT:
            self.connection.hold(_REPLY)

    # Handling the peer's requests

    def _handle(self, message: Message) -> None:
        self._current = message
        self._task = asyncio.get_running_loop().create_task(self._serve(message))

    async def _serve(self, message: Message) -> None:
        began = time.monotonic()
        try:
            if self.handler is None:
                await self.respond(message, UNRECOGNIZED_OPERATION)
            else:
                await self.handler(self._association, message)
                if self.is_open and message.status is None:
                    raise RuntimeError("the handler sent no final response")
        except Exception as error:
            await self._fail(message, error)
        except asyncio.CancelledError:
            await self.abort()
            raise
        finally:
            measured.served(message.command.command_field, message.status, time.monotonic() - began)
            self._served(message)
            await message.drain()
            self._serve_next()

    def _served(self, message: Message) -> None:
        """An operation of the peer has ended."""

    async def _fail(self, message: Message, error: Exception) -> None:
        """Answer with the error's status, and words that hold no patient data: those of the error's class."""
        where = {"association": self.id, "sop_class": message.context.abstract_syntax}
        if not self.is_open:
            log.info("association ended during an operation", extra={"action": "broken off", **where})
            return
        log.error("operation failed", exc_info=error, extra={"action": "failed", **where})
        if message.status is not None:
            return
        known = isinstance(error, CharruaError)
        comment = (type(error).__doc__ or "") if known else "Processing failure"
        with suppress(AssociationAborted):
            status = error.dimse_status if isinstance(error, CharruaError) else PROCESSING_FAILURE
            await self.respond(message, status, error_comment=comment.strip().split("\n")[0][:64])

    def _serve_next(self) -> None:
        message, self._next = self._next, None
        self._current = self._task = None
        if message is not None:
            self._handle(message)
        self.connection.proceed(_REQUEST)
        self.connection.touch()

    @property
    def _association(self) -> Association:
        return self  # type: ignore[return-value]  # the one subclass

    # What goes out

    async def respond(self, message: Message, status: int, dataset: bytes | None = None, **attributes: object) -> None:
        """Send a response to the request, pending or final; further command elements by their attribute's name.

        Raises AssociationAborted if the association has ended.
        """
        command = response_to(message.command, status, has_data=dataset is not None, **attributes)
        data = self._framed(message.context.id, command, dataset)
        if not is_pending(status):
            message.status, message.comment = status, str(attributes.get("error_comment", ""))
        await self._send(data)

    async def respond_each(self, message: Message, status: int, datasets: list[bytes]) -> None:
        """Send one (pending) response for each data set, all in one write."""
        command = response_to(message.command, status, has_data=True)
        await self._send(b"".join(self._framed(message.context.id, command, dataset) for dataset in datasets))

    async def _send(self, data: bytes) -> None:
        async with self._sending:
            await self._write(data)
        now = time.monotonic()
        if now - self._turn_at > _TURN_S:
            self._turn_at = now
            await asyncio.sleep(0)

    async def _write(self, data: bytes | memoryview) -> None:
        self._require_open()
        self.connection.write(data)
        try:
            await self.connection.drained()
        except ConnectionError as error:
            raise AssociationAborted from error

    def _framed(self, context_id: int, command: Command, dataset: bytes | None) -> bytes:
        data = framed(context_id, COMMAND, encode_command(command), self.send_pdu)
        return data if dataset is None else data + framed(context_id, 0, dataset, self.send_pdu)

    @property
    def send_pdu(self) -> int:
        """The longest P-DATA-TF PDU that we send: the peer's maximum, within our own (PS3.8 D.1)."""
        return min(self.peer_max_pdu or self.limits.max_send_pdu, self.limits.max_send_pdu)

    # Asking the peer

    def next_message_id(self) -> int:
        """1 to 65535, again and again."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def expect_replies(self, message_id: int) -> Replies:
        """Keep the responses to this Message ID, from before the request is sent."""
        self._require_open()
        return self._replies.setdefault(message_id, Replies())

    def forget_replies(self, message_id: int) -> None:
        """The operation is over."""
        self._replies.pop(message_id, None)
        self.connection.proceed(_REPLY)
        self.connection.touch()

    async def reply(self, replies: Replies, timeout_s: float | None = None) -> tuple[Command, bytes]:
        """The next response and its data set; DimseTimeout (and an abort) or AssociationAborted if none comes."""
        while not replies.kept:
            self._require_open()
            replies.waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s or self.limits.dimse_timeout_s):
                    await replies.waiter
            except TimeoutError:
                await self.abort(2, AbortReason.NOT_SPECIFIED)
                raise DimseTimeout from None
            except asyncio.CancelledError:  # the response may still come, and must not meet the next request
                await self.abort()
                raise
        taken = replies.kept.popleft()
        if not replies.kept:
            self.connection.proceed(_REPLY)
        return taken


def is_pending(status: int) -> bool:
    """Whether more responses follow (PS3.7 C.3)."""
    return status in (0xFF00, 0xFF01)


def response_to(request: Command, status: int, *, has_data: bool = False, **attributes: object) -> Command:
    """The response to a request: its field, Message ID and the UIDs that PS3.7 has repeated."""
    return Command(
        request.command_field | 0x8000,
        message_id_being_responded_to=request.message_id,
        status=status,
        data_set_type=0x0001 if has_data else 0x0101,
        **{
            "affected_sop_class_uid": request.affected_sop_class_uid or request.requested_sop_class_uid,
            "affected_sop_instance_uid": request.affected_sop_instance_uid or request.requested_sop_instance_uid,
            **attributes,
        },  # type: ignore[arg-type]
    )
