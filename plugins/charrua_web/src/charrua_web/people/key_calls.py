"""Sessions and tokens over HTTP: everybody's, for who may manage users, and one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from charrua_core.accounts import VIEWING_SYNTAXES, id_of
from charrua_core.errors import EditInvalid, UserNotFound
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, json_response, typed_object_of
from charrua_web.callers import CALLER, CALLERS, Caller
from charrua_web.people.bodies import told_of_session, told_of_token
from charrua_web.people.user_calls import TAG

MOST_DAYS = 3660
_TOKEN: dict[str, Any] = {"purpose": str, "days": (int, type(None))}


# -- everybody's -------------------------------------------------------------------------------------------------------
async def list_sessions(request: Request) -> Response:
    """Give the sessions in force, of one user where the query names one."""
    return json_response(await sessions_of(request, request.query.first("user")))


async def end_session(request: Request) -> Response:
    """End one."""
    return await _end_session(request, None)


async def list_tokens(request: Request) -> Response:
    """Give the tokens in force, of one user where the query names one."""
    return json_response(await tokens_of(request, request.query.first("user")))


async def create_token(request: Request) -> Response:
    """Make a token of a user."""
    return await _create_token(request, request.parameters["user"], await typed_object_of(request, _TOKEN))


async def revoke_token(request: Request) -> Response:
    """End a token."""
    return await _revoke_token(request, None)


# -- one's own ---------------------------------------------------------------------------------------------------------
async def show_me(request: Request) -> Response:
    """Tell of oneself."""
    return json_response(await about_me(request))


async def list_own_sessions(request: Request) -> Response:
    """Give one's own sessions."""
    return json_response(await sessions_of(request, request.identity.name))


async def end_own_session(request: Request) -> Response:
    """End one of one's own."""
    return await _end_session(request, request.identity.name)


async def list_own_tokens(request: Request) -> Response:
    """Give one's own tokens."""
    return json_response(await tokens_of(request, request.identity.name))


async def create_own_token(request: Request) -> Response:
    """Make a token of one's own, which takes the password: who finds a browser open makes none."""
    fields = await typed_object_of(request, {**_TOKEN, "password": str}, frozenset({"password"}))
    await request.app.accounts.prove(request.identity.name, fields.pop("password"), address=request.origin.address)
    return await _create_token(request, request.identity.name, fields)


async def revoke_own_token(request: Request) -> Response:
    """End a token of one's own."""
    return await _revoke_token(request, request.identity.name)


# -- what both do ------------------------------------------------------------------------------------------------------
async def sessions_of(request: Request, user: str) -> list[dict[str, Any]]:
    """Give the sessions of a user, all of them without a name."""
    own = own_session(request)
    every = await request.app.accounts.sessions.all()
    return [told_of_session(one, own) for one in every if user in ("", one.name)]


async def tokens_of(request: Request, user: str) -> list[dict[str, Any]]:
    """Give the tokens of a user, all of them without a name."""
    return [told_of_token(one) for one in await request.app.accounts.tokens() if user in ("", one.account)]


async def about_me(request: Request) -> dict[str, Any]:
    """Give what is known of who asks; those of other directories have no account here."""
    identity = request.identity
    told: dict[str, Any] = {
        "name": identity.name,
        "full_name": "",
        "roles": sorted(identity.roles),
        "filters": [dict(one.admits) for one in identity.row_filters],
        "transfer_syntax": "",
        "printer": "",
        "has_account": False,
    }
    try:
        account = await request.app.accounts.get(identity.name)
    except UserNotFound:
        return told
    details = {name: getattr(account, name) for name in ("full_name", "transfer_syntax", "printer")}
    return {**told, **details, "has_account": True}


def own_session(request: Request) -> str:
    """Give the id of the session that asks, "" without one."""
    caller: Caller = request.context[CALLER]
    return id_of(caller.session) if caller.session else ""


def syntax_name(uid: str) -> str:
    """Give a transfer syntax of viewing clients in words."""
    return VIEWING_SYNTAXES.get(uid, uid)


