"""Messages that go out: results and the state of orders, to the receivers that an administrator names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App
    from charrua_core.jobs import JobType
    from charrua_core.types import FinalReport, StoredObject
    from charrua_core.web import WebRoute
    from charrua_hl7.worklist.entries import Entry


def receiver_routes() -> Sequence[WebRoute]:
    """Give the calls on receivers."""
    from charrua_hl7.outgoing.receiver_calls import ROUTES

    return ROUTES


def outgoing_jobs(app: App) -> Sequence[JobType]:
    """Give the job that sends."""
    from charrua_hl7.outgoing.sending import send_job

    return [send_job(app)]


async def tell_status(app: App, tx: AsyncConnection, changed: Sequence[tuple[Entry, str | None, int | None]]) -> None:
    """Let the receivers of order states know, with the transaction, of entries that were written.

    Each comes with the status that it had before, None where it is new, and the message that has changed it, None where
    none has: its sender is not told what he has just said (`charrua_hl7.outgoing.order_states`).
    """
    from charrua_hl7.outgoing.order_states import tell

    if changed:
        await tell(app, tx, changed)


async def report_final(app: App, report: FinalReport) -> None:
    """Let the receivers of results know of a report."""
    from charrua_hl7.outgoing.results import report_final

    await report_final(app, report)


async def document_stored(app: App, stored: StoredObject) -> None:
    """Let the receivers of results know of a document that is a final report, where that is chosen."""
    if app.settings["hl7_results_of_documents"]:
        from charrua_hl7.outgoing.documents import final_report

        if report := await final_report(app, stored):
            await report_final(app, report)
