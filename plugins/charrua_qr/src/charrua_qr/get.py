"""C-GET: sending back over the same association what its requestor asks for (PS3.4 C.4.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from charrua_core.dicom import Association, CommandField, Message, Roles, ServiceClass
from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES, is_unknown
from charrua_core.errors import AssociationAborted, CharruaError
from charrua_qr import trail
from charrua_qr.models import GET, RETRIEVE_STATUSES, UNKNOWN_DESTINATION, answer_retrieve
from charrua_qr.refusing import refuse
from charrua_qr.selection import require_retrieve, selected
from charrua_qr.suboperations import Suboperations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App


def get_service(app: App) -> ServiceClass:
    """Give the C-GET SCP."""
    return ServiceClass(
        "Retrieve (C-GET)",
        GET,
        GetScp(app).handle,
        frozenset({CommandField.C_GET}),
        extended=answer_retrieve,
        statuses={status: words for status, words in RETRIEVE_STATUSES.items() if status != UNKNOWN_DESTINATION},
    )


def storage_to_requestor() -> ServiceClass:
    """Let requestors be the SCP of storage, in the transfer syntax that they name first."""
    return ServiceClass(
        "Storage to the requestor of C-GET", _is_storage, _no_request, frozenset(), _first, Roles(scu=False, scp=True)
    )


def _is_storage(uid: str) -> bool:
    """Whether the SOP class is stored objects': those of PS3.4 B.5, and those that nobody knows."""
    return uid in STORAGE_SOP_CLASSES or is_unknown(uid)


def _first(_sop_class_uid: str, offered: Sequence[str], _association: Association | None) -> str | None:
    return offered[0] if offered else None


async def _no_request(_association: Association, _message: Message) -> None:
    """The service has no commands: in this role the archive asks."""


class GetScp:
    """Answers C-GET requests, with the statuses of `MoveScp`; there is no destination to be unknown."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._turns = asyncio.Semaphore(app.settings["retrievals_at_once"])

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        try:
            require_retrieve(self._app, association)
            selection = await selected(self._app, association, message)
        except AssociationAborted:
            raise
        except CharruaError as error:
            await refuse(association, message, error)
            return
        operations = Suboperations(self._app, association, message, len(selection.objects))
        trail.begin(self._app, association, association.calling_aet, selection)
        async with self._turns:
            operations.fail(await operations.send(selection.objects, association))
        status = await operations.end(cut=selection.cut)
        trail.end(self._app, association, association.calling_aet, selection, operations.counts, status)
