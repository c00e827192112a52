"""HTTP/1.1 and HTTP/2 as Hypercorn speaks them, where it is too trusting or gives up too early."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

import h2.events
import h2.exceptions
import h2.settings
import h11
from h2.errors import ErrorCodes
from h2.stream import StreamState
from hypercorn.events import Closed
from hypercorn.protocol.events import Body, Event, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol

log = logging.getLogger(__name__)

MOST_RESETS, RESETS_WITHIN_S = 100, 30.0
"""Streams that a client may begin and break off (rapid reset, CVE-2023-44487)."""
WINDOW = 256 * 1024
"""Bytes of a body that an HTTP/2 client may send ahead of its reader."""


class _Patient(h11.Connection):
    """Invites no body by itself: whether it is wanted turns out when somebody reads it."""

    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        return False


class Http1(H11Protocol):
    """HTTP/1.1 without the upgrade to HTTP/2 in the clear."""

    most_waiting = 4

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.connection = _Patient(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)

    async def wanted(self) -> None:
        """Send 100 Continue to who waits for it (RFC 9110 10.1.1)."""
        if isinstance(self.connection, h11.Connection) and self.connection.client_is_waiting_for_100_continue:
            await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))

    async def taken(self, stream: int, size: int) -> None:
        """Do nothing: the socket is read again when there is room."""

    @property
    def unread(self) -> bool:
        """Whether more of a request is on its way."""
        return self.connection.their_state is h11.SEND_BODY

    async def _check_protocol(self, event: h11.Request) -> None:
        pass

    async def _create_stream(self, request: h11.Request) -> None:
        # Compressed messages would be inflated whole, however large.
        kept = [(name, value) for name, value in request.headers if name != b"sec-websocket-extensions"]
        version, method, target = request.http_version, request.method, request.target
        await super()._create_stream(h11.Request(method=method, target=target, headers=kept, http_version=version))


class Http2(H2Protocol):
    """HTTP/2 with larger windows, few resets, and answers before the end of a request."""

    unread = False
    most_waiting = 1 << 20
    """The window limits what comes: a request that nobody reads does not keep others from being read."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        codes = h2.settings.SettingCodes
        chosen = {
            codes.MAX_CONCURRENT_STREAMS: self.config.h2_max_concurrent_streams,
            codes.MAX_HEADER_LIST_SIZE: self.config.h2_max_header_list_size,
            codes.INITIAL_WINDOW_SIZE: WINDOW,
        }
        self.connection.local_settings = h2.settings.Settings(client=False, initial_values=chosen)
        self._resets: list[float] = []

    async def initiate(self, headers: Any = None, settings: Any = None) -> None:
        """Begin, with room for the bodies of several requests."""
        await super().initiate(headers, settings)
        self.connection.increment_flow_control_window(4 * WINDOW)
        await self._flush()

    async def wanted(self) -> None:
        """Do nothing: clients of HTTP/2 wait for a window, not for 100 Continue."""

    async def taken(self, stream: int, size: int) -> None:
        """Open the client's window again by what has been read."""
        if size and not self.closed:
            with suppress(h2.exceptions.ProtocolError):
                self.connection.acknowledge_received_data(size, stream)
            await self._flush()

    async def go_away(self) -> None:
        """Tell the client that this connection takes no more requests."""
        try:
            self.connection.close_connection()
        except h2.exceptions.ProtocolError:
            return
        await self._flush()

    async def stream_send(self, event: Event) -> None:
        """Send; what remains of a stream that has no request any more is told by a reset."""
        await super().stream_send(event)
        if isinstance(event, StreamClosed) and (reason := self._reason_to_reset(event.stream_id)) is not None:
            self.connection.reset_stream(event.stream_id, reason)
            await self._flush()

    def _reason_to_reset(self, stream_id: int) -> ErrorCodes | None:
        """Broken off in its middle; or answered before the request's end, which nobody needs to send (RFC 9113 8.1)."""
        stream = self.connection.streams.get(stream_id)
        if stream is None or not stream.open:
            return None
        buffer = self.stream_buffers.get(stream_id)
        if buffer is not None and not buffer._complete:
            return ErrorCodes.INTERNAL_ERROR
        answered = stream.state_machine.state is StreamState.HALF_CLOSED_LOCAL
        return ErrorCodes.NO_ERROR if answered else None

    async def _handle_events(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                await self._receive(event)
            elif isinstance(event, h2.events.StreamReset) and self._are_too_many():
                log.warning("an HTTP/2 client breaks off too many requests", extra={"address": self.client})
                self.connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                await self._flush()
                await self.send(Closed())
                return
            else:
                await super()._handle_events([event])

    async def _receive(self, event: h2.events.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        padding = event.flow_controlled_length - len(event.data)
        await self.taken(event.stream_id, event.flow_controlled_length if stream is None else padding)
        if stream is not None and event.data:
            await stream.handle(Body(stream_id=event.stream_id, data=event.data))

    def _are_too_many(self) -> bool:
        now = time.monotonic()
        self._resets = [*(at for at in self._resets if at > now - RESETS_WITHIN_S), now]
        return len(self._resets) > MOST_RESETS
