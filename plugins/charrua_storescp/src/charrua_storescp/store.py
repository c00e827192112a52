"""C-STORE: the Storage service class (PS3.4 B), every object answered after it is on disk and in the index."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from charrua_core import faults
from charrua_core.audit import Event
from charrua_core.dicom import Association, AssociationStats, CommandField, Message, ServiceClass
from charrua_core.errors import AssociationAborted, CharruaError, NotPermitted
from charrua_core.types import Origin
from charrua_storescp.classes import chosen_syntax, takes_sop_class

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.ingest.ingest import Stored

log = logging.getLogger(__name__)

SUCCESS = 0x0000
STATUSES = {
    SUCCESS: "on disk and in the index, or there already",
    0xA700: "no room, or disk or database failing",
    0xA900: "not the object of the command, or not admitted by the rules on patients",
    0xC000: "the data set is damaged",
    0x0110: "processing failure, or not known whether it was stored",
    0x0111: "other bytes of a SOP Instance that is here (`duplicate_policy` refuse)",
    0x0117: "invalid SOP Instance UID",
    0x0122: "the SOP class is not the context's",
    0x0124: "the AE may not store",
}
"""What the SCP answers (PS3.4 B.2.3, PS3.7 C)."""


def store_service(app: App) -> ServiceClass:
    """Give the Storage SCP."""

    def choose(_: str, offered: Sequence[str], __: Association | None) -> str | None:
        return chosen_syntax(app.settings, offered)

    return ServiceClass(
        "Storage",
        lambda uid: takes_sop_class(app.settings, uid),
        StorageScp(app).handle,
        frozenset({CommandField.C_STORE}),
        choose,
        statuses=STATUSES,
    )


@dataclass(slots=True)
class Transfer:
    """What one association has brought so far."""

    origin: Origin
    studies: dict[str, None] = field(default_factory=dict)
    stored: int = 0
    failed: int = 0


class StorageScp:
    """Answers C-STORE requests (PS3.4 B.2.3).

    0x0000: on disk and in the index, or there already. 0xA700: no room, disk or database failing; 0xA900: not the object of
    the command, or one that the rules on patients do not admit; 0xC000: damaged; 0x0110: failed, or not known whether it
    was stored; 0x0111: other bytes of a SOP Instance that is here; 0x0124: the peer may not store. The dispatcher answers
    0x0117 and 0x0122 for UIDs that are none.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._transfers: dict[str, Transfer] = {}

    async def handle(self, association: Association, message: Message) -> None:
        """Store the object that the message brings, and answer."""
        transfer = self._transfers.get(association.id) or self._begin(association)
        try:
            stored = await self._store(association, message, transfer.origin)
        except AssociationAborted:
            raise
        except CharruaError as error:
            transfer.failed += 1
            await _refuse(association, message, error)
            return
        transfer.stored += 1
        transfer.studies[stored.study_uid] = None
        faults.passing("before_reply")
        await association.respond(message, SUCCESS)

    def _begin(self, association: Association) -> Transfer:
        address = association.address[0]
        origin = Origin("dimse", association.calling_aet, association.called_aet, address, association.id)
        transfer = self._transfers[association.id] = Transfer(origin)
        association.when_ended(lambda stats: self._end(association.id, stats))
        return transfer

    def _end(self, association_id: str, stats: AssociationStats) -> None:
        """Write into the audit trail what was transferred (PS3.15 A.5.3.7)."""
        transfer = self._transfers.pop(association_id)
        origin, released = transfer.origin, stats.end == "released"
        self._app.audit.later(
            Event.INSTANCES_TRANSFERRED,
            "C",
            origin.calling_aet,
            origin,
            succeeded=released and not transfer.failed,
            study_uids=tuple(transfer.studies),
            stored=transfer.stored,
            failed=transfer.failed,
            end=stats.end,
        )

    async def _store(self, association: Association, message: Message, origin: Origin) -> Stored:
        if not self._app.identity_of(association).may("store"):
            raise NotPermitted("this AE may not store here")
        command, ingest = message.command, self._app.ingest
        uids = (command.affected_sop_class_uid or "", command.affected_sop_instance_uid or "")
        spool = ingest.begin(*uids, message.context.transfer_syntax, origin)
        try:
            await message.receive_into(spool)
        except BaseException:
            spool.abort()
            raise
        return await ingest.store(spool)


async def _refuse(association: Association, message: Message, error: CharruaError) -> None:
    """Take the rest of the object, as no peer looks for an answer before it has sent it, and say why."""
    log.warning(
        "object refused: %s",
        error,
        exc_info=error.__cause__,
        extra={
            "action": "refused",
            "status": f"{error.dimse_status:04X}",
            "peer": association.calling_aet,
            "sop_instance": message.command.affected_sop_instance_uid,
        },
    )
    await message.drain()
    await association.respond(message, error.dimse_status, error_comment=str(error)[:64])
