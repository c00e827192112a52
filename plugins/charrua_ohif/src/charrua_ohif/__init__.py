"""The OHIF viewer at `/ohif`, where the setting use_ohif wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.settings import Setting
    from charrua_core.types import Finding
    from charrua_core.web import StudyAction, WebRoute


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare whether OHIF is there."""
    from charrua_ohif.choices import SETTINGS

    return SETTINGS


@hookimpl
def web_routes(app: App) -> Sequence[WebRoute]:
    """Give OHIF's page and files."""
    from charrua_ohif.serving import routes

    return routes(app)


@hookimpl
def study_actions(app: App) -> Sequence[StudyAction]:
    """Give the button that opens a study in OHIF."""
    from charrua_ohif.choices import study_actions

    return study_actions(app)


@hookimpl
def health(app: App) -> Sequence[Finding]:
    """Tell where OHIF is wanted and was not fetched."""
    from charrua_ohif.choices import ohif_health

    return ohif_health(app)
