"""One entry as who asks may see it. What their row filters hide is answered as if it were not there."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import Identity
from charrua_core.web import HttpError
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import COLUMNS, Entry, of_row
from charrua_hl7.worklist.searching import seen_by


class EntryNotFound(HttpError):
    """There is no such entry, or none that the one who asks may see."""

    def __init__(self) -> None:
        super().__init__(404, "there is no such entry")


async def seen(connection: AsyncConnection, identity: Identity, number: int, *, locked: bool = False) -> Entry:
    """Give an entry, locked until the transaction ends where that is asked for. Raises EntryNotFound."""
    statement = select(*COLUMNS).where(entry.c.id == number)
    row = (await connection.execute(statement.with_for_update() if locked else statement)).first()
    if row is None or not seen_by(identity)(row.attributes):
        raise EntryNotFound
    return of_row(row)
