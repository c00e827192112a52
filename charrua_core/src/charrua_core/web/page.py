"""Pages: what people see in a browser. A plugin declares them; the web plugin sees to log-in, layout, language and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from charrua_core.accounts import PERMISSIONS
from charrua_core.errors import PluginFailed
from charrua_core.web.route import PUBLIC

if TYPE_CHECKING:
    from charrua_core.web.request import Request
    from charrua_core.web.response import Response

Section = Literal["main", "setup"]
Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Navigation:
    """Where a page stands in the rail (`main`) or in the menu of Set-up (`setup`), and under which word and icon."""

    section: Section
    label: str
    """English; translated where a catalogue of the plugin has it."""
    icon: str = ""
    """The name of a symbol in the web plugin's sheet of icons: `list`, `queue`, `upload`, `route`, `people` …"""
    order: int = 100
    """Lower ones stand first."""
    badge: str = ""
    """A path that answers `{"count": 3}`, which stands at the icon while it is not 0."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: GET on `path` shows `template` with what `show` gives.

    `template` names the plugin's package and a Jinja2 file in its folder `templates`: `charrua_night/studies.html`. It
    extends `charrua_web/layout.html` and is given, beside what `show` gave: `page`, `identity`, `may(permission)`, `_()`.
    `show` may give a `Response` instead, such as a redirection; what it raises is shown as a page of its own. A page that
    tells of a failure in its own words gives `answer_status`, its HTTP status.
    """

    path: str
    template: str
    show: Callable[[Request], Awaitable[Shown | Response]]
    permission: str
    title: str
    navigation: Navigation | None = None
    scripts: Sequence[str] = ("pages/main.ts",)
    """Entries of the front end that the page runs, or paths of the plugin's own scripts: `/static/…`."""
    compiles: bool = False
    """Whether its scripts compile WebAssembly, which the page's policy must then allow: decoders of images."""

    def __post_init__(self) -> None:
        if self.permission != PUBLIC and self.permission not in PERMISSIONS:
            raise PluginFailed(f"page {self.path}: there is no permission {self.permission!r}")


@dataclass(frozen=True, slots=True)
class StudyAction:
    """Something that can be done with a study: a button of the study list and of the study's page, which opens an address."""

    label: str
    href: str
    """Where it leads; `{study}` stands for the Study Instance UID."""
    permission: str
    key: str = ""
    """The letter that does it where a study is chosen."""
    order: int = 100
    """Below 50 it stands beside Open, before what can be done with every study; else behind that."""
    new_tab: bool = False
