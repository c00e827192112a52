"""The rows of all studies and series, made from their objects and the edits in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import select

from charrua_core.archive.edit.effective import refresh
from charrua_core.tables import study

if TYPE_CHECKING:
    from charrua_core.db import Database

_AT_ONCE = 100


async def refresh_all(db: Database, progress: Callable[[], None]) -> int:
    """Refresh every study, a hundred in a transaction; gives their number."""
    last, count = "", 0
    while True:
        async with db.transaction() as tx:
            statement = select(study.c.study_uid).where(study.c.study_uid > last).order_by(study.c.study_uid)
            uids = list(await tx.scalars(statement.limit(_AT_ONCE)))
            await refresh(tx, uids)
        if not uids:
            return count
        last, count = uids[-1], count + len(uids)
        progress()
