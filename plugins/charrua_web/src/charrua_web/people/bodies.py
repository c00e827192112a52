"""What requests about people hold, and how people are told of in answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from charrua_core.accounts import Account, SessionInfo, TokenInfo
from charrua_core.web import HttpError, Request

MOST_BYTES = 1 << 16


async def fields_of(request: Request, kinds: Mapping[str, Any], needed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Give the fields of the JSON object in the body, of these types. HttpError 400 names what will not do."""
    try:
        given = orjson.loads(await request.body(MOST_BYTES))
    except orjson.JSONDecodeError:
        raise HttpError(400, "the body is not JSON") from None
    if not isinstance(given, dict):
        raise HttpError(400, "the body is a JSON object")
    for name, value in given.items():
        if name not in kinds:
            raise HttpError(400, f"{name[:80]}: there is no such field")
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and kinds[name] is not bool):
            raise HttpError(400, f"{name}: its value is of another type")
        if isinstance(value, str) and "\0" in value:
            raise HttpError(400, f"{name}: it has a NUL in it")
    if missing := sorted(needed - given.keys()):
        raise HttpError(400, f"{missing[0]}: it is missing")
    return given


def told_of(account: Account) -> dict[str, Any]:
    """Give an account as it is answered."""
    return {
        "name": account.name,
        "full_name": account.full_name,
        "role": account.role,
        "disabled": account.disabled,
        "must_change_password": account.must_change_password,
        "filter": account.row_filter,
        "transfer_syntax": account.transfer_syntax,
        "printer": account.printer,
        "created_at": account.created_at.isoformat(),
        "logged_in_at": _moment(account.logged_in_at),
    }


def told_of_session(session: SessionInfo, own: str = "") -> dict[str, Any]:
    """Give a session as it is answered; `own` is the id of the one that asks."""
    return {
        "id": session.id,
        "user": session.name,
        "address": session.address,
        "browser": session.agent,
        "created_at": session.created_at.isoformat(),
        "used_at": session.used_at.isoformat(),
        "this": session.id == own,
    }


def told_of_token(token: TokenInfo) -> dict[str, Any]:
    """Give a token as it is answered: never itself."""
    return {
        "id": token.id,
        "user": token.account,
        "purpose": token.purpose,
        "created_at": token.created_at.isoformat(),
        "expires_at": _moment(token.expires_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
