"""Users over HTTP, for who may manage them."""

from __future__ import annotations

from typing import Any

from charrua_core.accounts import PERMISSIONS, ROLES, VIEWING_SYNTAXES, check_row_filter
from charrua_core.archive.search import check_filter, filterable
from charrua_core.errors import EditInvalid
from charrua_core.web import Parameter, Request, Response, WebRoute, json_response, typed_object_of
from charrua_web.callers import CALLERS
from charrua_web.people import found
from charrua_web.people.bodies import told_of

TAG = "People"
_DETAILS: dict[str, Any] = {
    "role": str,
    "full_name": str,
    "filter": (dict, type(None)),
    "transfer_syntax": str,
    "printer": str,
    "must_change_password": bool,
}
_PASSWORD = {"password": str, "must_change_password": bool}


async def list_users(request: Request) -> Response:
    """Give the users that the query names."""
    sought = found.Sought.of(request.query)
    return json_response([told_of(account) for account in await found.users(request.app, sought)])


async def add(request: Request) -> Response:
    """Add a user."""
    fields = await typed_object_of(
        request, {"name": str, "password": str, **_DETAILS}, frozenset({"name", "password", "role"})
    )
    name, password = fields.pop("name"), fields.pop("password")
    details = _details(fields)
    await request.app.accounts.add(name, details.pop("role"), password, by=request.origin, **details)
    return json_response(told_of(await request.app.accounts.get(name)), 201)


async def show(request: Request) -> Response:
    """Give a user."""
    return json_response(told_of(await request.app.accounts.get(_name(request))))


async def change(request: Request) -> Response:
    """Change what the body names."""
    details = _details(await typed_object_of(request, {"disabled": bool, **_DETAILS}))
    if _is_own(request) and (details.get("disabled") or details.get("role", "Admin") != "Admin"):
        raise EditInvalid("nobody disables or demotes themselves: ask another administrator")
    if details:
        await request.app.accounts.change(_name(request), by=request.origin, **details)
        _forget(request)
    return await show(request)


async def remove(request: Request) -> Response:
    """Remove a user, with sessions and tokens."""
    if _is_own(request):
        raise EditInvalid("nobody removes themselves: ask another administrator")
    await request.app.accounts.remove(_name(request), by=request.origin)
    _forget(request)
    return Response(204)


async def set_password(request: Request) -> Response:
    """Give a user a new password."""
    fields = await typed_object_of(request, _PASSWORD, frozenset({"password"}))
    must_change = fields.get("must_change_password", True)
    password = fields["password"]
    await request.app.accounts.set_password(_name(request), password, by=request.origin, must_change=must_change)
    _forget(request)
    return Response(204)


async def list_roles(_request: Request) -> Response:
    """Give the roles, with what each may do, and what filters and viewing clients may be given."""
    told = {
        "roles": {role: sorted(permissions) for role, permissions in ROLES.items()},
        "permissions": dict(PERMISSIONS),
        "filters": {keyword: str(level) for keyword, level in filterable().items()},
        "transfer_syntaxes": dict(VIEWING_SYNTAXES),
    }
    return json_response(told)


async def preview(request: Request) -> Response:
    """Tell how many studies a filter shows."""
    fields = await typed_object_of(request, {"filter": (dict, type(None))}, frozenset({"filter"}))
    return json_response(await found.seen_by(request.app, request.identity, check_row_filter(fields["filter"])))


def _details(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as an account has them."""
    if "filter" in fields:
        fields["row_filter"] = check_row_filter(fields.pop("filter"))
        check_filter(fields["row_filter"] or {})
    return fields


def _name(request: Request) -> str:
    return request.parameters["user"]


def _is_own(request: Request) -> bool:
    return _name(request) == request.identity.name


def _forget(request: Request) -> None:
    request.context[CALLERS].forget()


_JSON = ("application/json",)
_WRONG = {400: "The field that `detail` names will not do", 409: "Something of it will not do: `detail` says what"}
_NONE = {404: "There is no such user"}
_ONE = "/users/{user}"
_FIELDS = (
    "`role`, `full_name`, `filter` (an object: keyword of an attribute, list of values; null for none), `transfer_syntax`, "
    "`printer`, `must_change_password`"
)

ROUTES = (
    WebRoute(
        *("GET", "/users", list_users, "manage_users", "List the users"),
        tag=TAG,
        query=(
            Parameter("search", "Those with this in name or full name"),
            Parameter("role", "Those of this role", {"type": "string", "enum": list(ROLES)}),
            Parameter("state", "enabled or disabled ones", {"type": "string", "enum": list(found.STATES[1:])}),
        ),
        statuses={200: "The users", 400: "A parameter will not do"},
    ),
    WebRoute(
        *("POST", "/users", add, "manage_users", "Add a user"),
        tag=TAG,
        consumes=_JSON,
        statuses={201: "The user", **_WRONG},
        description=f"The body has `name`, `password` and `role`, and may have {_FIELDS[8:]}.",
    ),
    WebRoute(
        *("GET", _ONE, show, "manage_users", "Show a user"),
        tag=TAG,
        statuses={200: "The user", **_NONE},
    ),
    WebRoute(
        *("PUT", _ONE, change, "manage_users", "Change a user"),
        tag=TAG,
        consumes=_JSON,
        statuses={200: "The user as it is now", **_WRONG, **_NONE},
        description=f"What the body leaves out stays as it was: {_FIELDS}, `disabled`. It holds at once, in sessions and for "
        "tokens as well; a new role, and being disabled, end the sessions.",
    ),
    WebRoute(
        *("DELETE", _ONE, remove, "manage_users", "Remove a user, with sessions and tokens"),
        tag=TAG,
        statuses={204: "Removed", **_NONE, 409: "It is the last administrator, or oneself"},
    ),
    WebRoute(
        *("PUT", f"{_ONE}/password", set_password, "manage_users", "Give a user a new password"),
        tag=TAG,
        consumes=_JSON,
        statuses={204: "Set; the user's sessions have ended", **_WRONG, **_NONE},
        description="`password`, to be changed at the next log-in unless `must_change_password` is false.",
    ),
    WebRoute(
        *("GET", "/roles", list_roles, "manage_users", "List the roles, and what users can be given"),
        tag=TAG,
    ),
    WebRoute(
        *("POST", "/filters/preview", preview, "manage_users", "Tell how many studies a filter would show"),
        tag=TAG,
        consumes=_JSON,
        statuses={200: "`sees` and `of`, counted up to `counted`; null where that takes too long", **_WRONG},
    ),
)
