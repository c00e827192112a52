"""Reports that are final: written into the change feed by who signs them, told to plugins by the hook `on_report_final`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import changes
from charrua_core.types import FinalReport

KIND = "report"
"""The kind of their changes."""


async def announce(tx: AsyncConnection, report: FinalReport) -> None:
    """Have plugins be told of a report, with the transaction that makes it final."""
    await changes.append(tx, KIND, asdict(report) | {"signed_at": report.signed_at.isoformat()})


def report_of(payload: Mapping[str, Any]) -> FinalReport:
    """Give the report that a change of kind `report` tells of."""
    return FinalReport(**{**payload, "signed_at": datetime.fromisoformat(payload["signed_at"])})
