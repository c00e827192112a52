"""What the codes of orders mean for the worklist (HL7 v2 chapter 4, tables 0119 and 0038)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from charrua_hl7.worklist.entries import Status


class Deed(Enum):
    """What is done with an order."""

    NEW = "new"
    CHANGE = "change"
    CANCEL = "cancel"
    DISCONTINUE = "discontinue"
    HOLD = "hold"
    RELEASE = "release"
    NOTE = "note"


_CODES = {
    Deed.NEW: "NW RO CH",
    Deed.CHANGE: "XO XX XR SC SN NA RP RQ RU PA RE SR",
    Deed.CANCEL: "CA CR OC",
    Deed.DISCONTINUE: "DC DR OD",
    Deed.HOLD: "HD HR OH",
    Deed.RELEASE: "RL OR OE",
    Deed.NOTE: "OK UA UC UD UF UH UM UN UR UX LI DE DF RR SS MC AF RF CN",
}
DEEDS = {code: deed for deed, codes in _CODES.items() for code in codes.split()}
"""By ORC-1. What is NOTEd is known, and changes nothing here."""

CANCELLED = "cancelled by the order"
DISCONTINUED = "discontinued by the order"
HELD = "held by the order"
COMPLETED = "completed by the order"


class Change(NamedTuple):
    """The status that an order gives its entries, and why."""

    status: Status
    reason: str


_OVER = {
    "CM": Change(Status.COMPLETED, COMPLETED),
    "CA": Change(Status.DISCONTINUED, CANCELLED),
    "DC": Change(Status.DISCONTINUED, DISCONTINUED),
}
_ANY = {**_OVER, "HD": Change(Status.DISCONTINUED, HELD)}
STATUSES = {
    "NW": _OVER,
    "RO": _OVER,
    "CH": _OVER,
    "XO": _ANY,
    "XX": _ANY,
    "XR": _ANY,
    "RU": _ANY,
    "SC": {**_ANY, "IP": Change(Status.STARTED, "started, as the order says")},
    "SR": {**_ANY, "IP": Change(Status.STARTED, "started, as the order says")},
}
"""By ORC-1 and ORC-5. "In process" starts an entry only where its status is what the message is about: many senders say it
of every order that they know, and an entry that has started leaves the modalities' worklist."""
