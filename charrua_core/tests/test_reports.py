"""Reports that are final are told to plugins, by the transaction that makes them so."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from charrua_core import changes, reports
from charrua_core.services.core import follower_names, followers
from charrua_core.services.service import run_services
from charrua_core.testing.waiting import until
from charrua_core.types import FinalReport

REPORT = FinalReport(
    *("1.2.3", "4711", "NORTE", "PÉREZ^ANA", "A1", "CT of the head", "No fracture.\nNo bleeding.", "GÓMEZ^LUIS"),
    signed_at=datetime(2026, 3, 6, 17, 30, tzinfo=UTC),
)
PLUGIN = """
    told = []

    @hookimpl
    async def on_report_final(app, report):
        told.append(report)
"""


async def test_a_plugin_is_told_of_a_report_as_it_was_announced(open_archive: Any, write_plugin: Any) -> None:
    app = await open_archive(plugins=(write_plugin("his", PLUGIN),))
    with suppress(asyncio.CancelledError):
        async with app.db.transaction() as tx:
            await reports.announce(tx, REPORT)
            raise asyncio.CancelledError  # the report was not signed after all
    async with run_services(followers(app)):
        async with app.db.transaction() as tx:
            await reports.announce(tx, REPORT)
        import his  # type: ignore[import-not-found]

        await until(lambda: his.told)
        await until(lambda: _told_all(app))
    assert his.told == [REPORT]


async def _told_all(app: Any) -> bool:
    return "his.on_report_final" in follower_names(app) and not await changes.waiting(app.db, follower_names(app))
