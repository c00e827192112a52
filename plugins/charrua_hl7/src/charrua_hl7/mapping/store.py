"""Mappings in the database: each change is a version with who made it; the newest is in force, an empty one the default."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.errors import CharruaError, NotPermitted
from charrua_core.types import Identity, Origin
from charrua_hl7.mapping.check import read_lines
from charrua_hl7.mapping.defaults import DEFAULTS
from charrua_hl7.mapping.lines import Line, Lines
from charrua_hl7.tables import mapping

if TYPE_CHECKING:
    from charrua_core.app import App

CHANNEL = "charrua_hl7_mapping"
"""The PostgreSQL channel on which a change of a mapping is told to all processes."""
MOST_VERSIONS_SHOWN = 200


class MappingUnknown(CharruaError):
    """Messages of this type are not mapped."""

    http_status = 404


class MappingChanged(CharruaError):
    """Somebody else has changed the mapping meanwhile."""

    http_status = 409


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of a type's mapping; version 0 is the default that nobody has saved."""

    message_type: str
    version: int = 0
    by: str = ""
    at: datetime | None = None
    reason: str = ""
    saved: Sequence[dict[str, Any]] = ()

    @property
    def default(self) -> bool:
        """Whether it is the default of this release."""
        return not self.saved

    @property
    def lines(self) -> Lines:
        """Its lines."""
        return [Line.of_json(one) for one in self.saved] if self.saved else DEFAULTS[self.message_type]

    def as_json(self) -> dict[str, Any]:
        """Give it as it is answered."""
        return {
            "type": self.message_type,
            "version": self.version,
            "default": self.default,
            "changed_by": self.by,
            "changed_at": self.at.isoformat() if self.at else None,
            "reason": self.reason,
            "lines": [line.as_json() for line in self.lines],
        }


@dataclass(frozen=True, slots=True)
class Who:
    """Who changes mappings, and from where."""

    identity: Identity
    origin: Origin


async def in_force(app: App, tx: AsyncConnection | None = None) -> dict[str, Kept]:
    """Give the mapping in force of each type."""
    newest = select(mapping).distinct(mapping.c.message_type).order_by(mapping.c.message_type, mapping.c.id.desc())
    if tx is not None:
        rows = (await tx.execute(newest)).all()
    else:
        async with app.db.reading() as connection:
            rows = (await connection.execute(newest)).all()
    saved = {row.message_type: _kept(row) for row in rows}
    return {code: saved.get(code, Kept(code)) for code in DEFAULTS}


async def find(app: App, message_type: str) -> Kept:
    """Give the mapping in force of a type. Raises MappingUnknown."""
    return (await in_force(app))[code_known(message_type)]


async def versions(app: App, message_type: str) -> list[Kept]:
    """Give the versions that were saved of a type, newest first. Raises MappingUnknown."""
    of_it = select(mapping).where(mapping.c.message_type == code_known(message_type))
    async with app.db.reading() as connection:
        rows = (await connection.execute(of_it.order_by(mapping.c.id.desc()).limit(MOST_VERSIONS_SHOWN))).all()
    return [_kept(row) for row in rows]


async def save(app: App, who: Who, message_type: str, version: int, lines: Sequence[Any], reason: str = "") -> Kept:
    """Put lines in the place of this version. Raises MappingInvalid, MappingUnknown, MappingChanged, NotPermitted."""
    code = code_known(message_type)
    read = [line.as_json() for line in read_lines(code, lines)]
    return await _put(app, who, code, version, read, reason)


async def reset(app: App, who: Who, message_type: str, version: int) -> Kept:
    """Put the default in the place of this version. Raises MappingUnknown, MappingChanged, NotPermitted."""
    return await _put(app, who, code_known(message_type), version, [], "")


def code_known(message_type: str) -> str:
    """Give the message code of a type such as ORM or ORM^O01. Raises MappingUnknown."""
    code = message_type.partition("^")[0].upper()
    if code not in DEFAULTS:
        raise MappingUnknown(f"messages of type {message_type[:20]} are not mapped: {', '.join(DEFAULTS)} are")
    return code


async def _put(app: App, who: Who, code: str, version: int, lines: list[dict[str, Any]], reason: str) -> Kept:
    async with _changing(app, who) as tx:
        now = (await in_force(app, tx))[code].version
        if now != version:
            raise MappingChanged(f"the mapping of {code} is at version {now}, not {version}: look at it again")
        row = {"message_type": code, "lines": lines, "reason": reason, "by": who.identity.name}
        kept = _kept((await tx.execute(insert(mapping).values(row).returning(mapping))).one())
        action: audit.Action = "U" if lines else "D"
        event, name = audit.Event.SECURITY_ALERT, who.identity.name
        await audit.record(tx, event, action, name, who.origin, hl7_mapping=code, version=kept.version)
    return kept


@asynccontextmanager
async def _changing(app: App, who: Who) -> AsyncIterator[AsyncConnection]:
    """A transaction that changes mappings, one at a time, and tells all processes of it."""
    if not who.identity.may("configure") or who.identity.row_filters:
        raise NotPermitted(f"{who.identity.name} has no permission to change mappings")
    async with app.db.transaction() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(CHANNEL))))
        yield tx
        app.db.notify(tx, CHANNEL)


def _kept(row: Any) -> Kept:
    return Kept(row.message_type, row.id, row.by, row.at, row.reason, row.lines)
