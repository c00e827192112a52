"""What the service refuses, with the statuses of PS3.4 CC.2 and PS3.18 §11, and the warnings that PS3.18 words."""

from __future__ import annotations

from charrua_core.dicom.n_services import AttributesAtFault, ServiceRefused

CREATED_WITH_MODIFICATIONS = 0xB300
ALREADY_CANCELED = 0xB304
ALREADY_COMPLETED = 0xB306
"""Statuses that refuse nothing."""

_INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
WARNINGS = {
    CREATED_WITH_MODIFICATIONS: "The Workitem was created with modifications.",
    ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED.",
    ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED.",
}
"""What the web says of them."""


class UpsRefused(ServiceRefused):
    """The request is refused."""

    warning = ""
    """The sentence of PS3.18 §11 for the header Warning."""


class WorkitemNotFound(UpsRefused):
    """No such workitem, or not one that the caller may see."""

    dimse_status = 0xC307
    http_status = 404


class WorkitemExists(UpsRefused):
    """A workitem of this UID exists."""

    dimse_status = 0x0111
    http_status = 409


class NotScheduled(UpsRefused):
    """A workitem is created in the state SCHEDULED."""

    dimse_status = 0xC309


class NoLongerUpdated(UpsRefused):
    """The workitem is COMPLETED or CANCELED and may no longer be updated."""

    dimse_status = 0xC300
    http_status = 409
    warning = _INCONSISTENT


class UpdateOfFinal(NoLongerUpdated):
    """The workitem is COMPLETED or CANCELED and may no longer be updated."""

    http_status = 400  # PS3.18 table 11.6.3-1
    warning = "The submitted request is inconsistent with the current state of the Workitem."


class WrongTransaction(UpsRefused):
    """The correct Transaction UID was not provided."""

    dimse_status = 0xC301
    warning = "The Transaction UID is incorrect."


class TransactionMissing(WrongTransaction):
    """The Transaction UID is missing."""

    warning = "The Transaction UID is missing."


class AlreadyInProgress(UpsRefused):
    """The workitem is already IN PROGRESS."""

    dimse_status = 0xC302
    http_status = 409
    warning = _INCONSISTENT


class ScheduledByCreationOnly(UpsRefused):
    """A workitem becomes SCHEDULED by its creation only."""

    dimse_status = 0xC303
    warning = _INCONSISTENT


class FinalStateUnmet(AttributesAtFault, UpsRefused):
    """The final state requires."""

    dimse_status = 0xC304
    http_status = 409
    warning = _INCONSISTENT


class ReceiverUnknown(UpsRefused):
    """The Receiving AE is no known peer of this archive."""

    dimse_status = 0xC308


class NotInProgress(UpsRefused):
    """The workitem is not yet IN PROGRESS."""

    dimse_status = 0xC310
    http_status = 409
    warning = _INCONSISTENT


class NotClaimed(NotInProgress):
    """The workitem is not IN PROGRESS, so there is no transaction to update it in."""

    warning = "The target URI did not reference a claimed Workitem."


class AlreadyCompleted(UpsRefused):
    """The workitem is already COMPLETED."""

    dimse_status = 0xC311
    http_status = 409
    warning = "The UPS is already COMPLETED."


class PerformerUnreachable(UpsRefused):
    """Nobody is subscribed to the workitem: its performer cannot be contacted."""

    dimse_status = 0xC312
    http_status = 409
    warning = "The performer cannot be contacted."


class ActionInappropriate(UpsRefused):
    """The action is not for this instance."""

    dimse_status = 0xC314


class ActionUnknown(UpsRefused):
    """The SOP class has no such action."""

    dimse_status = 0x0123


class SopClassUnknown(UpsRefused):
    """The SOP class is none of the Unified Procedure Step."""

    dimse_status = 0x0118
