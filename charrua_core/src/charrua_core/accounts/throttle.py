"""Slowing down guesses: each failure makes a name and an address wait longer, in all processes and all ways to log in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from charrua_core import tables

if TYPE_CHECKING:
    from charrua_core.db import Database

FREE_FAILURES = 5
FIRST_WAIT_S = 5.0
"""Wrong passwords before the first wait, and its length; it doubles with each further one."""
_LONGEST_NAME = 100
_OF_MANY = ("address ", "links from ", "patient ")
"""Keys that may fail ten times as often: an address stands for many people, and a patient may be guessed at by others."""
_guess = tables.guess


def keys_of(name: str, address: str) -> tuple[str, ...]:
    """Give what is counted: the name from this address, and the address."""
    # Never the name alone: anybody could then shut its owner out.
    return (f"name {name.casefold()[:_LONGEST_NAME]} from {address}", f"address {address}")


async def wait_until(db: Database, keys: Sequence[str]) -> datetime | None:
    """Give the moment until which these keys are to wait, None if they need not."""
    blocked = select(func.max(_guess.c.blocked_until)).where(
        _guess.c.key.in_(keys), _guess.c.blocked_until > func.now()
    )
    async with db.reading() as connection:
        return (await connection.execute(blocked)).scalar()  # type: ignore[no-any-return]


async def failed(db: Database, keys: Sequence[str], longest: timedelta) -> None:
    """Count one more failure. Failures older than a day are forgotten."""
    now = func.now()
    old = _guess.c.blocked_until < now - timedelta(days=1)
    async with db.transaction() as tx:
        await tx.execute(delete(_guess).where(old))
        for key in sorted(keys):
            free = FREE_FAILURES * (10 if key.startswith(_OF_MANY) else 1)
            doublings = func.least(func.greatest(_guess.c.failures + 1 - free, 0), 20)
            seconds = func.least(FIRST_WAIT_S * (func.power(2, doublings) - 1), literal(longest.total_seconds()))
            first = insert(_guess).values(key=key, failures=1, blocked_until=now)
            changed = {
                "failures": _guess.c.failures + 1,
                "blocked_until": now + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            }
            await tx.execute(first.on_conflict_do_update(index_elements=["key"], set_=changed))


async def succeeded(db: Database, keys: Sequence[str]) -> None:
    """Forget the name's failures; the address keeps its own."""
    async with db.transaction() as tx:
        await tx.execute(delete(_guess).where(_guess.c.key == keys[0]))
