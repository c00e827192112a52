"""Messages that go out: results and the state of orders, to the receivers that an administrator names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.web import WebRoute
    from charrua_hl7.worklist.entries import Entry

RECEIVER_ROUTES: Sequence[WebRoute] = ()


def outgoing_jobs(app: App) -> Sequence[JobType]:  # noqa: ARG001
    """Give the job that sends."""
    return []


async def tell_status(app: App, tx: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Let the receivers of order states know of entries that have a new status, with the transaction."""
