"""The Query/Retrieve SOP classes (PS3.4 C.3) and what a peer may agree on beyond them (PS3.4 C.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from charrua_core.dicom import Association

Root = Literal["PATIENT", "STUDY"]

_ROOT = "1.2.840.10008.5.1.4.1.2"
FIND: dict[str, Root] = {f"{_ROOT}.1.1": "PATIENT", f"{_ROOT}.2.1": "STUDY"}
MOVE: dict[str, Root] = {f"{_ROOT}.1.2": "PATIENT", f"{_ROOT}.2.2": "STUDY"}
GET: dict[str, Root] = {f"{_ROOT}.1.3": "PATIENT", f"{_ROOT}.2.3": "STUDY"}

SUCCESS = 0x0000
NOT_PERMITTED = 0x0124
CANNOT_UNDERSTAND = 0xC000
CANCELLED = 0xFE00
PENDING = 0xFF00
PENDING_WITHOUT_SOME_KEYS = 0xFF01
SOME_FAILED = 0xB000
UNABLE_TO_SEND = 0xA702
"""Statuses of PS3.4 C.4.1.1.4, C.4.2.1.5 and C.4.3.1.4."""

IDENTIFIER_LIMIT = 1 << 20
"""Bytes of an identifier: a list of 10,000 UIDs has 650,000."""


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


def answer_find(_sop_class_uid: str, asked: bytes) -> bytes:
    """Relational queries and fuzzy names as asked; no combined date and time, no timezones, no enhanced conversion."""
    return bytes(wanted & offered for wanted, offered in zip(asked, b"\1\0\1\0\0", strict=False))


def answer_retrieve(_sop_class_uid: str, asked: bytes) -> bytes:
    """Relational retrieval as asked; no enhanced conversion."""
    return bytes(wanted & offered for wanted, offered in zip(asked, b"\1\0", strict=False))
