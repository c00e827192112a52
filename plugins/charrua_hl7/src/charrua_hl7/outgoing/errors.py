"""What can be wrong with receivers, and with sending to them."""

from __future__ import annotations

from charrua_core.errors import CharruaError


class ReceiverInvalid(CharruaError):
    """The receiver cannot be as it is described."""

    http_status = 400


class ReceiverUnknown(CharruaError):
    """There is no such receiver."""

    http_status = 404


class ReceiverTaken(CharruaError):
    """Another receiver has this name."""

    http_status = 409


class NotDelivered(CharruaError):
    """The receiver did not take the message; it may at another time."""


class AddressUnknown(NotDelivered):
    """The receiver's host name is not known."""


class Unreachable(NotDelivered):
    """Nobody takes a connection at the receiver's address."""


class TlsFailed(NotDelivered):
    """The receiver and this archive do not agree on TLS."""


class CertificateRefused(TlsFailed):
    """The receiver's certificate does not prove who it is."""


class Unanswered(NotDelivered):
    """The receiver did not answer in time, or ended the connection without an answer."""


class AnswerUnreadable(NotDelivered):
    """What the receiver answered is no acknowledgement of this message."""


class MessageRejected(NotDelivered):
    """The receiver has answered AE or CE: it could not take the message now."""
