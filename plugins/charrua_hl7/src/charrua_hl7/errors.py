"""What can be wrong with a message, as its sender is told (HL7 v2 chapter 2.9; table 0357)."""

from __future__ import annotations

from charrua_core.errors import CharruaError


class MessageRefused(CharruaError):
    """The message cannot be taken.

    `acknowledgement` is AR where nothing of this kind can ever be taken (structure, type, version, limits), AE where its
    content is at fault; `condition` is a code of table 0357; `location` as ERR-2 has it: `PID^1^3`.
    """

    http_status = 400
    acknowledgement = "AE"
    condition = "207"  # Application internal error

    def __init__(self, sentence: str = "", location: str = "") -> None:
        super().__init__(sentence)
        self.location = location


class MessageUnreadable(MessageRefused):
    """It has no structure of HL7 v2."""

    acknowledgement = "AR"
    condition = "100"  # Segment sequence error


class MessageTooLarge(MessageRefused):
    """It has more bytes, segments or repetitions than are taken."""

    acknowledgement = "AR"


class TypeUnsupported(MessageRefused):
    """Messages of this type are not taken here."""

    acknowledgement = "AR"
    condition = "200"  # Unsupported message type


class EventUnsupported(MessageRefused):
    """Messages of this type are taken here, but not of this event."""

    acknowledgement = "AR"
    condition = "201"  # Unsupported event code


class FieldMissing(MessageRefused):
    """A field that is needed is empty."""

    condition = "101"  # Required field missing


class ValueInvalid(MessageRefused):
    """A field has a value that cannot be."""

    condition = "102"  # Data type error


class KeyUnknown(MessageRefused):
    """What the message is about is not known here."""

    condition = "204"  # Unknown key identifier


class KeyTaken(MessageRefused):
    """What the message would make is here already."""

    condition = "205"  # Duplicate key identifier


class TooLate(MessageRefused):
    """What the message would change has been performed, or is being performed."""
