"""People: accounts with a role, their passwords and tokens, and what each may see."""

from __future__ import annotations

from charrua_core.accounts.accounts import Account, Accounts, TokenInfo, is_local
from charrua_core.accounts.roles import PERMISSIONS, ROLES
from charrua_core.accounts.rows import CHANNEL
from charrua_core.accounts.sessions import SessionInfo
from charrua_core.accounts.visits import is_visitor

__all__ = [
    "CHANNEL",
    "PERMISSIONS",
    "ROLES",
    "Account",
    "Accounts",
    "SessionInfo",
    "TokenInfo",
    "is_local",
    "is_visitor",
]
