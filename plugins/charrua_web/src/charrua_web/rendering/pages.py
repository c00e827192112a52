"""The pages of all plugins as routes: rendered by Quart's templates, in the layout, language and theme of who looks."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from quart import Quart, render_template

from charrua_core.errors import CharruaError, NotPermitted
from charrua_core.types import Identity
from charrua_core.web import Headers, HttpError, Page, Request, Response, StudyAction, WebRoute
from charrua_web.rendering import policy, words
from charrua_web.rendering.assets import Assets
from charrua_web.rendering.cookies import theme_of
from charrua_web.rendering.quart_app import make_quart

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

HTML = "text/html; charset=utf-8"
LOG_IN, NEW_PASSWORD = "/login", "/password"
_OWN = "charrua_web"


class Pages:
    """The pages of this archive."""

    def __init__(self, app: App, pages: Sequence[Page], actions: Sequence[StudyAction]) -> None:
        self._app = app
        self._pages = tuple(pages)
        self._actions = sorted(actions, key=lambda action: (action.order, action.label))
        self._packages = tuple(dict.fromkeys([_OWN, *(page.template.partition("/")[0] for page in pages)]))
        self._assets = Assets()
        self.quart: Quart = make_quart(self._packages, self._lost)
        """The Quart application: templates, files of the front end, and what answers paths that nobody has."""

    @property
    def routes(self) -> list[WebRoute]:
        """The pages as routes."""
        return [_route(page, self) for page in self._pages]

    async def rendered(self, page: Page, request: Request) -> Response:
        """Show a page: what went wrong in making it is shown as a page too."""
        try:
            with words.spoken(self._words(request.headers)):
                shown = await page.show(request)
        except CharruaError as error:
            return await self.refused(error, request.headers, request.identity)
        except Exception:
            incident = secrets.token_hex(4)
            log.exception("a page failed", extra={"page": page.path, "incident": incident})
            return await self._broken(request, incident)
        if isinstance(shown, Response):
            return shown
        about = self._about(request.headers, request.identity, request.path)
        html = await self._render(page.template, {**about, "page": page, "request": request, **shown})
        status = shown.get("answer_status", 200)
        return Response(status, html, HTML, policy.headers(compiles=page.compiles))

    def redirection(self, path: str, error: CharruaError, identity: Identity) -> Response | None:
        """Give where somebody is led who may not see a page yet: to log in, or to change the first password; else None."""
        if error.http_status == 401:
            return _see(f"{LOG_IN}?next={quote(path, safe='/')}" if path != "/" else LOG_IN)
        first = identity.permissions == {"change_password"}
        return _see(NEW_PASSWORD) if first and isinstance(error, NotPermitted) and path != NEW_PASSWORD else None

    async def refused(self, error: CharruaError, headers: Headers, identity: Identity) -> Response:
        """Show why a page cannot be shown."""
        told = {"status": error.http_status, "sentence": str(error), "name": _phrase(error.http_status)}
        html = await self._render("charrua_web/error.html", {**self._about(headers, identity, ""), **told})
        more = tuple(error.headers.items()) if isinstance(error, HttpError) else ()
        return Response(error.http_status, html, HTML, (*policy.headers(), *more))

    async def _lost(self, headers: Headers, error: CharruaError) -> Response:
        return await self.refused(error, headers, Identity("", "user"))

    async def _broken(self, request: Request, incident: str) -> Response:
        told = {"status": 500, "name": _phrase(500), "sentence": "", "incident": incident}
        about = self._about(request.headers, request.identity, "")
        html = await self._render("charrua_web/error.html", {**about, **told})
        return Response(500, html, HTML, policy.headers())

    def _about(self, headers: Headers, identity: Identity, path: str) -> dict[str, Any]:
        """What every template knows."""
        return {
            "words": self._words(headers),
            "languages": words.LANGUAGES,
            "theme": theme_of(headers),
            "identity": identity,
            "may": identity.may,
            "path": path,
            "navigation": self._navigation("main", identity),
            "setup_navigation": self._navigation("setup", identity),
            "study_actions": [action for action in self._actions if identity.may(action.permission)],
            "assets": self._assets,
            "version": version("charrua-core"),
            "settings": self._app.settings,
        }

    def _words(self, headers: Headers) -> words.Words:
        return words.words_of(words.language_of(headers), self._packages)

    def _navigation(self, section: str, identity: Identity) -> list[Page]:
        placed = [
            page
            for page in self._pages
            if page.navigation and page.navigation.section == section and identity.may(page.permission)
        ]
        return sorted(placed, key=lambda page: (page.navigation.order if page.navigation else 0, page.title))

    async def _render(self, template: str, shown: Mapping[str, Any]) -> bytes:
        with words.spoken(shown["words"]):
            async with self.quart.app_context():
                return (await render_template(template, **shown)).encode()


def is_page(route: Any) -> bool:
    """Whether a route is a page: its errors are told to people."""
    return isinstance(route, WebRoute) and tuple(route.produces) == ("text/html",)


def _route(page: Page, pages: Pages) -> WebRoute:
    async def handle(request: Request) -> Response:
        return await pages.rendered(page, request)

    told = {200: "The page"}
    return WebRoute(
        *("GET", page.path, handle, page.permission, page.title),
        tag="Pages",
        produces=("text/html",),
        statuses=told,
        hidden=True,
    )


def _see(path: str) -> Response:
    return Response(303, headers=(("location", path), *policy.headers()))


def _phrase(status: int) -> str:
    known: Iterable[int] = HTTPStatus._value2member_map_
    return HTTPStatus(status).phrase if status in known else "Error"