async def _end_session(request: Request, of: str | None) -> Response:
    named = request.parameters["session"]
    known = {one.id for one in await request.app.accounts.sessions.all() if of in (None, one.name)}
    if named not in known:  # a name would end all sessions of a user
        raise HttpError(404, "there is no such session")
    await request.app.accounts.sessions.kill(named, by=request.origin, of=of)
    request.context[CALLERS].forget()
    return Response(204)


async def _create_token(request: Request, user: str, fields: dict[str, Any]) -> Response:
    days = fields.get("days")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise HttpError(400, f"days: 1 to {MOST_DAYS}, or null for a token without end")
    lifetime = timedelta(days=days) if days else None
    purpose = fields.get("purpose", "")
    token = await request.app.accounts.create_token(user, by=request.origin, lifetime=lifetime, purpose=purpose)
    return json_response({"token": token, "id": id_of(token), "user": user}, 201)


async def _revoke_token(request: Request, of: str | None) -> Response:
    named = request.parameters["token"]
    if named not in {one.id for one in await request.app.accounts.tokens() if of in (None, one.account)}:
        raise HttpError(404, "there is no such token in force")
    try:
        await request.app.accounts.revoke_token(named, by=request.origin, of=of)
    except EditInvalid as error:  # somebody else was faster
        raise HttpError(404, str(error)) from error
    request.context[CALLERS].forget()
    return Response(204)


_JSON = ("application/json",)
_OF = (Parameter("user", "Those of this user"),)
_MADE = {201: "The token, which is told this once", 400: "The field that `detail` names will not do"}
_HOW = "`purpose` in words, `days` that it is good for; null or nothing: without end."
_NO_SESSION, _NO_TOKEN = {404: "There is no such session"}, {404: "There is no such token"}

ROUTES = (
    WebRoute(
        *("GET", "/sessions", list_sessions, "manage_users", "List the browsers that are logged in"), tag=TAG, query=_OF
    ),
    WebRoute(
        *("DELETE", "/sessions/{session}", end_session, "manage_users", "Log out a browser"),
        tag=TAG,
        statuses={204: "It is logged out", **_NO_SESSION},
    ),
    WebRoute(*("GET", "/tokens", list_tokens, "manage_users", "List the tokens in force"), tag=TAG, query=_OF),
    WebRoute(
        *("POST", "/users/{user}/tokens", create_token, "manage_users", "Make a token of a user"),
        tag=TAG,
        consumes=_JSON,
        statuses={**_MADE, 404: "There is no such user"},
        description=_HOW,
    ),
    WebRoute(
        *("DELETE", "/tokens/{token}", revoke_token, "manage_users", "End a token, by its id"),
        tag=TAG,
        statuses={204: "It has ended", **_NO_TOKEN},
    ),
    WebRoute("GET", "/me/account", show_me, "change_password", "Tell of oneself", tag=TAG),
    WebRoute("GET", "/me/sessions", list_own_sessions, "change_password", "List one's own browsers", tag=TAG),
    WebRoute(
        *("DELETE", "/me/sessions/{session}", end_own_session, "change_password", "Log out a browser of one's own"),
        tag=TAG,
        statuses={204: "It is logged out", **_NO_SESSION},
    ),
    WebRoute("GET", "/me/tokens", list_own_tokens, "change_password", "List one's own tokens", tag=TAG),
    WebRoute(
        *("POST", "/me/tokens", create_own_token, "change_password", "Make a token of one's own"),
        tag=TAG,
        consumes=_JSON,
        statuses={**_MADE, 401: "The password is wrong", 429: "Too many wrong passwords: wait as Retry-After says"},
        description=f"`password`, one's own; {_HOW}",
    ),
    WebRoute(
        *("DELETE", "/me/tokens/{token}", revoke_own_token, "change_password", "End a token of one's own"),
        tag=TAG,
        statuses={204: "It has ended", **_NO_TOKEN},
    ),
)
