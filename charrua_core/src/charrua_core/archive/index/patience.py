"""Transactions of the index that outlast collisions and a database that is away, and know when their outcome is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import asyncpg
from sqlalchemy import text

from charrua_core.db import commit_outcome_unknown, worth_another_try
from charrua_core.errors import CommitUnknown, DatabaseUnavailable

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.db import Database

PATIENCE_S = 8.0
"""How long a sender waits for a database that is away before it is told to try later."""
ANSWER_S = 25.0
"""How long it waits for a transaction that is under way: one that takes long, on a disk or a machine that is overloaded or was
paused, is still better than an answer that says nothing. Modalities wait 30 seconds and more.
"""
_PAUSE_S = 0.2

T = TypeVar("T")


async def patiently(attempt: Callable[[], Awaitable[T]], lose: Callable[[], None] = lambda: None) -> T:
    """Try until it is committed, as long as it collides with others or the database is away, for `PATIENCE_S` at most.

    Then raises DatabaseUnavailable when nothing can have been committed, else CommitUnknown, as for a try that has not ended
    after `ANSWER_S`. `lose` is called when the connection is not to be used again.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    doubtful = False
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await attempt()
        except TimeoutError as error:
            lose()
            raise CommitUnknown from error
        except Exception as error:
            if isinstance(error, asyncpg.LockNotAvailableError):
                if doubtful:
                    raise CommitUnknown from error
                raise DatabaseUnavailable("the study is being changed by others for too long") from error
            if not worth_another_try(error):
                if not _away(error):
                    if doubtful:  # this attempt has failed for certain, an earlier one may not have
                        raise CommitUnknown from error
                    raise
                lose()
                doubtful = doubtful or not isinstance(error, DatabaseUnavailable)
            if loop.time() + _PAUSE_S > deadline:
                raise (CommitUnknown if doubtful else DatabaseUnavailable)() from error
        await asyncio.sleep(_PAUSE_S)


def _away(error: Exception) -> bool:
    return isinstance(error, CommitUnknown) or commit_outcome_unknown(error)


@asynccontextmanager
async def doubted_transaction(db: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction of `db` that raises CommitUnknown where it was lost after it had begun."""
    began = False
    try:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT 1"))  # begins the transaction of the driver's connection, too
            began = True
            yield tx
    except DatabaseUnavailable as error:
        if began:
            raise CommitUnknown from error
        raise
