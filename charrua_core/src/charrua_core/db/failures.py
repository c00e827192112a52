"""What a failure of the database means: whether the connection is gone, whether another try may help."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import DBAPIError

from charrua_core.errors import DatabaseUnavailable

_LOST = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InternalClientError,  # an answer cut off in its middle
    asyncpg.OperatorInterventionError,  # class 57: the server stops, starts or lost a process
    asyncpg.TooManyConnectionsError,
)
_NOT_LOST = (asyncpg.QueryCanceledError,)


class Collided(Exception):
    """Raised within a transaction that finds, too late to heed it, what another one did at the same moment: try again."""


_COLLISIONS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, Collided)


def connection_lost(error: BaseException) -> bool:
    """Whether the error says that the database cannot be reached (any more)."""
    return any(_is_loss(cause) for cause in _causes(error))


def commit_outcome_unknown(error: BaseException) -> bool:
    """Whether a commit that failed with this error may have happened all the same: look it up on a new connection."""
    return connection_lost(error)


def worth_another_try(error: BaseException) -> bool:
    """Whether the transaction was rolled back because it collided with another one: do it again from its beginning."""
    return any(isinstance(cause, _COLLISIONS) for cause in _causes(error))


def _is_loss(error: BaseException) -> bool:
    if isinstance(error, DatabaseUnavailable):
        return True
    if isinstance(error, asyncpg.InterfaceError):  # asyncpg's word for misuse, too
        return "closed" in str(error) and not isinstance(error, ValueError)
    return isinstance(error, _LOST) and not isinstance(error, _NOT_LOST)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give the error and what lies behind it: SQLAlchemy and we wrap what asyncpg raises."""
    while error is not None:
        yield error
        error = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error.__cause__
