"""A received DIMSE message: its command set, its data set as a stream, and whether the peer has cancelled it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from charrua_core.errors import AssociationAborted, CharruaError

if TYPE_CHECKING:
    from charrua_core.dicom.command import Command
    from charrua_core.dicom.connection import Connection


DATA_SET, SINK = "nobody takes the data set yet", "the sink is full"
"""Reasons to read nothing."""


class DataSetTooLarge(CharruaError):
    """The data set is larger than this message may carry."""

    dimse_status = 0xA700
    http_status = 413


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """An accepted presentation context. The roles are those that the requestor of the association may play."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    scu_role: bool = True
    scp_role: bool = False


class Sink(Protocol):
    """Where a data set goes, fragment by fragment.

    The view is valid during the call only. A sink that also has `writev(views)` gets all fragments of one socket read in
    one call instead. What returns an awaitable has had enough: nothing more is read from the peer until it is done.
    """

    def write(self, view: memoryview, /) -> Awaitable[None] | int | None:
        """Take the fragment, at once and whole."""


class _Discard:
    def write(self, view: memoryview) -> None:
        pass


class Collector:
    """A sink that keeps the data set in memory, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit

    def write(self, view: memoryview) -> None:
        """Keep the fragment, or raise DataSetTooLarge."""
        if len(self.data) + len(view) > self._limit:
            raise DataSetTooLarge
        self.data += view


class Message:
    """One DIMSE message of the peer, handed to a service class's handler.

    `read` or `receive_into` gives the data set, once; a handler that wants neither just returns. Nothing that the peer
    sends after the data set, a C-CANCEL or an abort for instance, is seen before the data set is taken.
    """

    def __init__(self, connection: Connection, context: PresentationContext, command: Command) -> None:
        self.context = context
        self.command = command
        self.has_data = command.has_data
        self.size = 0
        self.cancelled = False
        """The peer has sent C-CANCEL-RQ for this message, or the association has ended."""
        self.status: int | None = None
        """That of the final response; None until it is sent."""
        self.comment = ""
        """The Error Comment of the final response."""
        self._cancel_event: asyncio.Event | None = None
        self._connection = connection
        self._sink: Sink | None = None
        self._views: list[memoryview] | None = None
        self._whole = not command.has_data
        self._failure: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pause: asyncio.Future[None] | None = None

    @property
    def cancel_event(self) -> asyncio.Event:
        """Set when `cancelled` becomes true."""
        if self._cancel_event is None:
            self._cancel_event = asyncio.Event()
            if self.cancelled:
                self._cancel_event.set()
        return self._cancel_event

    async def read(self, limit_bytes: int = 1 << 20) -> bytes:
        """The whole data set, "" if there is none; DataSetTooLarge past the limit, AssociationAborted if it breaks off."""
        collector = Collector(limit_bytes)
        await self.receive_into(collector)
        return bytes(collector.data)

    async def receive_into(self, sink: Sink) -> int:
        """Write the data set to the sink as it arrives; gives its size in bytes.

        What the sink raises is raised here, and the rest of the data set is thrown away. AssociationAborted if the
        association ends first.
        """
        if not self.has_data:
            return 0
        if self._sink is not None:
            raise RuntimeError("the data set was taken before")
        self.attach(sink)
        self._connection.proceed(DATA_SET)
        await self._until(lambda: self._whole or self._failure is not None)
        if self._pause is not None:
            await self._pause
        if self._failure is not None:
            raise self._failure
        return self.size

    # What follows is for the association.

    @property
    def wants_data(self) -> bool:
        """Whether the data set is awaited and nobody has taken it yet."""
        return self._sink is None and not self._whole

    @property
    def whole(self) -> bool:
        """Whether nothing more of the data set is to come."""
        return self._whole

    def discard(self) -> None:
        """Throw the data set away as it comes."""
        self.attach(_Discard())

    def attach(self, sink: Sink) -> None:
        """Send the data set there."""
        self._sink = sink
        self._views = [] if hasattr(sink, "writev") else None
        self._connection.bulk = not self._whole

    async def drain(self) -> None:
        """Throw away what the handler did not take, to the end of the data set."""
        if not self._whole:
            self.discard()
        self._connection.proceed(DATA_SET)
        await self._until(lambda: self._whole)

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def take(self, view: memoryview) -> None:
        """A fragment of the data set."""
        self.size += len(view)
        if self._views is not None:
            self._views.append(view)
        elif self._sink is not None:
            try:
                self._mind(self._sink.write(view))
            except Exception as error:
                self._fail(error)

    @property
    def failure(self) -> BaseException | None:
        """What the sink raised."""
        return self._failure

    def flush(self) -> None:
        """Hand on what was collected for `writev`."""
        if self._views:
            views, self._views = self._views, []
            try:
                self._mind(self._sink.writev(views))  # type: ignore[union-attr]
            except Exception as error:
                self._fail(error)

    def _mind(self, pause: Awaitable[None] | int | None) -> None:
        if pause is None or isinstance(pause, int):
            return
        self._connection.bulk = False
        self._connection.hold(SINK)
        self._pause = asyncio.ensure_future(pause)
        self._pause.add_done_callback(self._go_on)

    def _go_on(self, pause: asyncio.Future[None]) -> None:
        if not pause.cancelled() and (error := pause.exception()) is not None:
            self._fail(error)
        self._connection.proceed(SINK)

    def _fail(self, error: BaseException) -> None:
        """The sink wants no more: tell the handler, throw the rest away."""
        self._failure = self._failure or error
        self._sink, self._views = _Discard(), None
        self._wake()

    def end_data(self) -> None:
        """The last fragment was taken."""
        self.flush()
        self._whole = True
        self._connection.bulk = False
        self._wake()

    def break_off(self) -> None:
        """The association has ended."""
        if not self._whole:
            self._failure = self._failure or AssociationAborted("the association ended within a data set")
            self._whole = True
            self._wake()
        self.cancel()

    def cancel(self) -> None:
        """The peer wants no more responses."""
        self.cancelled = True
        if self._cancel_event is not None:
            self._cancel_event.set()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
