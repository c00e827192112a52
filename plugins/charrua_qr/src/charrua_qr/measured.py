"""What is measured of queries and retrievals, beside the operations as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_core import metrics

if TYPE_CHECKING:
    from charrua_qr.suboperations import Counts

MATCHES = metrics.counter("charrua_query_matches_total", "Matches that C-FIND has told.")
WAITING = metrics.gauge("charrua_retrievals_waiting", "C-MOVE and C-GET that wait for others to end.")
RUNNING = metrics.gauge("charrua_retrievals_running", "C-MOVE and C-GET that send.")
_OBJECTS = metrics.counter(
    "charrua_retrieved_objects_total",
    "Objects that were asked for by C-MOVE and C-GET, by what became of their sub-operation.",
    outcome=("completed", "warning", "failed", "not tried"),
)


def retrieved(counts: Counts) -> None:
    """Take note of a retrieval that has ended."""
    _OBJECTS.labels("completed").inc(counts.completed)
    _OBJECTS.labels("warning").inc(counts.warning)
    _OBJECTS.labels("failed").inc(counts.failed)
    _OBJECTS.labels("not tried").inc(max(counts.remaining, 0))
