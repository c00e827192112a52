"""People: accounts with a role, their passwords and tokens, and what each may see."""

from __future__ import annotations

from charrua_core.accounts.accounts import Accounts, TokenInfo, is_local
from charrua_core.accounts.details import VIEWING_SYNTAXES, Account, check_row_filter
from charrua_core.accounts.roles import PERMISSIONS, ROLES
from charrua_core.accounts.rows import CHANNEL
from charrua_core.accounts.sessions import SessionInfo, id_of
from charrua_core.accounts.visits import is_visitor

__all__ = [
    "CHANNEL",
    "PERMISSIONS",
    "ROLES",
    "VIEWING_SYNTAXES",
    "Account",
    "Accounts",
    "SessionInfo",
    "TokenInfo",
    "check_row_filter",
    "id_of",
    "is_local",
    "is_visitor",
]
