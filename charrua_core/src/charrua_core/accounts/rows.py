"""What rows of accounts say, and how a change of them is written down and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from charrua_core import audit, tables
from charrua_core.db.database import notify
from charrua_core.types import Identity, Origin, RowFilter

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL = "charrua_account"
"""The PostgreSQL channel on which a change of accounts, tokens and sessions is told to all processes."""


def with_role() -> Any:
    """Give the statement that selects accounts, each with the permissions of its role."""
    return select(tables.account, tables.role.c.permissions).join(
        tables.role, tables.role.c.name == tables.account.c.role
    )


def as_identity(row: Any) -> Identity:
    """Give the identity of a row of `with_role`: who must change the password may do nothing else."""
    permissions = {"change_password"} if row.must_change_password else set(row.permissions)
    return Identity(row.name, "user", frozenset({row.role}), frozenset(permissions), row_filter_of(row.row_filter))


async def account_of(connection: AsyncConnection, identity: Identity) -> str | None:
    """Give the account whose identity this is as it stands; None for who has none, and was vouched for by a provider."""
    found = (await connection.execute(with_role().where(tables.account.c.name == identity.name))).one_or_none()
    return identity.name if found is not None and as_identity(found) == identity else None


def row_filter_of(kept: Mapping[str, list[str]] | None) -> tuple[RowFilter, ...]:
    """Give the filter that a row of account or peer holds."""
    return (RowFilter({keyword: tuple(values) for keyword, values in kept.items()}),) if kept else ()


def kept_filters(filters: Sequence[RowFilter]) -> list[dict[str, list[str]]]:
    """Give filters as JSON keeps them."""
    return [{keyword: list(values) for keyword, values in one.admits.items()} for one in filters]


def filters_of(kept: Sequence[Mapping[str, list[str]]]) -> tuple[RowFilter, ...]:
    """Give the filters that `kept_filters` wrote."""
    return tuple(RowFilter({keyword: tuple(values) for keyword, values in one.items()}) for one in kept)


By = str | Origin
"""Who changes something: the name of who runs a command on this machine, or where a request came from, with its user."""


async def note(tx: AsyncConnection, action: audit.Action, by: By, **detail: Any) -> None:
    """Write a change of an account into the audit trail, and tell all processes of it after the transaction."""
    origin = by if isinstance(by, Origin) else Origin("cli", user=by)
    await audit.record(tx, audit.Event.SECURITY_ALERT, action, origin.user, origin, **detail)
    tell(tx)


def tell(tx: AsyncConnection) -> None:
    """Tell all processes after the transaction that somebody may not be who they were."""
    notify(tx, CHANNEL)
