"""The rules in the database: every change makes a version, keeps the one before, and leaves a record in the audit trail."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.errors import NotPermitted
from charrua_core.types import Identity, Origin
from charrua_routing import tables
from charrua_routing.errors import RuleChanged, RuleInvalid, RuleNameTaken, RuleNotFound
from charrua_routing.rule import ORDER, Rule, read_rule

if TYPE_CHECKING:
    from charrua_core.app import App

CHANNEL = "charrua_routing_rule"
"""The PostgreSQL channel on which a change of the rules is told to all processes."""
MOST_VERSIONS_SHOWN = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule as it is kept: its document, and of a version who made it and when."""

    number: int
    version: int
    document: Mapping[str, Any]
    changed_by: str
    changed_at: datetime
    removed: bool = False

    @property
    def rule(self) -> Rule:
        """The rule of the document."""
        return read_rule(dict(self.document), number=self.number, version=self.version)


@dataclass(frozen=True, slots=True)
class Who:
    """Who changes rules, and from where."""

    identity: Identity
    origin: Origin


async def every(app: App) -> list[Kept]:
    """Give all rules in the order in which they are applied."""
    async with app.db.reading() as connection:
        rows = (await connection.execute(_present())).mappings().all()
    kept = [_kept(row) for row in rows]
    return sorted(kept, key=lambda one: (_order(one.document), one.number))


def _order(document: Mapping[str, Any]) -> int:
    given = document.get("order")
    return ORDER if given is None else int(given)


async def understood(app: App) -> list[Rule]:
    """Give all rules as they are applied: one that a newer release has written keeps the others from nothing."""
    found = []
    for kept in await every(app):
        try:
            found.append(kept.rule)
        except RuleInvalid as error:
            log.error("a rule is left out: %s", error, extra={"rule": kept.number})
    return found


async def find(app: App, named: str) -> Kept:
    """Give the rule of this number or name; raises RuleNotFound."""
    by = tables.rule.c.id == int(named) if _is_number(named) else tables.rule.c.name == named
    async with app.db.reading() as connection:
        row = (await connection.execute(_present().where(by))).mappings().first()
    if row is None:
        raise RuleNotFound(f"there is no rule {named[:100]}")
    return _kept(row)


async def versions(app: App, number: int) -> list[Kept]:
    """Give the versions of a rule, newest first, also of one that was removed; raises RuleNotFound."""
    of_it = select(tables.rule_version).where(tables.rule_version.c.rule_id == number)
    newest_first = of_it.order_by(tables.rule_version.c.version.desc()).limit(MOST_VERSIONS_SHOWN)
    async with app.db.reading() as connection:
        rows = (await connection.execute(newest_first)).mappings().all()
    if not rows:
        raise RuleNotFound(f"there never was a rule {number}")
    return [_kept(row) for row in rows]


async def add(app: App, who: Who, document: Mapping[str, Any]) -> Kept:
    """Add a rule. Raises RuleInvalid, RuleNameTaken."""
    rule = read_rule(document)
    async with _changing(app, who, rule.name) as tx:
        row = {"name": rule.name, "version": 1, "document": document}
        number = await tx.scalar(insert(tables.rule).values(row).returning(tables.rule.c.id))
        await _note(tx, who, "C", number or 0, 1, document)
    return await find(app, str(number))


async def change(app: App, who: Who, number: int, version: int, document: Mapping[str, Any]) -> Kept:
    """Put another document in the place of this version. Raises RuleInvalid, RuleNotFound, RuleChanged, RuleNameTaken."""
    rule = read_rule(document)
    async with _changing(app, who, rule.name) as tx:
        await _require(tx, number, version)
        new = {"name": rule.name, "version": version + 1, "document": document}
        await tx.execute(update(tables.rule).where(tables.rule.c.id == number).values(new))
        await _note(tx, who, "U", number, version + 1, document)
    return await find(app, str(number))


async def remove(app: App, who: Who, number: int, version: int) -> None:
    """Remove a rule, whose versions stay. Raises RuleNotFound, RuleChanged."""
    async with _changing(app, who, "") as tx:
        document = await _require(tx, number, version)
        await tx.execute(delete(tables.rule).where(tables.rule.c.id == number))
        await _note(tx, who, "D", number, version + 1, document, removed=True)


async def restore(app: App, who: Who, number: int, version: int) -> Kept:
    """Make a version of before the present one, also of a rule that was removed. Raises RuleNotFound, RuleNameTaken."""
    found = next((one for one in await versions(app, number) if one.version == version and not one.removed), None)
    if found is None:
        raise RuleNotFound(f"rule {number} has no version {version}")
    async with _changing(app, who, found.rule.name) as tx:
        newest = select(func.max(tables.rule_version.c.version)).where(tables.rule_version.c.rule_id == number)
        following = (await tx.scalar(newest) or 0) + 1
        row = {"name": found.rule.name, "version": following, "document": found.document}
        changed = await tx.execute(update(tables.rule).where(tables.rule.c.id == number).values(row))
        if not changed.rowcount:
            await tx.execute(insert(tables.rule).values(id=number, **row))
        await _note(tx, who, "U", number, following, found.document, restored=version)
    return await find(app, str(number))


@asynccontextmanager
async def _changing(app: App, who: Who, name: str) -> AsyncIterator[AsyncConnection]:
    """A transaction that changes rules, one at a time, and tells all processes of it."""
    if not who.identity.may("configure"):
        raise NotPermitted(f"{who.identity.name} has no permission to change rules")
    try:
        async with app.db.transaction() as tx:
            await tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(CHANNEL))))
            yield tx
            app.db.notify(tx, CHANNEL)
    except IntegrityError as error:
        raise RuleNameTaken(f"another rule is named {name}") from error


async def _require(tx: AsyncConnection, number: int, version: int) -> Mapping[str, Any]:
    row = (await tx.execute(select(tables.rule).where(tables.rule.c.id == number))).mappings().first()
    if row is None:
        raise RuleNotFound(f"there is no rule {number}")
    if row["version"] != version:
        raise RuleChanged(f"rule {number} is at version {row['version']}, not {version}: look at it again")
    document: Mapping[str, Any] = row["document"]
    return document


async def _note(
    tx: AsyncConnection,
    who: Who,
    action: audit.Action,
    number: int,
    version: int,
    document: Mapping[str, Any],
    *,
    removed: bool = False,
    restored: int | None = None,
) -> None:
    by = who.identity.name
    row = {"rule_id": number, "version": version, "document": document, "removed": removed, "changed_by": by}
    await tx.execute(insert(tables.rule_version).values(row))
    detail: dict[str, Any] = {} if restored is None else {"restored": restored}
    event = audit.Event.SECURITY_ALERT
    await audit.record(tx, event, action, by, who.origin, routing_rule=number, version=version, **detail)


def _present() -> Any:
    one, version = tables.rule, tables.rule_version
    of_it = (version.c.rule_id == one.c.id) & (version.c.version == one.c.version)
    return select(version).select_from(one.join(version, of_it))


def _kept(row: RowMapping) -> Kept:
    return Kept(row["rule_id"], row["version"], row["document"], row["changed_by"], row["changed_at"], row["removed"])


def _is_number(named: str) -> bool:
    return named.isascii() and named.isdigit() and len(named) < 19
