"""Query and retrieve of Charrua: C-FIND, C-MOVE and C-GET in the Patient Root and Study Root models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass
    from charrua_core.settings import Setting


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare the limits of queries and retrievals."""
    from charrua_qr.choices import SETTINGS

    return SETTINGS


@hookimpl
def dimse_services(app: App) -> Sequence[ServiceClass]:
    """Offer Query/Retrieve, and to be the SCU of storage where a peer fetches by C-GET."""
    from charrua_qr.find import find_service
    from charrua_qr.get import get_service, storage_to_requestor
    from charrua_qr.move import move_service

    return [find_service(app), move_service(app), get_service(app), storage_to_requestor()]
