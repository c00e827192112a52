"""The Query/Retrieve SOP classes (PS3.4 C.3) and what a peer may agree on beyond them (PS3.4 C.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from charrua_core.dicom import Association, agreeing
from charrua_core.dicom.finding import (
    BREAKS_THE_RULES,
    CANCELLED,
    CANNOT_UNDERSTAND,
    NOT_PERMITTED,
    PENDING,
    PENDING_WITHOUT_SOME_KEYS,
    PROCESSING_FAILURE,
    SUCCESS,
    find_statuses,
)

Root = Literal["PATIENT", "STUDY"]

_ROOT = "1.2.840.10008.5.1.4.1.2"
FIND: dict[str, Root] = {f"{_ROOT}.1.1": "PATIENT", f"{_ROOT}.2.1": "STUDY"}
MOVE: dict[str, Root] = {f"{_ROOT}.1.2": "PATIENT", f"{_ROOT}.2.2": "STUDY"}
GET: dict[str, Root] = {f"{_ROOT}.1.3": "PATIENT", f"{_ROOT}.2.3": "STUDY"}

SOME_FAILED = 0xB000
UNABLE_TO_SEND = 0xA702
UNKNOWN_DESTINATION = 0xA801
"""Statuses of PS3.4 C.4.2.1.5 and C.4.3.1.4, beside those of C-FIND."""

_EITHER = {
    BREAKS_THE_RULES: "the identifier breaks a rule of its level",
    CANNOT_UNDERSTAND: "the identifier cannot be read",
    CANCELLED: "cancelled",
    PROCESSING_FAILURE: "processing failure",
}
FIND_STATUSES = {
    **find_statuses("query_results"),
    PENDING_WITHOUT_SOME_KEYS: "a match; some key is not known at this level",
    **_EITHER,
}
RETRIEVE_STATUSES = {
    SUCCESS: "all objects sent",
    PENDING: "under way, told every second",
    SOME_FAILED: "some objects failed, or were taken with a warning",
    NOT_PERMITTED: "the AE may not retrieve",
    UNABLE_TO_SEND: "no object could be sent, or more than `retrieve_results` were asked for",
    UNKNOWN_DESTINATION: "the destination is no known peer, or this archive itself",
    **_EITHER,
}
"""What they mean here."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What SOP Class Extended Negotiation has brought (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1)."""

    relational: bool = False
    fuzzy: bool = False

    @classmethod
    def on(cls, association: Association, sop_class_uid: str) -> Agreed:
        """Give what was agreed for a SOP class of the association."""
        answer = association.extended.get(sop_class_uid, b"")
        return cls(relational=answer[0:1] == b"\1", fuzzy=answer[2:3] == b"\1")


answer_find = agreeing(b"\1\0\1\0\0")
"""Relational queries and fuzzy names as asked; no combined date and time, no timezones, no enhanced conversion."""
answer_retrieve = agreeing(b"\1\0")
"""Relational retrieval as asked; no enhanced conversion."""
