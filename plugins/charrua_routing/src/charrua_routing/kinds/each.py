"""One object after another: what kinds have in common that take objects by themselves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from charrua_core import errors
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import StudyNotFound
from charrua_core.sending import NEVER, Outcome, Sending

TakeOne = Callable[[InstanceRecord], Awaitable[Outcome | None]]

DAMAGED = (errors.HeaderDamaged, *NEVER)
PASSES = (errors.StorageFailed, errors.StorageFull)


async def each(sending: Sending, take: TakeOne) -> AsyncGenerator[Outcome, None]:
    """Give the outcome of each object: None of `take` is that it is done. What one is to blame for stops no other."""
    for record in sending.records:
        try:
            outcome = await take(record)
        except StudyNotFound:
            outcome = Outcome(record, "passed over", "it was removed meanwhile")
        except DAMAGED as error:
            outcome = Outcome(record, "refused", str(error))
        except PASSES as error:
            outcome = Outcome(record, "failed", str(error))
        yield outcome or Outcome(record)
