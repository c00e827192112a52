"""Logging in and out of a browser, and who one is."""

from __future__ import annotations

from typing import Any

from charrua_core.types import Identity
from charrua_core.web import PUBLIC, HttpError, Request, Response, WebRoute, json_response, object_of
from charrua_web.callers import CALLER, CALLERS, Caller, Callers, cookie_name

JSON = ("application/json",)
_MOST_BYTES = 10_000


async def log_in(request: Request) -> Response:
    """Log in by name and password: begin a session and end the one before."""
    given = await _fields(request, "name", "password")
    caller = _caller(request)
    address = caller.origin.address
    identity = await request.app.log_in({"scheme": "password", **given, "address": address})
    return await _begin(request, identity)


async def log_out(request: Request) -> Response:
    """End the session."""
    await _end(request)
    return Response(204, headers=[_cookie(_caller(request), "")])


async def who_am_i(request: Request) -> Response:
    """Tell who calls; an empty name is nobody's."""
    return json_response(_told(request.identity))


async def change_password(request: Request) -> Response:
    """Set one's own password. All sessions of the user end; who changed it in a browser gets a new one."""
    given = await _fields(request, "current", "new")
    caller, accounts = _caller(request), request.app.accounts
    name = request.identity.name
    await accounts.change_password(name, given["current"], given["new"], address=caller.origin.address)
    _callers(request).forget()
    identity = await accounts.identity(name)
    if identity is None or not caller.session:
        return Response(204)
    return await _begin(request, identity)


async def _begin(request: Request, identity: Identity) -> Response:
    address, agent = _caller(request).origin.address, request.headers.get("user-agent")
    session = await request.app.accounts.sessions.begin(identity, address=address, agent=agent)
    return await answer_session(request, identity, session)


async def answer_session(request: Request, identity: Identity, session: str) -> Response:
    """Give the browser a session that has just begun, in place of the one that it had, which ends."""
    await _end(request)
    response = json_response(_told(identity))
    return Response(200, response.body, response.content_type, [_cookie(_caller(request), session)])


async def _end(request: Request) -> None:
    if session := _caller(request).session:
        await request.app.accounts.sessions.end(session, request.origin)
        _callers(request).forget()


def _told(identity: Identity) -> dict[str, Any]:
    return {
        "name": identity.name,
        "roles": sorted(identity.roles),
        "permissions": sorted(identity.permissions),
        "must_change_password": identity.permissions == {"change_password"},
    }


def _cookie(caller: Caller, session: str) -> tuple[str, str]:
    ended = "" if session else "; Max-Age=0"
    secure = "; Secure" if caller.seen.secure else ""
    return "set-cookie", f"{cookie_name(caller.seen)}={session}; Path=/; HttpOnly; SameSite=Lax{secure}{ended}"


async def _fields(request: Request, *names: str) -> dict[str, str]:
    """Give the fields of the JSON object in the body. HttpError 400 where one is no text, or there are others."""
    given = await object_of(request, _MOST_BYTES)
    if given.keys() != set(names) or not all(isinstance(one, str) for one in given.values()):
        raise HttpError(400, f"the body is a JSON object of the texts {' and '.join(names)}")
    return given


def _caller(request: Request) -> Caller:
    caller: Caller = request.context[CALLER]
    return caller


def _callers(request: Request) -> Callers:
    callers: Callers = request.context[CALLERS]
    return callers


_REFUSED = {401: "Name or password is wrong", 429: "Too many wrong passwords: wait as long as Retry-After says"}
ROUTES = (
    WebRoute(
        "POST",
        "/login",
        log_in,
        PUBLIC,
        "Log in a browser, by a session in a cookie",
        tag="Server",
        consumes=JSON,
        statuses={200: "Logged in: who it is", **_REFUSED},
    ),
    WebRoute("POST", "/logout", log_out, PUBLIC, "End the session", tag="Server", statuses={204: "Logged out"}),
    WebRoute("GET", "/whoami", who_am_i, PUBLIC, "Tell who calls, and what they may do", tag="Server"),
    WebRoute(
        "POST",
        "/password",
        change_password,
        "change_password",
        "Change one's own password",
        tag="Server",
        consumes=JSON,
        statuses={200: "Changed; the browser has a new session", 204: "Changed", **_REFUSED},
    ),
)
