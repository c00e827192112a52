"""What is measured of associations and of DIMSE operations, those that peers ask of us and those that we ask of peers."""

from __future__ import annotations

import time
from functools import lru_cache
from types import TracebackType
from typing import Self

from prometheus_client import Counter, Histogram

from charrua_core import metrics
from charrua_core.dicom.command import CommandField
from charrua_core.dicom.pdu import REJECTIONS, Rejection

_OTHER = "other"
_REASONS = tuple(dict.fromkeys(words for reasons in REJECTIONS.values() for words in reasons.values()))
_ENDS = ("released", "aborted by peer", "aborted", "timeout", "protocol violation", "lost")
_OPERATIONS = {int(one): one.name.replace("_", "-") for one in CommandField if one is not CommandField.C_CANCEL}
_OUTCOMES = ("success", "warning", "cancelled", "out of resources", "failure", "broken off")
_ALL_OPERATIONS = (*_OPERATIONS.values(), _OTHER)

OPEN = metrics.gauge("charrua_associations_open", "Associations with peers that called us.")
ACCEPTED = metrics.counter("charrua_associations_accepted_total", "Associations that peers opened.")
_REJECTED = metrics.counter(
    "charrua_associations_rejected_total",
    "Requests for an association that were rejected, by the reason of PS3.8 9.3.4.",
    reason=(*_REASONS, _OTHER),
)
_ENDED = metrics.counter(
    "charrua_associations_ended_total",
    "Associations of peers that have ended, by how.",
    end=(*_ENDS, _OTHER),
)
_SERVED = metrics.counter(
    "charrua_dimse_requests_total",
    "Operations that peers asked for, by the kind of their final status.",
    operation=_ALL_OPERATIONS,
    outcome=_OUTCOMES,
)
_SERVED_SECONDS = metrics.histogram(
    "charrua_dimse_request_seconds",
    "From the command of such an operation to its final response.",
    operation=_ALL_OPERATIONS,
)
REQUESTED = metrics.counter(
    "charrua_associations_requested_total",
    "Associations that we asked peers for.",
    outcome=("accepted", "rejected", "unreachable"),
)
_ASKED = metrics.counter(
    "charrua_dimse_asked_total",
    "Operations that we asked of peers, sub-operations among them, by the kind of their final status.",
    operation=_ALL_OPERATIONS,
    outcome=_OUTCOMES,
)
_ASKED_SECONDS = metrics.histogram(
    "charrua_dimse_asked_seconds",
    "From the first byte of such an operation to its final response.",
    operation=_ALL_OPERATIONS,
)

_GENERAL_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})


def rejected(rejection: Rejection) -> None:
    """Take note of a request that was rejected."""
    words = REJECTIONS.get((0, rejection.source), {}).get(rejection.reason, _OTHER)
    _REJECTED.labels(words).inc()


def ended(how: str) -> None:
    """Take note of an association that was established."""
    OPEN.dec()
    _ENDED.labels(how if how in _ENDS else _OTHER).inc()


def served(command_field: int, status: int | None, seconds: float) -> None:
    """Take note of an operation of a peer; status None where it was broken off."""
    requests, duration = _of(command_field, outcome_of(status))
    requests.inc()
    duration.observe(seconds)


@lru_cache(1000)
def _of(command_field: int, outcome: str) -> tuple[Counter, Histogram]:
    """To look a label up takes longer than to count."""
    operation = _OPERATIONS.get(command_field, _OTHER)
    return _SERVED.labels(operation, outcome), _SERVED_SECONDS.labels(operation)


class Asking:
    """Measures an operation that we ask for, as a block; `status` is the peer's answer, once there is one."""

    def __init__(self, command_field: int) -> None:
        self.status: int | None = None
        self._operation = _OPERATIONS.get(command_field, _OTHER)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ASKED.labels(self._operation, outcome_of(self.status)).inc()
        _ASKED_SECONDS.labels(self._operation).observe(time.monotonic() - self._began)


def outcome_of(status: int | None) -> str:
    """Name the kind of a final status (PS3.7 annex C)."""
    if status is None:
        return "broken off"
    if status == 0:
        return "success"
    if status & 0xF000 == 0xB000 or status in _GENERAL_WARNINGS:
        return "warning"
    if status == 0xFE00:
        return "cancelled"
    return "out of resources" if status & 0xFF00 == 0xA700 else "failure"
