"""When the last object came: the first thing to look at where a modality seems not to send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from charrua_core import metrics
from charrua_core.types import Finding

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.metrics import Read

_LAST = metrics.reading(
    "charrua_last_object_timestamp_seconds", "When the newest object came, in seconds since 1970 (UTC)."
)


async def readings(app: App) -> list[Read]:
    """Give when the newest object came, nothing where there is none."""
    last = await _last(app)
    return [] if last is None else [_LAST.of(last.timestamp())]


async def findings(app: App) -> list[Finding]:
    """Tell when the newest object came."""
    last = await _last(app)
    if last is None:
        return [Finding("storing", True, "no object has come yet")]
    return [Finding("storing", True, f"the last object came at {last.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")]


async def _last(app: App) -> datetime | None:
    async with app.db.driver(reading=True) as connection:
        last: datetime | None = await connection.fetchval(_LAST_SQL)
    return last


# The end of the index instance_by_received_at.
_LAST_SQL = "SELECT received_at FROM core.instance ORDER BY received_at DESC LIMIT 1"
