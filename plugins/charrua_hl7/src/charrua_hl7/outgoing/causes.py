"""Who has sent the messages that are being processed: what they change is not told back to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Sender = tuple[str, str]
"""Sending Application and Facility (MSH-3, MSH-4)."""
_senders: ContextVar[Mapping[int, Sender]] = ContextVar("hl7_senders", default={})  # noqa: B039 -- never written to


@contextmanager
def sent_by(senders: Mapping[int, Sender]) -> Iterator[None]:
    """Within the block these messages, by their numbers, are being processed, which have no rows as yet."""
    former = _senders.set(senders)
    try:
        yield
    finally:
        _senders.reset(former)


def sender_of(number: int | None) -> Sender | None:
    """Give who has sent the message, None where none is being processed."""
    return None if number is None else _senders.get().get(number)
