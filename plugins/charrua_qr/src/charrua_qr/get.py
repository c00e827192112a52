"""C-GET: sending back over the same association what its requestor asks for (PS3.4 C.4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.dicom import Association, CommandField, Message, Roles, ServiceClass
from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES, is_unknown
from charrua_core.types import RowFilter
from charrua_qr.models import GET, RETRIEVE_STATUSES, UNKNOWN_DESTINATION, answer_retrieve
from charrua_qr.retrieve import RetrieveScp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_qr.parts import Part
    from charrua_qr.suboperations import Suboperations


def get_service(app: App) -> ServiceClass:
    """Give the C-GET SCP."""
    return ServiceClass(
        "Retrieve (C-GET)",
        GET,
        RetrieveScp(app, _requestor).handle,
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


class _Requestor:
    """The AE that asks, as the destination."""

    filters: tuple[RowFilter, ...] = ()

    def __init__(self, association: Association) -> None:
        self._association = association
        self.aet = association.calling_aet

    async def take(self, operations: Suboperations, parts: Sequence[Part]) -> None:
        """Send all over the association of the request; what it does not carry fails one by one."""
        for part in parts:
            await operations.send(part, self._association)


async def _requestor(association: Association, _message: Message) -> _Requestor:
    return _Requestor(association)
