"""The C-STORE sub-operations of a retrieval: sending, counting, telling how far it is (PS3.4 C.4.2.3, C.4.3.3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core.archive.datasets.identifier import encode_identifier
from charrua_core.archive.outgoing import Opener
from charrua_core.archive.search import InstanceRecord, sop_instance_uids
from charrua_core.dicom import Association, Message
from charrua_core.dicom.finding import CANCELLED, PENDING, SUCCESS
from charrua_core.errors import CharruaError
from charrua_core.sending import carried
from charrua_qr.models import SOME_FAILED, UNABLE_TO_SEND
from charrua_qr.parts import Part

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 1.0
_GENERAL_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})
MOST_NAMED = 1_000
"""Failed objects that the last response names: in 16 bits of length a UI has room for 1,008 of the longest UIDs."""
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
    failed: int = 0
    failed_uids: list[str] = field(default_factory=list)
    """The first `MOST_NAMED` of those that failed."""

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
            self.failed += 1
            self._name([uid])

    def fail(self, number: int, uids: Sequence[str]) -> None:
        """So many sub-operations fail without being tried; `uids` names some or all of them."""
        self.remaining -= number
        self.failed += number
        self._name(uids)

    @property
    def room_for_names(self) -> int:
        """How many more that fail can be named."""
        return MOST_NAMED - len(self.failed_uids)

    def _name(self, uids: Sequence[str]) -> None:
        self.failed_uids += uids[: self.room_for_names]

    def elements(self, *, with_remaining: bool) -> dict[str, Any]:
        """The counts as elements of a response, which are 16 bits long."""
        counts = {"completed": self.completed, "failed": self.failed, "warning": self.warning}
        if with_remaining:
            counts["remaining"] = self.remaining
        return {f"number_of_{name}_suboperations": min(count, 0xFFFF) for name, count in counts.items()}

    def final_status(self, *, cancelled: bool, cut: bool) -> int:
        """The status that ends the retrieval."""
        if cancelled:
            return CANCELLED
        if cut or (self.failed and not self.completed and not self.warning):
            return UNABLE_TO_SEND
        return SOME_FAILED if self.failed or self.warning else SUCCESS


class Suboperations:
    """Sends objects for one C-MOVE or C-GET and keeps its requestor informed."""

    def __init__(self, app: App, association: Association, message: Message, total: int) -> None:
        self.counts = Counts(total)
        self._app, self._association, self._message = app, association, message
        self._opener = Opener(app)
        self._told_at = time.monotonic()

    async def send(self, part: Part, to: Association, originator: tuple[str, int] | None = None) -> None:
        """Send the objects in order, until the peer cancels or the association that they go over ends."""
        while part.left and to.is_open and not self._message.cancelled:
            instance_id, record = await part.next()
            if record is None:
                await self._fail([instance_id])
            else:
                self.counts.count(record.sop_instance_uid, await self._status_of(record, to, originator))
            if to.is_open:
                await self._tell()

    async def _status_of(self, record: InstanceRecord, to: Association, originator: tuple[str, int] | None) -> int:
        """Send one object; gives the peer's answer, or the status of what kept it from being asked."""
        try:
            return await self._store(record, to, originator)
        except CharruaError as error:
            _log_failure(record, to, type(error).__name__)
            return error.dimse_status

    async def _store(self, record: InstanceRecord, to: Association, originator: tuple[str, int] | None) -> int:
        outgoing = await self._opener.open(record)
        async with carried(self._app, to, outgoing) as (context, leaving):
            response = await to.store(
                context.id,
                leaving.sop_class_uid,
                leaving.sop_instance_uid,
                leaving.segments,
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

    async def fail_rest(self, parts: Iterable[Part]) -> None:
        """Count the objects that did not have their turn."""
        for part in parts:
            await self._fail(part.take_rest())

    async def _fail(self, ids: Sequence[int]) -> None:
        """Count objects that could not even be tried, and name them if the database can say their names."""
        uids: list[str] = []
        try:
            if ids and (room := self.counts.room_for_names):
                uids = await sop_instance_uids(self._app, ids[:room])
        except CharruaError as error:
            log.warning("objects not sent are not named: %s", error, extra={"action": "not named", "objects": len(ids)})
        self.counts.fail(len(ids), uids)

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
