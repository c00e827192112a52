"""Whether OHIF is there: the setting, the button of a study, and what is told where it was not fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.settings import Setting
from charrua_core.types import Finding
from charrua_core.web import StudyAction
from charrua_ohif.files import BUILT

if TYPE_CHECKING:
    from charrua_core.app import App

SETTINGS = (
    Setting(
        "use_ohif",
        bool,
        False,
        help="Whether studies can be opened in the OHIF viewer as well, at /ohif.",
        since="0.1",
    ),
)


def study_actions(app: App) -> Sequence[StudyAction]:
    """Give the button, where OHIF is wanted and there."""
    if not app.settings["use_ohif"] or not is_built():
        return ()
    return [StudyAction("OHIF", "/ohif/viewer?StudyInstanceUIDs={study}", "retrieve", key="o", order=20)]


def ohif_health(app: App) -> Sequence[Finding]:
    """Say whether OHIF is there, where it is wanted."""
    if not app.settings["use_ohif"]:
        return ()
    if is_built():
        return [Finding("ohif", True, "OHIF is served at /ohif")]
    mend = "install charrua_ohif again on a machine that reaches npm's registry, or set use_ohif off"
    return [Finding("ohif", False, "OHIF was not fetched when charrua_ohif was installed", mend=mend)]


def is_built() -> bool:
    """Whether OHIF was fetched when this package was installed."""
    return (BUILT / "index.html").is_file()
