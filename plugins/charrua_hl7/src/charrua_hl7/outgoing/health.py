"""Whether the receivers take what they are sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Row, text

from charrua_core.types import Finding
from charrua_hl7.outgoing.sending import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from charrua_core.app import App

MOST_COUNTED = 1000
_MEND = "see that it runs, and where it is: charrua hl7 receiver test; what waits is sent in order when it is back"

# By the index of what is unfinished; of a line that is long, the first of it say enough.
_WAITING = text("""
SELECT receiver.name, count(line.id) AS waiting, min(line.tried_since) AS tried_since, min(line.sentence) AS sentence
FROM charrua_hl7.receiver LEFT JOIN LATERAL (
    SELECT id, tried_since, CASE WHEN tried_since IS NOT NULL THEN sentence END AS sentence FROM charrua_hl7.message
    WHERE state = 'waiting' AND direction = 'out' AND party = receiver.name ORDER BY id LIMIT :most
) AS line ON true
WHERE receiver.enabled GROUP BY receiver.name ORDER BY receiver.name
""")


async def receivers_health(app: App) -> Sequence[Finding]:
    """Tell of each receiver how much waits for it, and whether it has taken nothing for long."""
    async with app.db.reading() as connection:
        return [_finding(app, row) for row in await connection.execute(_WAITING, {"most": MOST_COUNTED})]


def _finding(app: App, row: Row[Any]) -> Finding:
    many = f"{MOST_COUNTED} messages or more wait" if row.waiting >= MOST_COUNTED else f"{row.waiting} messages wait"
    said = many if row.waiting else "nothing waits"
    tried_for = app.jobs.clock.now() - row.tried_since if row.tried_since else timedelta(0)
    if tried_for >= LONG:
        said += f", the first was not taken for {timedelta(seconds=round(tried_for.total_seconds()))}: {row.sentence}"
    return Finding(f"hl7 receiver {row.name}", tried_for < LONG, said, _MEND)
