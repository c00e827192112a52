"""What requests about people hold, and how people are told of in answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from charrua_core.accounts import Account, SessionInfo, TokenInfo


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
