"""Who calls: the identity that a request's credentials prove, where it comes from, and how it named this server."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from charrua_core.audit import Event
from charrua_core.errors import CharruaError, NotPermitted
from charrua_core.types import Identity, Origin
from charrua_core.web import PUBLIC, Headers, HttpError, Response, WebRoute, WebSocketRoute, problem
from charrua_web.asgi import Scope

if TYPE_CHECKING:
    from charrua_core.app import App

NOBODY = Identity("", "user")
CHALLENGES = (
    ("www-authenticate", 'Bearer realm="Charrua"'),
    ("www-authenticate", 'Basic realm="Charrua", charset="UTF-8"'),
)


class Callers:
    """Tells callers apart by bearer token or by name and password."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def admit(self, scope: Scope, headers: Headers, route: WebRoute | WebSocketRoute) -> tuple[Identity, Origin]:
        """Give who calls, if it may call this route; NotPermitted or HttpError 401 where it may not."""
        identity, origin = await self.identify(scope, headers)
        self._permit(route, identity, origin)
        return identity, origin

    async def identify(self, scope: Scope, headers: Headers) -> tuple[Identity, Origin]:
        """Give who calls, NOBODY without credentials; NotPermitted where they prove nothing."""
        address = scope["client"][0] if scope.get("client") else ""
        credentials = _credentials(headers.get("authorization"))
        if credentials is None:
            return NOBODY, Origin("web", address=address)
        identity = await self._app.log_in({**credentials, "address": address})
        return identity, Origin("web", address=address, user=identity.name)

    def _permit(self, route: WebRoute | WebSocketRoute, identity: Identity, origin: Origin) -> None:
        if route.permission == PUBLIC or identity.may(route.permission):
            return
        if identity is NOBODY:
            raise HttpError(401, "log in: by a bearer token, or name and password")
        refused = f"{route.method} {route.path}"
        self._app.audit.later(Event.SECURITY_ALERT, "E", identity.name, origin, succeeded=False, refused=refused)
        raise NotPermitted(f"{identity.name} may not: {route.summary}")

    def root_of(self, scope: Scope, headers: Headers) -> str:
        """Give the URL of this server's root as the caller knows it."""
        known: str = self._app.settings["web_url"]
        return known.rstrip("/") if known else f"{scope['scheme']}://{headers.get('host', 'localhost')}"


def refusal(error: CharruaError) -> Response:
    """Give the answer to a request that is refused, with how to log in where that would help."""
    response = problem(error)
    return replace(response, headers=(*response.headers, *CHALLENGES)) if error.http_status == 401 else response


def _credentials(authorization: str) -> dict[str, Any] | None:
    scheme, _, given = authorization.strip().partition(" ")
    if not scheme:
        return None
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
