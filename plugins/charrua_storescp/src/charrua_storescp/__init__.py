"""Storage SCP and Verification SCP of Charrua: C-STORE and C-ECHO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.dicom import ServiceClass
    from charrua_core.metrics import Read
    from charrua_core.settings import Setting
    from charrua_core.types import Candidate, Coercion, Finding, Refuse


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare what an administrator may choose of storing."""
    from charrua_storescp.choices import SETTINGS

    return SETTINGS


@hookimpl(trylast=True)
def dimse_services(app: App) -> Sequence[ServiceClass]:
    """Offer Verification and Storage, after the other plugins: unknown SOP classes are taken where nobody knows them."""
    from charrua_storescp.echo import echo_service
    from charrua_storescp.store import store_service

    return [echo_service(app), store_service(app)]


@hookimpl
def accept_object(app: App, candidate: Candidate) -> Refuse | None:
    """Judge whose object it is: an empty Patient Name or ID, another patient than the study's."""
    from charrua_storescp.patient import judge

    return judge(app.settings, candidate)


@hookimpl
def coerce_object(app: App, candidate: Candidate) -> Sequence[Coercion]:
    """Put a time stamp in the place of an empty Patient Name or ID."""
    from charrua_storescp.patient import coerce

    return coerce(app.settings, candidate)


@hookimpl
async def metrics(app: App) -> Sequence[Read]:
    """Read when the last object came."""
    from charrua_storescp.last import readings

    return await readings(app)


@hookimpl
async def health(app: App) -> Sequence[Finding]:
    """Tell when the last object came."""
    from charrua_storescp.last import findings

    return await findings(app)
