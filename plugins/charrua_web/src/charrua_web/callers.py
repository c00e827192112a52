"""Who calls: the identity that a request's credentials prove, where it comes from, and what it may ask."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from charrua_core.accounts import ROLES
from charrua_core.audit import Event
from charrua_core.errors import CharruaError, NotPermitted
from charrua_core.types import Identity, Origin
from charrua_core.web import PUBLIC, Headers, HttpError, Response, WebRoute, WebSocketRoute, problem
from charrua_web import origins
from charrua_web.asgi import Scope
from charrua_web.known import Known
from charrua_web.networks import LOOPBACK, Networks
from charrua_web.proxies import Seen, seen
from charrua_web.rendering.cookies import cookie
from charrua_web.rendering.pages import is_page

if TYPE_CHECKING:
    from charrua_core.app import App

CALLER, CALLERS = "caller", "callers"
"""What `Request.context` has: who calls (`Caller`), and those who are known (`Callers`)."""
NOBODY = Identity("", "user")
VISITOR = "charrua-visitor"
"""The cookie of who looks at pages without log-in."""
BEARER = ("www-authenticate", 'Bearer realm="Charrua"')
BASIC = ("www-authenticate", 'Basic realm="Charrua", charset="UTF-8"')
TOKEN_KNOWN_S, PASSWORD_KNOWN_S = 5.0, 60.0
"""How long a caller is believed without a look at the database, should the notification of a change get lost."""
_NEVER_ANONYMOUS = frozenset({"change_password", "manage_users", "configure"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from where, by which session ("" without one), and this server's address as they know it."""

    identity: Identity
    origin: Origin
    seen: Seen
    root: str
    session: str = ""
    anonymous: bool = False
    """Whether they were let in without log-in."""


class Callers:
    """Tells callers apart by bearer token, by name and password, or by the session that a cookie names."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known = Known()
        self.changed = asyncio.Event()
        """Set once accounts, tokens or sessions have changed; another one takes its place then."""
        self._proxies = Networks.of(app.settings, "web_trusted_proxies")
        self._anonymous_networks = Networks.of(app.settings, "anonymous_networks")

    def forget(self) -> None:
        """Have everybody prove anew who they are, because accounts, tokens or sessions have changed."""
        self._known.forget()
        self.changed.set()
        self.changed = asyncio.Event()

    def is_proxy(self, address: str) -> bool:
        """Whether a trusted proxy is at this address."""
        return address in self._proxies

    async def admit(self, scope: Scope, headers: Headers, route: WebRoute | WebSocketRoute) -> Caller:
        """Give who calls, if they may call this route; NotPermitted or HttpError 401 where they may not."""
        caller = await self.identify(scope, headers, visits=is_page(route))
        self._permit(route, caller)
        return caller

    async def identify(self, scope: Scope, headers: Headers, *, visits: bool = False) -> Caller:
        """Give who calls, NOBODY without credentials. NotPermitted where these prove nothing, or another site sent them.

        `visits`: a page is asked for. What its scripts ask for then comes with the visitor's cookie.
        """
        settings = self._app.settings
        sender = seen(scope, headers, self._proxies)
        root = str(settings["web_url"]).rstrip("/") or sender.root
        authorization = headers.get("authorization").strip()
        session = "" if authorization else session_of(headers, sender)
        visitor = cookie(headers, VISITOR) == "1"
        if not authorization.lower().startswith("bearer ") and scope.get("method") not in origins.SAFE:
            needed = bool(session) or visitor
            origins.check_origin(sender, headers, root, settings["web_cors_origins"], needed=needed)
        proven = await self._identity(authorization, session, sender.address)
        identity = proven or self._anonymous(sender.address, visits=visits or visitor)
        origin = Origin("web", address=sender.address, user=identity.name)
        return Caller(identity, origin, sender, root, session, anonymous=proven is None and identity is not NOBODY)

    async def _identity(self, authorization: str, session: str, address: str) -> Identity | None:
        if authorization:
            return await self._by_header(authorization, address)
        return await self._by_session(session) if session else None

    async def _by_header(self, authorization: str, address: str) -> Identity | None:
        credentials = _credentials(authorization)
        keep_s = TOKEN_KNOWN_S if credentials["scheme"] == "bearer" else PASSWORD_KNOWN_S

        async def ask() -> Identity:
            return await self._app.log_in({**credentials, "address": address})

        return await self._known.identity(f"header {address} {authorization}", keep_s, ask)

    async def _by_session(self, session: str) -> Identity | None:
        idle_s = self._app.settings["session_timeout"].total_seconds() or TOKEN_KNOWN_S

        async def ask() -> Identity | None:
            return await self._app.accounts.sessions.identity(session)

        return await self._known.identity(f"session {session}", min(TOKEN_KNOWN_S, idle_s / 4), ask)

    def _anonymous(self, address: str, *, visits: bool) -> Identity:
        settings = self._app.settings
        if settings["rest_authentication"] and (settings["web_authentication"] or not visits):
            return NOBODY
        networks = self._anonymous_networks or Networks(LOOPBACK)
        role = settings["anonymous_role"]
        if not role or address not in networks:
            return NOBODY
        return Identity("anonymous", "user", frozenset({role}), ROLES[role] - _NEVER_ANONYMOUS)

    def _permit(self, route: WebRoute | WebSocketRoute, caller: Caller) -> None:
        identity = caller.identity
        if route.permission == PUBLIC or identity.may(route.permission):
            return
        if identity is NOBODY or (caller.anonymous and is_page(route)):
            raise HttpError(401, "log in: by a bearer token, by name and password, or in a browser")
        refused = f"{route.method} {route.path}"
        note = self._app.audit.later
        note(Event.SECURITY_ALERT, "E", identity.name, caller.origin, succeeded=False, refused=refused)
        raise NotPermitted(f"{identity.name} may not: {route.summary}")


def visitors_cookie(caller: Caller) -> tuple[str, str]:
    """The header that lets scripts of a page ask as its visitor may, where pages need no log-in."""
    return "set-cookie", f"{VISITOR}=1; Path=/; HttpOnly; SameSite=Lax{'; Secure' if caller.seen.secure else ''}"


def cookie_name(sender: Seen) -> str:
    """The name of the session's cookie: over TLS one that no other host can set (RFC 6265bis 4.1.3.2)."""
    return "__Host-charrua" if sender.secure else "charrua"


def session_of(headers: Headers, sender: Seen) -> str:
    """Give the session that the cookie names, "" where there is none."""
    for one in headers.get("cookie").replace(",", ";").split(";"):
        name, _, value = one.strip().partition("=")
        if name == cookie_name(sender):
            return value
    return ""


def refusal(error: CharruaError, headers: Headers | None = None) -> Response:
    """Give the answer to a request that is refused, with how to log in where that would help."""
    response = problem(error)
    if error.http_status != 401:
        return response
    # To a script of a page, a browser would put its own question for a password in front of the page.
    by_script = headers is not None and headers.get("sec-fetch-mode", "navigate") != "navigate"
    return replace(response, headers=(*response.headers, BEARER, *(() if by_script else (BASIC,))))


def _credentials(authorization: str) -> dict[str, Any]:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer" and given.strip():
        return {"scheme": "bearer", "token": given.strip()}
    if scheme.lower() == "basic":
        try:
            name, colon, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if colon:
            return {"scheme": "password", "name": name, "password": password}
    raise HttpError(401, "the header Authorization is neither a bearer token nor name and password")
