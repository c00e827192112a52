"""Requests that end with an error: what the peer and the log are told."""

from __future__ import annotations

import logging

from charrua_core.dicom.association import Association
from charrua_core.dicom.message import Message
from charrua_core.errors import CharruaError

log = logging.getLogger(__name__)

COMMENT_LENGTH = 64
"""Characters of an Error Comment (0000,0902), a LO."""


def comment_of(error: CharruaError) -> str:
    """Give what the peer is told."""
    return str(error)[:COMMENT_LENGTH]


def log_refusal(association: Association, message: Message, error: CharruaError, **fields: str) -> None:
    """Say in the log who was refused what, with the class of the error only: its words may repeat a key's value."""
    log.warning(
        "refused: %s",
        type(error).__name__,
        exc_info=error.__cause__,
        extra={
            "action": "refused",
            "status": f"{error.dimse_status:04X}",
            "peer": association.calling_aet,
            "association": association.id,
            "sop_class": message.context.abstract_syntax,
            **fields,
        },
    )


async def refuse(association: Association, message: Message, error: CharruaError) -> None:
    """End a request with the error's status."""
    log_refusal(association, message, error)
    await message.drain()
    await association.respond(message, error.dimse_status, error_comment=comment_of(error))
