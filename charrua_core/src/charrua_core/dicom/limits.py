"""What a peer may take of us: sizes, times and numbers, with the defaults of a hospital's network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the DICOM upper layer. Sizes in bytes, times in seconds."""

    max_pdu: int = 131072
    """Largest P-DATA-TF PDU that we advertise; a longer one is answered with A-ABORT before it is read."""
    max_association_pdu: int = 65536
    """Largest A-ASSOCIATE-RQ or -AC that is read."""
    max_send_pdu: int = 131072
    """Largest P-DATA-TF PDU that we send, when the peer would take more."""
    max_contexts: int = 128
    """Presentation contexts in one A-ASSOCIATE-RQ (PS3.8 9.3.2.2: identifiers are odd, 1 to 255)."""
    max_command_set: int = 16384
    """Size of one message's command set."""
    max_identifier: int = 1 << 20
    """Size of one identifier in a peer's response (C-FIND-RSP and the like)."""
    artim_s: float = 10.0
    """From the connection to the complete A-ASSOCIATE-RQ, TLS handshake included (PS3.8 9.1.5, ARTIM)."""
    pdu_timeout_s: float = 30.0
    """A PDU that has begun must be complete within this time."""
    idle_timeout_s: float = 600.0
    """An association on which nothing is asked is aborted after this time."""
    dimse_timeout_s: float = 60.0
    """The longest wait for the rest of a message, for a response, or for a peer that does not read."""
    max_associations: int = 2500
    """Established associations at once; later ones are rejected (2, 3, 2)."""
    reserved_associations: int = 0
    """How many of these are kept for AEs that the archive knows."""
    max_pending_per_ip: int = 20
    """Connections of one address that are not yet associations; one more ends the oldest of them."""
    max_pending: int = 500
    """Connections of all addresses that are not yet associations."""
    backlog: int = 1024
    """Connections that the operating system keeps waiting for us."""
