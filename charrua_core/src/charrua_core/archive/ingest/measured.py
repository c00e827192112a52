"""What is measured of objects on their way in."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, get_args

from prometheus_client import Counter, Histogram

from charrua_core import metrics
from charrua_core.errors import DatasetMismatch, HeaderDamaged, ObjectRefused, StorageFull
from charrua_core.types import OriginKind

if TYPE_CHECKING:
    from charrua_core.archive.ingest.spool import Spool

TRANSFERS = get_args(OriginKind)
OUTCOMES = ("stored", "duplicate", "kept beside", "refused", "no room", "failed", "broken off")

_OBJECTS = metrics.counter(
    "charrua_objects_received_total",
    "Objects that were brought to the archive, by what became of them.",
    transfer=TRANSFERS,
    outcome=OUTCOMES,
)
_BYTES = metrics.counter(
    "charrua_object_bytes_received_total", "Bytes of the files of these objects.", transfer=TRANSFERS
)
_SECONDS = metrics.histogram(
    "charrua_object_receive_seconds",
    "From the first byte of an object until it is on disk and in the index, or refused.",
    transfer=TRANSFERS,
)
FLUSH_SECONDS = metrics.histogram(
    "charrua_ingest_flush_seconds", "Flushing and placing the files of a group of objects on the volume."
)
GROUP_OBJECTS = metrics.histogram(
    "charrua_ingest_group_objects", "Objects that share a commit.", (1, 2, 4, 8, 16, 32, 64)
)

_REFUSED = (ObjectRefused, DatasetMismatch, HeaderDamaged)


def ended(spool: Spool, outcome: str) -> None:
    """Take note of what became of an object."""
    objects, size, seconds = _of(spool.arrival.origin.kind, outcome)
    objects.inc()
    size.inc(spool.size)
    seconds.observe(time.monotonic() - spool.began)


@cache
def _of(transfer: str, outcome: str) -> tuple[Counter, Counter, Histogram]:
    """To look a label up takes longer than to count."""
    return _OBJECTS.labels(transfer, outcome), _BYTES.labels(transfer), _SECONDS.labels(transfer)


def not_begun(transfer: str, error: BaseException) -> None:
    """Take note of an object that is refused before its first byte is taken."""
    _OBJECTS.labels(transfer, outcome_of(error)).inc()


def outcome_of(error: BaseException) -> str:
    """Name what became of an object that was not stored."""
    if isinstance(error, StorageFull):
        return "no room"
    if isinstance(error, _REFUSED):
        return "refused"
    return "failed" if isinstance(error, Exception) else "broken off"
