"""What C-MOVE and C-GET have in common: all but where the objects go (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from charrua_core.dicom import Association, Message
from charrua_core.dicom.cancelling import Cancelled
from charrua_core.dicom.refusing import comment_of, refuse
from charrua_core.errors import AssociationAborted, CharruaError
from charrua_core.types import RowFilter
from charrua_qr import measured, trail
from charrua_qr.parts import Part, in_parts
from charrua_qr.selection import Selection, require_retrieve, selected
from charrua_qr.suboperations import Suboperations

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)


class Destination(Protocol):
    """Where the objects of one retrieval go."""

    @property
    def aet(self) -> str:
        """Its AE title."""

    @property
    def filters(self) -> tuple[RowFilter, ...]:
        """What limits it to a part of the archive, beyond the one who asks."""

    async def take(self, operations: Suboperations, parts: Sequence[Part]) -> None:
        """Have the objects sent there. Raises Cancelled, or why it ends before all had their turn."""


Find = Callable[[Association, Message], Awaitable[Destination]]


class RetrieveScp:
    """Answers retrieval requests.

    0xFF00: under way; 0x0000: all sent; 0xB000: some failed, or were taken with a warning; 0xA702: none could be sent, or
    more than `retrieve_results` were asked for; 0xA801: the destination is no known peer, or this archive itself; 0xA900:
    the identifier breaks a rule of its level; 0xC000: it cannot be read; 0xFE00: cancelled; 0x0124: the AE may not
    retrieve.
    """

    def __init__(self, app: App, find_destination: Find) -> None:
        self._app = app
        self._find_destination = find_destination
        self._turns = asyncio.Semaphore(app.settings["retrievals_at_once"])

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        try:
            require_retrieve(self._app, association)
            destination = await self._find_destination(association, message)
            selection = await selected(self._app, association, message, destination.filters)
        except AssociationAborted:
            raise
        except CharruaError as error:
            trail.refused(self._app, association, message, error)
            await refuse(association, message, error)
            return
        await self._retrieve(association, message, destination, selection)

    async def _retrieve(
        self, association: Association, message: Message, destination: Destination, selection: Selection
    ) -> None:
        operations = Suboperations(self._app, association, message, selection.total)
        parts = in_parts(self._app, selection.runs)
        trail.begin(self._app, association, destination.aet, selection)
        comment = None
        try:
            async with self._turn():
                with suppress(Cancelled):
                    await destination.take(operations, parts)
        except CharruaError as error:
            log.warning("retrieval broken off: %s", error, extra={"action": "broken off", "peer": destination.aet})
            comment = comment_of(error)
        if message.cancelled:
            log.info("retrieval cancelled", extra={"action": "cancelled", "peer": association.calling_aet})
        else:
            await operations.fail_rest(parts)
        status = await operations.end(cut=selection.cut, comment=comment)
        trail.end(self._app, association, destination.aet, selection, operations.counts, status)
        measured.retrieved(operations.counts)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Be among the retrievals that send at a time."""
        with measured.WAITING.track_inprogress():
            await self._turns.acquire()
        try:
            with measured.RUNNING.track_inprogress():
                yield
        finally:
            self._turns.release()
