"""What the service refuses, with the statuses of PS3.4 F.7.2 and PS3.7 annex C."""

from __future__ import annotations

from charrua_core.dicom.n_services import ServiceRefused

NO_LONGER_UPDATED = 0xA710
"""Error ID of PS3.4 table F.7.2-2."""


class StepUnknown(ServiceRefused):
    """No such performed procedure step."""

    dimse_status = 0x0112


class StepExists(ServiceRefused):
    """A performed procedure step of this UID exists."""

    dimse_status = 0x0111


class NoLongerUpdated(ServiceRefused):
    """Performed Procedure Step Object may no longer be updated"""

    dimse_status = 0x0110
    error_id = NO_LONGER_UPDATED


class SopClassUnknown(ServiceRefused):
    """The SOP class is not the one that was negotiated."""

    dimse_status = 0x0119


_ALWAYS = {
    0x0000: "done",
    0x0110: "processing failure",
    0x0119: "the request names another SOP class than its presentation context",
    0x0124: "the AE may not do this here",
    0xA700: "the data set is too large, or the database is away",
    0xC000: "the data set cannot be read",
}
PERFORM_STATUSES = {
    **_ALWAYS,
    0x0106: "N-CREATE: the status is not IN PROGRESS; an attribute has a value that it cannot have",
    0x0107: "N-SET: done, but for attributes that may not be changed: they are listed",
    0x0110: "N-SET, with Error ID A710: the step is COMPLETED or DISCONTINUED, and may no longer be updated; "
    "else processing failure",
    0x0111: "N-CREATE: a performed procedure step of this UID exists",
    0x0112: "N-SET: no such performed procedure step",
    0x0120: "N-CREATE: an attribute of type 1 is missing",
    0x0121: "an attribute of type 1 has no value, or one that COMPLETED asks for",
}
GET_STATUSES = {
    **_ALWAYS,
    0x0001: "some attribute that was asked for is not there",
    0x0112: "no such performed procedure step, or none that the AE may see",
}
