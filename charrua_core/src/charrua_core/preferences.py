"""What people have chosen for themselves, by name: columns of a list, saved searches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from charrua_core.errors import CharruaError
from charrua_core.tables import NOW, preference

if TYPE_CHECKING:
    from charrua_core.db import Database

LARGEST = 64 << 10
"""Bytes of one value as JSON."""
MOST = 200
"""Names that one owner has."""
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)


class PreferenceInvalid(CharruaError):
    """A preference has a name of small letters and digits, a value of 64 KiB at most, and its owner 200 of them."""

    http_status = 400


async def preferences_of(db: Database, owner: str) -> dict[str, Any]:
    """Give all that somebody has chosen, by name."""
    statement = select(preference.c.name, preference.c.value).where(preference.c.owner == owner)
    async with db.reading() as connection:
        return {row.name: row.value for row in await connection.execute(statement.order_by(preference.c.name))}


async def preference_of(db: Database, owner: str, name: str) -> Any:
    """Give one of them, None where nothing was chosen."""
    statement = select(preference.c.value).where(preference.c.owner == owner, preference.c.name == name)
    async with db.reading() as connection:
        return await connection.scalar(statement)


async def keep_preference(db: Database, owner: str, name: str, value: Any) -> None:
    """Keep a value, any that JSON has. Raises PreferenceInvalid."""
    if not _NAME.fullmatch(name) or len(orjson.dumps(value)) > LARGEST or "\\u0000" in orjson.dumps(value).decode():
        raise PreferenceInvalid
    kept = insert(preference).values(owner=owner, name=name, value=value)
    kept = kept.on_conflict_do_update(index_elements=["owner", "name"], set_={"value": value, "changed_at": NOW})
    async with db.transaction() as tx:
        await tx.execute(kept)
        if (await tx.scalar(select(func.count()).where(preference.c.owner == owner)) or 0) > MOST:
            raise PreferenceInvalid


async def forget_preference(db: Database, owner: str, name: str) -> bool:
    """Forget one; gives whether there was any."""
    async with db.transaction() as tx:
        gone = await tx.execute(delete(preference).where(preference.c.owner == owner, preference.c.name == name))
        return bool(gone.rowcount)
