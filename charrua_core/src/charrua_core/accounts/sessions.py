"""Sessions of browsers: kept here, named by a cookie, ended by time, by log-out, and by every change of the account.

The id is 256 random bits of which the database has the SHA-256: who reads the database cannot log in with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core import audit, tables
from charrua_core.accounts import rows, visits
from charrua_core.errors import EditInvalid
from charrua_core.types import Identity, Origin

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.db import Database
    from charrua_core.settings import Settings

LONGEST = timedelta(hours=12)
"""However much it is used, a session ends after this."""
_TOUCH_AFTER = timedelta(seconds=30)
_LONGEST_AGENT = 200
_session = tables.session


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is told of a session: the first digits of its digest name it."""

    id: str
    name: str
    address: str
    agent: str
    created_at: datetime
    used_at: datetime


class Sessions:
    """The sessions of this archive."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    async def begin(self, identity: Identity, *, address: str, agent: str) -> str:
        """Begin a session of who has just logged in; give its id."""
        async with self._db.transaction() as tx:
            account = await rows.account_of(tx, identity)
            row = {"account": account, "identity": None if account else _kept(identity)}
            return await self._insert(tx, {"name": identity.name, **row}, address, agent)

    async def begin_visit(self, tx: AsyncConnection, share: Any, *, address: str, agent: str) -> str:
        """Begin a session of who comes by a link, a row of core.share; give its id. It ends with the link."""
        row = {"name": visits.name_of(share.id), "share": share.id}
        return await self._insert(tx, row, address, agent, share.expires_at)

    async def _insert(
        self, tx: AsyncConnection, row: dict[str, Any], address: str, agent: str, until: datetime | None = None
    ) -> str:
        made = secrets.token_urlsafe(32)
        latest = datetime.now(UTC) + LONGEST
        row |= {"digest": _digest(made), "address": address, "agent": agent.replace("\0", "")[:_LONGEST_AGENT]}
        await tx.execute(delete(_session).where(~self._in_force()))
        await tx.execute(insert(_session).values(**row, expires_at=min(latest, until or latest)))
        return made

    async def identity(self, session: str) -> Identity | None:
        """Give whose session it is, with what they may do now; None where it has ended. Being asked for keeps it alive."""
        found = await self._find(_digest(session))
        if found is None or found.disabled:
            return None
        if found.unused > min(_TOUCH_AFTER, self._idle / 4 if self._idle else _TOUCH_AFTER):
            async with self._db.transaction() as tx:
                used = update(_session).where(_session.c.digest == _digest(session))
                await tx.execute(used.values(used_at=func.now()))
        if found.share is not None:
            return await visits.by_share(self._db, found.share)
        if found.account is not None:
            return rows.as_identity(found)
        return visits.still_open(_given(found.name, found.identity), self._settings)

    async def end(self, session: str, origin: Origin) -> None:
        """End one, because its user logs out."""
        async with self._db.transaction() as tx:
            ended = delete(_session).where(_session.c.digest == _digest(session)).returning(_session.c.name)
            name = (await tx.execute(ended)).scalar()
            if name is not None:
                await audit.record(tx, audit.Event.USER_AUTHENTICATION, "E", name, origin, type="logout")
                rows.tell(tx)

    async def all(self) -> list[SessionInfo]:
        """Give those in force, the latest used first."""
        statement = select(_session).where(self._in_force()).order_by(_session.c.used_at.desc())
        async with self._db.reading() as connection:
            return [_as_info(row) for row in await connection.execute(statement)]

    async def kill(self, id_or_name: str, *, by: rows.By, of: str | None = None) -> int:
        """End the session of this id, or all sessions of this user; give how many. EditInvalid where there is none.

        With `of` no other than those of this user.
        """
        fits = (func.left(func.encode(_session.c.digest, "hex"), 12) == id_or_name) | (_session.c.name == id_or_name)
        owned = _session.c.name == of if of is not None else literal(True)
        async with self._db.transaction() as tx:
            names = (await tx.execute(delete(_session).where(fits, owned).returning(_session.c.name))).scalars().all()
            if not names:
                raise EditInvalid(f"there is no session {id_or_name}, and no user of that name has one")
            await rows.note(tx, "D", by, user=names[0], changed="session", sessions=len(names))
        return len(names)

    @property
    def _idle(self) -> timedelta:
        idle: timedelta = self._settings["session_timeout"]
        return idle

    def _in_force(self) -> Any:
        unused = func.now() - _session.c.used_at
        return (_session.c.expires_at > func.now()) & ((unused < self._idle) if self._idle else literal(True))

    async def _find(self, digest: bytes) -> Any:
        unused = (func.now() - _session.c.used_at).label("unused")
        of_session = (_session.c.account, _session.c.name.label("name"), _session.c.identity, _session.c.share, unused)
        account = [column for column in tables.account.c if column.name != "name"]
        statement = (
            select(*of_session, *account, tables.role.c.permissions)
            .outerjoin_from(_session, tables.account, tables.account.c.name == _session.c.account)
            .outerjoin(tables.role, tables.role.c.name == tables.account.c.role)
            .where(_session.c.digest == digest, self._in_force())
        )
        async with self._db.reading() as connection:
            return (await connection.execute(statement)).one_or_none()


async def end_all(tx: AsyncConnection, name: str) -> None:
    """End all sessions of an account, because it has changed."""
    await tx.execute(delete(_session).where(_session.c.account == name))


def id_of(session: str) -> str:
    """Give the id by which a session is told and ended, which is not what its cookie holds."""
    return _digest(session).hex()[:12]


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode(errors="replace")).digest()


def _kept(identity: Identity) -> dict[str, Any]:
    return {
        "roles": sorted(identity.roles),
        "permissions": sorted(identity.permissions),
        "row_filters": rows.kept_filters(identity.row_filters),
    }


def _given(name: str, kept: Mapping[str, Any]) -> Identity:
    filters = rows.filters_of(kept["row_filters"])
    return Identity(name, "user", frozenset(kept["roles"]), frozenset(kept["permissions"]), filters)


def _as_info(row: Any) -> SessionInfo:
    return SessionInfo(row.digest.hex()[:12], row.name, row.address, row.agent, row.created_at, row.used_at)
