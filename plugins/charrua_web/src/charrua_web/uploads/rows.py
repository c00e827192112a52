"""The table of uploads under way: who sends what, how much of it is on disk, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core.tables import upload as table

if TYPE_CHECKING:
    from charrua_core.db import Database

State = Literal["receiving", "storing", "done", "failed"]
UNFINISHED: tuple[State, ...] = ("receiving", "storing")
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Upload:
    """A large file or ZIP archive on its way."""

    id: uuid.UUID
    who: str
    address: str
    name: str
    key: str
    size_bytes: int
    received_bytes: int
    volume_id: int
    state: State
    entries_done: int
    error: str
    created_at: datetime
    changed_at: datetime
    results: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The name of its file in the volume's folder of uploads."""
        return self.id.hex

    def plain(self) -> dict[str, Any]:
        """Give what its user is told."""
        return {
            "id": str(self.id),
            "name": self.name,
            "key": self.key,
            "size": self.size_bytes,
            "received": self.received_bytes,
            "state": self.state,
            "files": self.entries_done,
            "results": self.results,
            "error": self.error,
            "created": self.created_at.isoformat(),
            "changed": self.changed_at.isoformat(),
        }


def _upload(row: Row[Any]) -> Upload:
    return Upload(**row._mapping)


async def add(db: Database, who: str, address: str, name: str, key: str, size: int, volume: int) -> tuple[Upload, bool]:
    """Give the unfinished upload that this user's browser knows by the key, and whether it is new."""
    values = {"who": who, "address": address, "name": name, "key": key, "size_bytes": size, "volume_id": volume}
    unfinished = table.c.state.in_(UNFINISHED), table.c.who == who, table.c.key == key
    adding = (
        insert(table)
        .values(id=uuid.uuid4(), **values)
        .on_conflict_do_nothing(index_elements=["who", "key"], index_where=text("state IN ('receiving', 'storing')"))
    )
    while True:
        async with db.transaction() as tx:
            row = (await tx.execute(adding.returning(table))).first()
            if row is not None:
                return _upload(row), True
            row = (await tx.execute(select(table).where(*unfinished))).first()
            if row is not None:
                return _upload(row), False


async def unfinished(db: Database, who: str) -> int:
    """Count the uploads of a user that are under way."""
    counted = select(func.count()).where(table.c.who == who, table.c.state.in_(UNFINISHED))
    async with db.reading() as connection:
        return int((await connection.execute(counted)).scalar_one())


async def find(db: Database, upload_id: uuid.UUID) -> Upload | None:
    """Give an upload, None where there is none."""
    async with db.reading() as connection:
        row = (await connection.execute(select(table).where(table.c.id == upload_id))).first()
    return _upload(row) if row else None


async def of_user(db: Database, who: str) -> list[Upload]:
    """Give a user's uploads, the newest first."""
    wanted = select(table).where(table.c.who == who).order_by(table.c.created_at.desc()).limit(MOST_LISTED)
    async with db.reading() as connection:
        return [_upload(row) for row in await connection.execute(wanted)]


async def keep(db: Database, upload: Upload, entries_done: int, results: Mapping[str, Any], *, state: State) -> bool:
    """Note how far the storing has come; whether the upload is still wanted."""
    values = {"entries_done": entries_done, "results": results, "state": state, "error": "", "changed_at": func.now()}
    return await _set(db, upload, values)


async def tell(db: Database, upload: Upload, error: str, state: State = "storing") -> bool:
    """Note what keeps it from being stored."""
    return await _set(db, upload, {"error": error[:500], "state": state, "changed_at": func.now()})


async def _set(db: Database, upload: Upload, values: Mapping[str, Any]) -> bool:
    still = table.c.id == upload.id, table.c.state == "storing"
    async with db.transaction() as tx:
        return (await tx.execute(update(table).where(*still).values(**values))).rowcount == 1


async def remove(db: Database, ids: Sequence[uuid.UUID]) -> None:
    """Forget uploads."""
    async with db.transaction() as tx:
        await tx.execute(delete(table).where(table.c.id.in_(ids)))


async def stale(db: Database, before: datetime) -> list[Upload]:
    """Give those to which nothing has happened since."""
    async with db.reading() as connection:
        return [_upload(row) for row in await connection.execute(select(table).where(table.c.changed_at < before))]


async def known(db: Database, files: Sequence[str]) -> set[str]:
    """Give those of the files' names that belong to an upload whose bytes are still needed."""
    ids = [uuid.UUID(name) for name in files]
    wanted = select(table.c.id).where(table.c.id.in_(ids), table.c.state.in_(UNFINISHED))
    async with db.reading() as connection:
        return {row.id.hex for row in await connection.execute(wanted)}
