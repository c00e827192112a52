"""What the intake measures."""

from __future__ import annotations

from charrua_core import metrics

KNOWN_TYPES = ("ORM", "OMI", "OMG", "SIU", "ADT", "ORU", "other")
ANSWERS = ("AA", "AE", "AR", "repeated", "none")

MESSAGES = metrics.counter(
    "charrua_hl7_messages_total",
    "HL7 messages that came in, by type and acknowledgement: `repeated` was done before, `none` could not be kept.",
    type=KNOWN_TYPES,
    answer=ANSWERS,
)
SECONDS = metrics.histogram(
    "charrua_hl7_message_seconds", "From the last byte of an HL7 message to its acknowledgement."
)
CONNECTIONS = metrics.gauge("charrua_hl7_connections_open", "Connections of the HL7 listener that are open.")
REFUSED = metrics.counter(
    "charrua_hl7_refused_connections_total",
    "Connections of the HL7 listener that were refused or cut.",
    reason=("sender", "room", "protocol", "tls", "slow"),
)


def count(message_type: str, answer: str) -> None:
    """Count a message."""
    code = message_type.partition("^")[0]
    MESSAGES.labels(code if code in KNOWN_TYPES else "other", answer).inc()
