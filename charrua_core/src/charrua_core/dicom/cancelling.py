"""Work that a C-CANCEL, or the end of the association, breaks off wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from charrua_core.dicom.message import Message

Result = TypeVar("Result")


class Cancelled(Exception):
    """The peer has cancelled the operation."""


async def until_cancelled(message: Message, work: Coroutine[Any, Any, Result], grace_s: float = 0) -> Result:
    """Give what the work gives, unless the peer cancels the message first: then the work is cancelled too.

    It has `grace_s` to come to an end by itself. Raises Cancelled, and what the work raises.
    """
    task = asyncio.ensure_future(work)
    cancelled = asyncio.ensure_future(message.cancel_event.wait())
    try:
        await asyncio.wait((task, cancelled), return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and grace_s:
            await asyncio.wait((task,), timeout=grace_s)
        if task.done():
            return task.result()
        raise Cancelled
    finally:
        cancelled.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
