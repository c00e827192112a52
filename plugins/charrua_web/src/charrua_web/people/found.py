"""Which users a search finds, and how many studies a filter would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from charrua_core.accounts import ROLES, Account
from charrua_core.archive.index.names import text_key
from charrua_core.archive.search import Query as Search
from charrua_core.archive.search import check_filter, count
from charrua_core.errors import TooManyResults
from charrua_core.types import Identity, Level, RowFilter
from charrua_core.web import HttpError, Query

if TYPE_CHECKING:
    from charrua_core.app import App

STATES = ("", "enabled", "disabled")
COUNTED = 100_000
"""Studies that are counted: what is beyond is "or more"."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which users are looked for: by a part of name or full name, role, and whether they may log in."""

    search: str = ""
    role: str = ""
    state: str = ""

    @classmethod
    def of(cls, query: Query) -> Sought:
        """Read it; HttpError 400 where there is no such role or state."""
        sought = cls(query.first("search").strip()[:100], query.first("role"), query.first("state"))
        if sought.role not in ("", *ROLES):
            raise HttpError(400, f"role: {sought.role[:80]!r} is none of {', '.join(ROLES)}")
        if sought.state not in STATES:
            raise HttpError(400, f"state: {sought.state[:80]!r} is none of {', '.join(STATES[1:])}")
        return sought

    def takes(self, account: Account) -> bool:
        """Whether it is one of them."""
        words = text_key(f"{account.name} {account.full_name}")
        return (
            all(word in words for word in text_key(self.search).split())
            and self.role in ("", account.role)
            and self.state in ("", "disabled" if account.disabled else "enabled")
        )


async def users(app: App, sought: Sought) -> list[Account]:
    """Give them by name."""
    return [account for account in await app.accounts.all() if sought.takes(account)]


async def seen_by(app: App, identity: Identity, row_filter: Mapping[str, list[str]] | None) -> dict[str, int | None]:
    """Give how many studies a filter shows (`sees`), `of` how many that who asks sees; None where counting takes too long.

    EditInvalid where the filter names what the index cannot filter by.
    """
    check_filter(row_filter or {})
    narrowed = RowFilter({keyword: tuple(values) for keyword, values in (row_filter or {}).items()})
    theirs = replace(identity, row_filters=(*identity.row_filters, narrowed)) if row_filter else identity
    return {"sees": await _number(app, theirs), "of": await _number(app, identity), "counted": COUNTED}


async def _number(app: App, identity: Identity) -> int | None:
    try:
        return await count(app, Search(Level.STUDY), identity, COUNTED)
    except TooManyResults:
        return None
