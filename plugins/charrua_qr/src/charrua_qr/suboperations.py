"""The C-STORE sub-operations of a retrieval: sending, counting, telling how far it is (PS3.4 C.4.2.3, C.4.3.3)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core.archive.identifier import encode_identifier
from charrua_core.archive.outgoing import Opener, Outgoing
from charrua_core.archive.recode import NATIVE, TARGETS, recode
from charrua_core.archive.search import InstanceRecord
from charrua_core.dicom import Association, ContextNotAccepted, Message, PresentationContext
from charrua_core.errors import CharruaError
from charrua_core.types import FileRange
from charrua_qr.models import CANCELLED, PENDING, SOME_FAILED, SUCCESS, UNABLE_TO_SEND

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 1.0
_GENERAL_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})
_FAILED_UIDS = "00080058"


def _is_warning(status: int) -> bool:
    """Whether the peer has stored the object and has something to say of it (PS3.7 C.4, PS3.4 B.2.3)."""
    return status & 0xF000 == 0xB000 or status in _GENERAL_WARNINGS


@dataclass(slots=True)
class Counts:
    """How far a retrieval is."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many objects the peer has."""
        return self.completed + self.warning

    def count(self, uid: str, status: int) -> None:
        """One more sub-operation is over."""
        self.remaining -= 1
        if status == SUCCESS:
            self.completed += 1
        elif _is_warning(status):
            self.warning += 1
        else:
            self.failed_uids.append(uid)

    def elements(self, *, with_remaining: bool) -> dict[str, Any]:
        """The counts as elements of a response, which are 16 bits long."""
        counts = {"completed": self.completed, "failed": len(self.failed_uids), "warning": self.warning}
        if with_remaining:
            counts["remaining"] = self.remaining
        return {f"number_of_{name}_suboperations": min(count, 0xFFFF) for name, count in counts.items()}

    def final_status(self, *, cancelled: bool, cut: bool) -> int:
        """The status that ends the retrieval."""
        if cancelled:
            return CANCELLED
        if cut or (self.failed_uids and not self.completed and not self.warning):
            return UNABLE_TO_SEND
        return SOME_FAILED if self.failed_uids or self.warning else SUCCESS


class Suboperations:
    """Sends objects for one C-MOVE or C-GET and keeps its requestor informed."""

    def __init__(self, app: App, association: Association, message: Message, total: int) -> None:
        self.counts = Counts(total)
        self._association, self._message = association, message
        self._opener = Opener(app)
        self._told_at = time.monotonic()

    async def send(
        self, records: Sequence[InstanceRecord], to: Association, originator: tuple[str, int] | None = None
    ) -> Sequence[InstanceRecord]:
        """Send the objects in order, until the peer cancels or the association that they go over ends.

        Gives those that were not tried because it ended.
        """
        for number, record in enumerate(records, 1):
            if self._message.cancelled:
                return []
            try:
                status = await self._store(record, to, originator)
            except CharruaError as error:
                status = error.dimse_status
                _log_failure(record, to, type(error).__name__)
            self.counts.count(record.sop_instance_uid, status)
            if not to.is_open:
                return records[number:]
            await self._tell()
        return []

    async def _store(self, record: InstanceRecord, to: Association, originator: tuple[str, int] | None) -> int:
        outgoing = await self._opener.open(record)
        context = _context(to, outgoing)
        segments: list[bytes | FileRange] = outgoing.segments
        if context.transfer_syntax != outgoing.transfer_syntax_uid:
            stored = outgoing.transfer_syntax_uid
            segments = await asyncio.to_thread(recode, segments, stored, context.transfer_syntax)
        response = await to.store(
            context.id,
            outgoing.sop_class_uid,
            outgoing.sop_instance_uid,
            segments,
            move_originator=originator,
            priority=self._message.command.priority or 0,
        )
        status = response.status or SUCCESS
        if status != SUCCESS:
            _log_failure(record, to, f"status {status:04X}")
        return status

    async def _tell(self) -> None:
        """Say how far it is, now and then."""
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY_S and self.counts.remaining:
            self._told_at = now
            await self._association.respond(self._message, PENDING, **self.counts.elements(with_remaining=True))

    def fail(self, records: Iterable[InstanceRecord]) -> None:
        """Count objects that could not even be tried."""
        for record in records:
            self.counts.count(record.sop_instance_uid, UNABLE_TO_SEND)

    async def end(self, *, cut: bool = False, comment: str | None = None) -> int:
        """Send the final response, which names the objects that failed; gives its status."""
        cancelled = self._message.cancelled
        status = self.counts.final_status(cancelled=cancelled, cut=cut)
        if self._association.is_open:
            failed = self._failed_list() if self.counts.failed_uids else None
            elements = self.counts.elements(with_remaining=cancelled)
            await self._association.respond(self._message, status, failed, error_comment=comment, **elements)
        return status

    def _failed_list(self) -> bytes:
        uids = {_FAILED_UIDS: {"vr": "UI", "Value": self.counts.failed_uids}}
        return encode_identifier(uids, self._message.context.transfer_syntax, "")


def _context(to: Association, outgoing: Outgoing) -> PresentationContext:
    """Give the context in the transfer syntax that the object has, else in one that it can be given.

    Raises ContextNotAccepted.
    """
    stored = outgoing.transfer_syntax_uid
    for syntax in (stored, *(TARGETS if stored in NATIVE else ())):
        with suppress(ContextNotAccepted):
            return to.context_for(outgoing.sop_class_uid, syntax)
    raise ContextNotAccepted


def _log_failure(record: InstanceRecord, to: Association, why: str) -> None:
    log.warning(
        "object not sent: %s",
        why,
        extra={
            "action": "not sent",
            "peer": to.peer_aet,
            "sop_instance": record.sop_instance_uid,
            "sop_class": record.sop_class_uid,
            "transfer_syntax": record.transfer_syntax_uid,
        },
    )
